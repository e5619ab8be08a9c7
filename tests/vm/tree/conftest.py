"""The files of the image that was built last, taken out of its disk without starting it."""

from pathlib import Path

import pytest

from image import places
from image.toolchain import Place, Toolchain


@pytest.fixture(scope="session")
def usr_partition(image: Path) -> Path:
    """The partition that is /usr, as a file."""
    found = sorted(image.parent.glob(f"{image.stem}.usr-x86-64.*.raw"))
    assert len(found) == 1, f"{image.parent} has {len(found)} partitions of /usr; run: make image"
    return found[0]


@pytest.fixture(scope="session")
def root(tools: Toolchain, usr_partition: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder with the image's /usr, and the /etc that each start makes from it."""
    folder = tmp_path_factory.mktemp("tree")
    tools.run(
        ["fsck.erofs", "--extract=/coffer/tree/usr", "--overwrite", "/coffer/usr.raw"],
        remedy="build the image again: make image",
        seen=(
            Place(outside=folder, inside=Path("/coffer/tree")),
            Place(outside=usr_partition, inside=Path("/coffer/usr.raw")),
        ),
    )
    (folder / "etc").symlink_to("usr/share/factory/etc")
    for name in ("bin", "sbin", "lib", "lib64"):
        (folder / name).symlink_to(f"usr/{name}")
    return folder


@pytest.fixture(scope="session")
def listed() -> frozenset[str]:
    """The paths and patterns of the list of programs."""
    lines = (places.DEFINITION / "programs").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
