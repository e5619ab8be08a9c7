import json
import struct
from pathlib import Path

import pytest

from bench import image
from image import pipeline
from image.errors import ImageError

INDEX = """Package: python3-minimal
Depends: libc6 (>= 2.41), mawk | gawk, missing
Pre-Depends: dpkg:any

Package: libc6
Depends: libgcc-s1

Package: libgcc-s1
Package-Type: deb

Package: mawk
Version: 1

Package: dpkg
Version: 1

Package: bash
Depends: libc6
"""


def test_a_stack_is_all_that_is_depended_on() -> None:
    found = image.closure(["python3-minimal"], image.read_depends(INDEX))

    assert found == {"python3-minimal", "libc6", "libgcc-s1", "mawk", "dpkg"}


def test_programs_are_counted_and_libraries_are_not() -> None:
    files = {
        "usr/bin/kmod": {"mode": "100755"},
        "usr/bin/lsmod": {"mode": "120777"},
        "usr/lib/libx.so.1": {"mode": "100755"},
        "usr/share/text": {"mode": "100644"},
    }

    assert image.count_executables(files) == 1


def test_the_size_of_erofs_is_what_it_uses(tmp_path: Path) -> None:
    file = tmp_path / "usr"
    head = struct.pack("<I", 0xE0F5E1E2).ljust(12, b"\0") + bytes([12])
    file.write_bytes(bytes(1024) + head.ljust(36, b"\0") + struct.pack("<I", 3) + bytes(1 << 20))

    assert image.erofs_bytes(file) == 3 * 4096
    file.write_bytes(bytes(4096))
    with pytest.raises(ImageError, match="no erofs"):
        image.erofs_bytes(file)


def test_times_of_builds_are_kept_by_kind(tmp_path: Path) -> None:
    file = tmp_path / "times.json"
    pipeline.note_time(file, "cold", 800.04)
    pipeline.note_time(file, "warm", 100)

    bars = image.time_bars(file)

    assert json.loads(file.read_text()) == {"cold": 800.0, "warm": 100}
    assert [bar.is_missed for bar in bars] == [True, False]
    assert image.time_bars(tmp_path / "none") == []
