import datetime
import json
import stat
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from image import components, inventory, materials, ownership, sbom, staging
from image.components import Component, Kind
from image.errors import ImageError
from image.inventory import Inventory
from image.lock import Package
from image.ownership import Contents
from image.trees import Entry
from image.wheels import Wheels

DAY: Final = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)
DEP5: Final = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: GPL-2+

Files: lib/*
License: MIT
 Permission is hereby granted
"""
PACKAGE: Final = Package(
    name="kmod",
    version="1:34.2+b1",
    architecture="amd64",
    size_bytes=1,
    sha256="aa" * 32,
    file="pool/kmod.deb",
    sets=("image", "tools"),
)
FILE: Final = Entry(
    mode=stat.S_IFREG | 0o644, owner=0, group=0, size_bytes=3, modified_seconds=7, content="aa"
)


def wheel(folder: Path, name: str) -> Path:
    """Return a wheel with a module, a library and its metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as held:
        held.writestr(f"{name}/__init__.py", "")
        held.writestr(f"{name}.libs/libfast.so.1.2", b"library")
        held.writestr(f"{name}-1.0.data/purelib/extra.py", "")
        metadata = f"Metadata-Version: 2.4\nName: {name}\nLicense-Expression: MIT OR 0BSD\n"
        held.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
    return file


@pytest.fixture
def wheels(tmp_path: Path) -> Wheels:
    """One package of the locks, and Coffer's own."""
    wheel(tmp_path / "locked/wheels", "My_Parser")
    wheel(tmp_path / "source/wheels", "coffer")
    return Wheels(locked=tmp_path / "locked", source=tmp_path / "source")


def made_of(wheels: Wheels) -> list[Component]:
    contents = {"kmod": Contents(files=("usr/bin/kmod",), copyright=DEP5)}
    found = components.of_packages([PACKAGE], contents)
    return found + components.of_wheels(wheels, "7")


def test_licences_are_read_from_machine_readable_files_alone() -> None:
    assert components.licences_of(DEP5) == ("GPL-2+", "MIT")
    assert components.licences_of("License: MIT, as everybody knows") == ()


def test_a_package_has_its_url_and_hash(wheels: Wheels) -> None:
    found = made_of(wheels)[0]

    assert found.url == "pkg:deb/debian/kmod@1%3A34.2%2Bb1?arch=amd64&distro=debian-13"
    assert (found.sha256, found.sets) == (PACKAGE.sha256, ("image",))


def test_wheels_and_what_is_in_them_are_components(wheels: Wheels) -> None:
    found = {one.reference: one for one in made_of(wheels)}

    assert found["wheel:My_Parser"].name == "my-parser"
    assert found["wheel:My_Parser"].licences == ("MIT OR 0BSD",)
    assert found["library:My_Parser.libs/libfast.so.1.2"].part_of == "wheel:My_Parser"
    assert found["coffer"].kind is Kind.COFFER


def test_cyclonedx_names_every_component(wheels: Wheels) -> None:
    held = json.loads(sbom.cyclonedx("7", DAY, made_of(wheels)))

    assert (held["bomFormat"], held["specVersion"]) == ("CycloneDX", "1.6")
    names = {one["bom-ref"] for one in held["components"]}
    assert names == {"deb:kmod", "wheel:My_Parser", "coffer"}
    parser = next(one for one in held["components"] if one["bom-ref"] == "wheel:My_Parser")
    assert [one["name"] for one in parser["components"]] == ["libfast.so.1.2"]
    kmod = next(one for one in held["components"] if one["bom-ref"] == "deb:kmod")
    assert kmod["hashes"] == [{"alg": "SHA-256", "content": PACKAGE.sha256}]
    assert {one["license"]["name"] for one in kmod["licenses"]} == {"GPL-2+", "MIT"}


def test_spdx_names_every_component(wheels: Wheels) -> None:
    held = json.loads(sbom.spdx_json("7", DAY, made_of(wheels)))

    assert held["spdxVersion"] == "SPDX-2.3"
    names = {one["name"] for one in held["packages"]}
    assert names == {"kmod", "my-parser", "libfast.so.1.2", "coffer"}
    kmod = next(one for one in held["packages"] if one["name"] == "kmod")
    assert kmod["checksums"] == [{"algorithm": "SHA256", "checksumValue": PACKAGE.sha256}]


def test_bills_depend_on_the_image_alone(wheels: Wheels) -> None:
    for form in (sbom.cyclonedx, sbom.spdx_json):
        assert form("7", DAY, made_of(wheels)) == form("7", DAY, made_of(wheels))


def test_bills_of_other_content_have_other_names(wheels: Wheels) -> None:
    other = [replace(made_of(wheels)[0], sha256="bb" * 32), *made_of(wheels)[1:]]
    serials = [
        json.loads(sbom.cyclonedx("7", DAY, parts))["serialNumber"]
        for parts in (made_of(wheels), other)
    ]

    assert serials[0] != serials[1]


def test_owners_are_packages_wheels_and_coffer(wheels: Wheels, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    (staged / "usr/bin").mkdir(parents=True)
    (staged / "usr/bin/coffer").touch()
    contents = {"kmod": Contents(files=("usr/bin/kmod", "etc/kmod.conf"), copyright="")}

    known = ownership.owners(contents, wheels, [staged])

    site = str(staging.SITE).lstrip("/")
    owners = {
        "usr/bin/kmod": "deb:kmod",
        "usr/share/factory/etc/kmod.conf": "deb:kmod",
        f"{site}/My_Parser/__init__.py": "wheel:My_Parser",
        f"{site}/My_Parser/__pycache__/__init__.cpython-313.pyc": "wheel:My_Parser",
        f"{site}/extra.py": "coffer",
        f"{site}/coffer/__init__.py": "coffer",
        "usr/bin/coffer": "coffer",
        "usr/lib/modules/6.12/modules.dep": "deb:linux-image-6.12",
        "usr/share/factory/etc/ld.so.cache": "deb:libc-bin",
        "usr/bin/unknown": None,
    }
    assert {path: ownership.owner_of(path, known) for path in owners} == owners


def test_paths_are_those_of_a_merged_system() -> None:
    assert ownership.merged("./lib/x.so") == "usr/lib/x.so"
    assert ownership.merged("./usr/lib/x.so") == "usr/lib/x.so"
    assert ownership.merged("./etc/x") == "etc/x"


def test_a_packages_files_and_copyright_are_read(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name, text in (("lib/x.so", ""), ("usr/share/doc/plain/copyright", DEP5)):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: plain\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.com>\n"
        "Description: a\n"
    )
    file = tmp_path / "plain.deb"
    subprocess.run(["dpkg-deb", "--build", tree, file], check=True, capture_output=True)

    found = ownership.read_package(file, "plain")

    assert set(found.files) == {"usr/lib/x.so", "usr/share/doc/plain/copyright"}
    assert found.copyright == DEP5


def test_an_image_that_nobody_answers_for_is_refused() -> None:
    files = {f"usr/bin/{number}": FILE for number in range(1000)}
    owners = dict.fromkeys(list(files)[:995], "deb:kmod")
    enough = Inventory(files=files, owners=owners)
    too_few = Inventory(files=files, owners=dict(list(owners.items())[:994]))

    inventory.require_covered(enough)
    assert enough.summary.startswith("99.50% of 1000 files")
    with pytest.raises(ImageError, match="usr/bin/999"):
        inventory.require_covered(too_few)


def test_an_inventory_tells_owners_again(tmp_path: Path) -> None:
    found = Inventory(files={"usr/a": FILE, "usr/b": FILE}, owners={"usr/a": "deb:kmod"})
    file = tmp_path / "files.json"
    file.write_text(inventory.format_inventory(found))

    assert inventory.read_owners(file) == {"usr/a": "deb:kmod"}
    assert inventory.read_owners(tmp_path / "none") == {}


def test_a_status_has_the_packages_that_are_installed(tmp_path: Path) -> None:
    index = tmp_path / "dists/trixie/main/binary-amd64/Packages"
    index.parent.mkdir(parents=True)
    index.write_text(
        f"Package: kmod\nVersion: 1\nFilename: pool/{PACKAGE.sha256}.deb\n\n"
        f"Package: other\nVersion: 1\nFilename: pool/{'bb' * 32}.deb\n"
    )

    status = materials.status_of([PACKAGE], tmp_path)

    assert "Package: kmod" in status
    assert "Status: install ok installed" in status
    assert "other" not in status
