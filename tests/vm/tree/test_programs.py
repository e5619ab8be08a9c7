"""What of the built image can be run: little, nothing with another's rights, and no shell."""

from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest

MOST_PROGRAMS: Final = 300
MOST_USR_MIB: Final = 200
MOST_ADDED_MIB: Final = {"development": 0, "fpga": 10, "nvidia": 70, "qat": 10}
_SUPERBLOCK: Final = 1024
_BLOCKS_AT: Final = 36
_BLOCK_BYTES: Final = 4096
# The kernel runs it for each program; called by a person it runs programs from /usr alone.
LOADER: Final = "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"


@pytest.fixture(scope="module")
def programs(root: Path) -> list[Path]:
    """All regular files that can be run."""
    files = (path for path in (root / "usr").rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in files if path.stat().st_mode & 0o111)


def test_there_are_few_programs_and_each_is_listed(
    root: Path, programs: list[Path], listed: frozenset[str]
) -> None:
    found = {str(path.relative_to(root / "usr")) for path in programs} - {LOADER}

    assert {one for one in found if not any(fnmatch(one, name) for name in listed)} == set()
    assert len(programs) <= MOST_PROGRAMS


def test_no_program_has_another_users_rights(root: Path) -> None:
    everything = [path for path in (root / "usr").rglob("*") if not path.is_symlink()]

    assert [path for path in everything if path.is_file() and path.stat().st_mode & 0o6000] == []


def test_no_program_is_a_script_of_another_interpreter_than_python(programs: list[Path]) -> None:
    scripts = {path: path.read_bytes()[:64].splitlines()[0] for path in programs if is_script(path)}

    assert {
        line for line in scripts.values() if not line.startswith(b"#!/usr/bin/python3")
    } == set()


def is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"


@pytest.mark.parametrize("name", ["sh", "bash", "dash", "perl", "awk", "login", "su", "agetty"])
def test_no_folder_of_programs_has_a_shell_or_a_way_to_one(root: Path, name: str) -> None:
    assert not (root / "usr/bin" / name).exists()
    assert not (root / "usr/sbin" / name).exists()


def test_usr_is_small(usr_partition: Path, profiles: tuple[str, ...]) -> None:
    with usr_partition.open("rb") as file:
        file.seek(_SUPERBLOCK + _BLOCKS_AT)
        blocks = int.from_bytes(file.read(4), "little")

    most_mib = MOST_USR_MIB + sum(MOST_ADDED_MIB[name] for name in profiles)
    assert blocks * _BLOCK_BYTES / (1 << 20) <= most_mib


def test_nobody_has_a_shell(root: Path) -> None:
    lines = (root / "etc/passwd").read_text().splitlines()
    shells = {line.rsplit(":", 1)[1] for line in lines}

    assert shells <= {"/usr/sbin/nologin", "/usr/bin/false", "/bin/false"}
    assert not (root / "usr/sbin/nologin").exists()
