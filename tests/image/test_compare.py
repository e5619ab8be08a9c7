import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from image import compare, trees
from image.compare import Difference
from image.errors import ImageError
from image.sign import Output
from image.trees import Entry

FILE = Entry(
    mode=stat.S_IFREG | 0o644, owner=0, group=0, size_bytes=3, modified_seconds=7, content="aa"
)


def nobody(_: str) -> str | None:
    return None


def differences(one: Entry | None, other: Entry | None, path: str = "bin/x") -> list[Difference]:
    first, second = ({path: entry} if entry else {} for entry in (one, other))
    return list(compare.compare_trees("/usr", first, second, nobody))


def test_equal_trees_have_no_difference() -> None:
    assert differences(FILE, FILE) == []


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(FILE, mode=stat.S_IFREG | 0o755), "mode -rw-r--r-- and -rwxr-xr-x"),
        (replace(FILE, owner=5), "owner 0:0 and 5:0"),
        (replace(FILE, size_bytes=4, content="bb"), "3 and 4 bytes"),
        (replace(FILE, content="bb"), "content"),
        (replace(FILE, modified_seconds=8), "time 7 and 8"),
    ],
)
def test_all_that_is_other_of_a_file_is_said(other: Entry, said: str) -> None:
    found = differences(FILE, other)

    assert len(found) == 1
    assert said in found[0].what


def test_a_file_in_one_build_alone_is_said() -> None:
    assert "is in the first alone" in differences(FILE, None)[0].what
    assert "is in the second alone" in differences(None, FILE)[0].what


@pytest.mark.parametrize(
    ("path", "other", "why"),
    [
        ("x", replace(FILE, modified_seconds=9), "at another time"),
        ("a/__pycache__/x.pyc", replace(FILE, content="bb"), "compiled module"),
        ("lib/libx.so.1", replace(FILE, content="bb"), "library built"),
        ("share/factory/etc/ld.so.cache", replace(FILE, content="bb"), "during the build"),
        ("bin/x", replace(FILE, content="bb"), ""),
    ],
)
def test_a_likely_reason_is_given_where_one_is_known(path: str, other: Entry, why: str) -> None:
    found = differences(FILE, other, path)[0]

    assert why in found.why
    assert bool(found.why) == bool(why)


def test_what_many_files_have_alike_is_said_once() -> None:
    newer = replace(FILE, modified_seconds=9)
    one = {f"file-{number}": FILE for number in range(20)} | {"other": FILE}
    other = dict.fromkeys(one, newer) | {"other": replace(newer, content="bb")}

    found = compare.fold(compare.compare_trees("/usr", one, other, nobody))

    assert [one.what for one in found] == [
        "other of no component: content, time 7 and 9",
        "20 files differ in their time 7 and 9 alone",
    ]


def test_the_owner_of_a_file_is_named() -> None:
    other = replace(FILE, content="bb")
    found = compare.compare_trees("/usr", {"x": FILE}, {"x": other}, {"x": "deb:kmod"}.get)

    assert "x of deb:kmod" in next(found).what


def test_sections_of_kernel_images_are_compared() -> None:
    one = {".cmdline": b"quiet", ".linux": b"\0" * 9000, ".osrel": b"same"}
    other = {".cmdline": b"debug", ".linux": b"\1" * 9000, ".osrel": b"same"}

    found = list(compare.compare_sections(one, other))

    assert [one.what for one in found] == ["section .cmdline", "section .linux"]
    assert found[0].why == "'quiet' and 'debug'"
    assert "SHA-256" in found[1].why


def output(folder: Path, version: str, sha256: str) -> Output:
    folder.mkdir()
    part = {"kind": "deb", "name": "kmod", "version": "1", "sha256": sha256}
    made = Output(folder=folder, version=version)
    made.file("manifest.json").write_text(json.dumps({"parts": [part]}))
    return made


def test_versions_and_packages_are_compared(tmp_path: Path) -> None:
    one, other = output(tmp_path / "a", "1", "aa"), output(tmp_path / "b", "2", "bb")

    found = [str(one) for one in compare.compare_parts(one, other)]

    assert found == ["version: 1 is not 2", "packages: deb kmod: 1 aa is not 1 bb"]
    assert list(compare.compare_parts(one, one)) == []


def test_a_build_without_manifest_is_refused(tmp_path: Path) -> None:
    build = Output(folder=tmp_path, version="1")

    with pytest.raises(ImageError, match="cannot be read"):
        list(compare.compare_parts(build, build))


def test_the_unsigned_twin_of_a_signed_build_is_compared(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "unsigned"):
        folder.mkdir(exist_ok=True)
        (folder / "coffer_1.efi").touch()

    assert compare.read_output(tmp_path).folder == tmp_path / "unsigned"
    assert compare.read_output(tmp_path / "unsigned").folder == tmp_path / "unsigned"


def test_a_tree_is_read_with_modes_times_and_content(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"abc")
    (tmp_path / "a" / "file").chmod(0o640)
    os.utime(tmp_path / "a" / "file", (5, 5))
    (tmp_path / "link").symlink_to("a/file")

    found = trees.read_tree(tmp_path)

    assert set(found) == {"a", "a/file", "link"}
    assert found["a/file"].size_bytes == 3
    assert found["a/file"].modified_seconds == 5
    assert stat.S_IMODE(found["a/file"].mode) == 0o640
    assert found["link"].content == "a/file"


def cpio(name: str, content: bytes, mode: int = stat.S_IFREG | 0o644) -> bytes:
    """Return an entry of an archive in cpio's form "newc"."""
    path = name.encode() + b"\0"
    numbers = (1, mode, 0, 0, 1, 5, len(content), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + path
    head += bytes(-len(head) % 4)
    return head + content + bytes(-len(content) % 4)


TRAILER = cpio("TRAILER!!!", b"", 0)


def test_an_initrd_of_several_archives_is_read() -> None:
    plain = cpio("early", b"one") + TRAILER

    found = trees.read_initrd(plain + bytes(512) + cpio("late", b"two") + TRAILER, ["false"])

    assert set(found) == {"early", "late"}
    assert found["late"].size_bytes == 3


def test_a_packed_archive_ends_where_its_last_block_does() -> None:
    raw = (1 | 0 << 1 | 4 << 3).to_bytes(3, "little") + b"abcd"  # the last block, stored, 4 bytes
    frame = b"\x28\xb5\x2f\xfd" + bytes([0x20]) + bytes([4]) + raw

    assert trees.zstd_frame_bytes(frame + b"more") == len(frame)
    with pytest.raises(ImageError, match="cut off"):
        trees.zstd_frame_bytes(frame[:-1])


def test_an_initrd_with_something_unknown_is_refused() -> None:
    with pytest.raises(ImageError, match="something unknown at byte 0"):
        trees.read_initrd(b"what is this", ["false"])
