"""Every module and firmware file of the built ``/usr``, looked at without starting it."""

import hashlib
import lzma
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509

from image import keys, places, sign
from image.drivers import recipes, support
from image.drivers.module_file import Module, read_module
from image.drivers.recipes import FOLDER
from image.toolchain import Place, Toolchain

_TAKE: Final = """
fsck.erofs --extract=/run/usr /coffer/usr.raw >/dev/null
cp -r /run/usr/lib/modules /run/usr/lib/os-release /coffer/taken
[ ! -d /run/usr/lib/firmware ] || cp -rL /run/usr/lib/firmware /coffer/taken
"""


@pytest.fixture(scope="module")
def tree(tools: Toolchain, image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has of modules, firmware and its own name."""
    taken = tmp_path_factory.mktemp("taken")
    tools.run(
        ["bash", "-euc", _TAKE],
        seen=(
            Place(outside=sign.find(image.parent).partition("usr"), inside=Path("/coffer/usr.raw")),
            Place(outside=taken, inside=Path("/coffer/taken")),
        ),
        remedy="the image may be damaged: build it again",
    )
    return taken


@pytest.fixture(scope="module")
def profiles(tree: Path) -> list[str]:
    """The profiles of the image, by its own name."""
    lines = (tree / "os-release").read_text().splitlines()
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    return [word for word in said.get("VARIANT_ID", "").strip('"').split("-") if word]


@pytest.fixture(scope="module")
def modules(tree: Path) -> dict[str, Module]:
    """Each module by its path below the kernel's folder."""
    (kernel,) = (tree / "modules").iterdir()
    found = {}
    for file in kernel.rglob("*.ko*"):
        content = file.read_bytes()
        packed = file.suffix == ".xz"
        read = read_module(lzma.decompress(content) if packed else content)
        assert read.kernel == kernel.name, file
        found[str(file.relative_to(kernel))] = read
    return found


def test_every_module_is_signed(modules: dict[str, Module]) -> None:
    assert len(modules) > 500
    assert [name for name, one in modules.items() if one.signature is None] == []


def test_ours_are_those_of_the_profiles_and_signed_by_our_key(
    modules: dict[str, Module], profiles: list[str]
) -> None:
    ours = keys.read(places.keys()).named("modules")
    certificate = x509.load_pem_x509_certificate(ours.certificate.read_bytes())
    built = recipes.of_profiles(recipes.read(), profiles)

    found = {name: one for name, one in modules.items() if name.startswith(FOLDER)}

    assert found.keys() == {f"{FOLDER}/{name}.ko" for one in built for name in one.modules}
    for module in found.values():
        module.require_signed_by(certificate)


def test_firmware_of_the_profiles_is_the_catalogues(tree: Path, profiles: list[str]) -> None:
    wanted = {
        file.file: file.sha256
        for family in support.read_catalogue().family
        for file in family.firmware
        if family.profile.value in profiles and file.sha256
    }

    for name, digest in wanted.items():
        content = (tree / "firmware" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name
