"""The files of the image that was built last, taken out of its disk without starting it."""

from pathlib import Path

import pytest

from image import manifest, places
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
def profiles(image: Path) -> tuple[str, ...]:
    """What the image has beyond the base."""
    return manifest.read_profiles(image.with_suffix(".manifest.json"))


@pytest.fixture(scope="session")
def listed(profiles: tuple[str, ...]) -> frozenset[str]:
    """The paths and patterns of the lists of programs, of the base and of its profiles."""
    added = (places.DEFINITION / "mkosi.profiles" / name / "programs" for name in profiles)
    lists = [places.DEFINITION / "programs", *(one for one in added if one.exists())]
    lines = [line for one in lists for line in one.read_text(encoding="utf-8").splitlines()]
    return frozenset(line for line in lines if line and not line.startswith("#"))
