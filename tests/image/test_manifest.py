import json
from pathlib import Path

import pytest

from image import manifest
from image.errors import ImageError
from image.lock import Package
from image.manifest import Part


def test_a_package_is_named_as_the_lock_has_it() -> None:
    package = Package(
        name="kmod",
        version="34.2-2",
        architecture="amd64",
        size_bytes=1,
        sha256="aa11",
        file="pool/kmod.deb",
        sets=("image",),
    )

    assert manifest.deb_part(package) == Part(
        kind="deb", name="kmod", version="34.2-2", sha256="aa11"
    )


def test_a_wheel_is_named_by_its_file() -> None:
    part = manifest.parse_wheel("cc33  numpy-2.4.6-cp313-cp313-manylinux_2_28_x86_64.whl")

    assert part == Part(kind="wheel", name="numpy", version="2.4.6", sha256="cc33")


@pytest.mark.parametrize("line", ["", "cc33", "cc33  numpy.tar.gz", "a b c"])
def test_what_is_no_wheels_hash_is_refused(line: str) -> None:
    with pytest.raises(ImageError, match="no wheel's hash"):
        manifest.parse_wheel(line)


def test_a_manifest_does_not_depend_on_the_order_of_its_parts() -> None:
    parts = [
        Part(kind="wheel", name="b", version="1", sha256="2"),
        Part(kind="deb", name="a", version="1", sha256="1"),
    ]

    text = manifest.format_manifest("7", (), parts)

    assert text == manifest.format_manifest("7", (), reversed(parts))
    assert [one["name"] for one in json.loads(text)["parts"]] == ["a", "b"]


def test_packages_are_those_that_mkosi_lists() -> None:
    text = json.dumps({"packages": [{"type": "deb", "name": "kmod", "version": "34.2-2"}]})

    assert manifest.parse_packages(text) == [("kmod", "34.2-2")]
    with pytest.raises(ImageError, match="names no package"):
        manifest.parse_packages('{"packages": []}')


def test_a_manifest_tells_the_images_profiles(tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(manifest.format_manifest("7", ("fpga", "qat"), []))

    assert manifest.read_profiles(file) == ("fpga", "qat")
    file.write_text("{}")
    with pytest.raises(ImageError, match="cannot be read"):
        manifest.read_profiles(file)
