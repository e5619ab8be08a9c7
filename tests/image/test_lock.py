import datetime
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from image import lock, resolve
from image.errors import LockError
from image.lock import Lock, Package

DAY: Final = datetime.date(2026, 11, 29)
KMOD: Final = Package(
    name="kmod",
    version="1:34.2-2",
    architecture="amd64",
    size_bytes=5,
    sha256="aa" * 32,
    file="pool/main/k/kmod/kmod_34.2-2_amd64.deb",
    sets=("image", "tools"),
)
UDEV: Final = replace(KMOD, name="udev", version="257.13", sha256="bb" * 32, sets=("image",))
LOCK: Final = Lock(written=DAY, packages=(KMOD, UDEV))


def test_a_lock_is_read_as_it_was_written() -> None:
    assert lock.parse(lock.format_lock(LOCK)) == LOCK


def test_each_package_has_a_line_of_its_own() -> None:
    lines = [line for line in lock.format_lock(LOCK).splitlines() if "sha256" in line]

    assert len(lines) == 2
    assert "kmod" in lines[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "packages = 3",
        "written = 2026-11-29\npackages = [{ name = 'kmod' }]",
        lock.format_lock(replace(LOCK, packages=(replace(KMOD, sha256="aa"),))),
        lock.format_lock(replace(LOCK, packages=(replace(KMOD, sha256="not hexadecimal"),))),
        lock.format_lock(replace(LOCK, packages=(KMOD, replace(KMOD, version="2")))),
    ],
)
def test_a_damaged_lock_is_refused(text: str) -> None:
    with pytest.raises(LockError):
        lock.parse(text)


def test_a_package_in_another_version_is_refused() -> None:
    assert LOCK.get("kmod", "1:34.2-2") == KMOD
    with pytest.raises(LockError, match="kmod 35 is not the locked 1:34"):
        LOCK.get("kmod", "35")
    with pytest.raises(LockError, match="bash 5 is not in the lock"):
        LOCK.get("bash", "5")


def test_a_lock_lacking_what_is_asked_for_is_refused() -> None:
    lock.require_complete(LOCK, {"image": ["?essential", "udev"], "tools": ["kmod"]})

    with pytest.raises(LockError, match="no udev for the tools") as refused:
        lock.require_complete(LOCK, {"tools": ["kmod", "udev"]})

    assert "make image-lock" in refused.value.remedy


def test_changes_name_what_came_went_and_is_another() -> None:
    newer = replace(KMOD, version="35", sha256="cc" * 32)
    after = replace(LOCK, packages=(newer, replace(UDEV, name="zstd")))

    assert lock.changes(LOCK, after) == [
        "gone: udev 257.13",
        "new: zstd 257.13",
        "changed: kmod 1:34.2-2 to 35",
    ]


def test_the_hash_of_a_set_depends_on_its_packages_alone() -> None:
    newer = replace(LOCK, packages=(KMOD, replace(UDEV, sha256="dd" * 32)))

    assert newer.digest("tools") == LOCK.digest("tools")
    assert newer.digest("image") != LOCK.digest("image")


def test_the_lock_in_the_tree_has_all_that_the_definition_asks_for() -> None:
    held = lock.read()

    lock.require_complete(held, resolve.wanted())
    assert all(held.of(name) for name in lock.SETS)


def test_packages_are_read_from_what_apt_prints() -> None:
    said = (
        "Reading package lists...\n"
        "'http://a.example/debian/pool/main/a/adduser/adduser_3.152_all.deb' adduser_3.152_all.deb"
        f" 190932 SHA256:{'ee' * 32}\n"
        "'http://s.example/sec/pool/updates/main/s/shadow/passwd_4.17%2bdeb13u1_amd64.deb'"
        f" passwd_1%3a4.17+deb13u1_amd64.deb 5 SHA256:{'ff' * 32}\n"
    )

    found = resolve.parse_uris(said, ("http://a.example/debian", "http://s.example/sec"), "image")

    assert [(one.name, one.version, one.file) for one in found] == [
        ("adduser", "3.152", "pool/main/a/adduser/adduser_3.152_all.deb"),
        (
            "passwd",
            "1:4.17+deb13u1",
            "pool/updates/main/s/shadow/passwd_4.17+deb13u1_amd64.deb",
        ),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "'http://a.example/debian/pool/x_1_all.deb' x_1_all.deb 3",
        f"'http://other.example/pool/x_1_all.deb' x_1_all.deb 3 SHA256:{'ee' * 32}",
        f"'http://a.example/debian/pool/x_1_all.deb' x.deb 3 SHA256:{'ee' * 32}",
        "'http://a.example/debian/pool/x_1_all.deb' x_1_all.deb 3 MD5Sum:00",
    ],
)
def test_a_package_without_hash_or_archive_is_refused(line: str) -> None:
    with pytest.raises(LockError):
        resolve.parse_uris(line, ("http://a.example/debian",), "image")


def test_the_definition_is_asked_for_its_packages(tmp_path: Path) -> None:
    file = tmp_path / "mkosi.conf"
    file.write_text("[Content]\nPackages=\n        kmod\n        # why\n        udev\n")

    assert resolve.read_packages(file) == ("kmod", "udev")
