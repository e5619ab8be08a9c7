"""What the image's definition promises, read from its files alone."""

import configparser
from pathlib import Path
from typing import Final

import pytest

from image.places import DEFINITION

UNITS: Final = DEFINITION / "mkosi.extra/usr/lib/systemd/system"
PRESET: Final = DEFINITION / "mkosi.extra/usr/lib/systemd/system-preset/00-coffer.preset"


def setting(file: Path, section: str, name: str) -> list[str]:
    """Return the words of a setting that may take several lines."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(file)
    return parser[section][name].split()


@pytest.fixture(scope="module")
def command_line() -> list[str]:
    """The kernel's command line."""
    return setting(DEFINITION / "mkosi.conf", "Content", "KernelCommandLine")


@pytest.mark.parametrize(
    "word",
    [
        "root=tmpfs",
        "lockdown=integrity",
        "module.sig_enforce=1",
        "systemd.import_credentials=no",
        "slab_nomerge",
        "init_on_alloc=1",
        "init_on_free=1",
        "oops=panic",
    ],
)
def test_the_command_line_is_hardened(command_line: list[str], word: str) -> None:
    assert word in command_line


def test_nothing_on_the_command_line_leads_to_a_shell(command_line: list[str]) -> None:
    names = {word.partition("=")[0] for word in command_line}

    assert not names & {"init", "rdinit", "rd.break", "systemd.debug_shell", "systemd.unit"}
    assert not any("mask" in name or "run" in name.split(".") for name in names)


def test_what_is_mounted_over_memory_runs_no_program(command_line: list[str]) -> None:
    options = next(word for word in command_line if word.startswith("rootflags="))

    assert {"nodev", "nosuid", "noexec"} <= set(options.removeprefix("rootflags=").split(","))


@pytest.mark.parametrize("mount", ["var.mount", "srv.mount"])
def test_what_outlives_a_restart_runs_no_program(mount: str) -> None:
    options = setting(UNITS / mount, "Mount", "Options")[0].split(",")

    assert {"nodev", "nosuid", "noexec"} <= set(options)


def test_no_package_brings_a_way_in() -> None:
    packages = set(setting(DEFINITION / "mkosi.conf", "Content", "Packages"))

    assert not packages & {"openssh-server", "login", "sudo", "apt", "dropbear", "bash-completion"}


def test_ways_to_a_shell_are_removed() -> None:
    removed = set(setting(DEFINITION / "mkosi.conf", "Content", "RemoveFiles"))

    assert {
        "/usr/lib/systemd/system-generators/systemd-getty-generator",
        "/usr/lib/systemd/system-generators/systemd-debug-generator",
        "/usr/lib/systemd/system-generators/systemd-run-generator",
        "/usr/lib/systemd/system/debug-shell.service",
        "/usr/sbin/sulogin",
        "/usr/sbin/agetty",
    } <= removed


def test_only_what_the_preset_names_starts() -> None:
    lines = [line for line in PRESET.read_text().splitlines() if not line.startswith("#")]

    assert lines[-1] == "disable *"
    assert {line.split()[0] for line in lines[:-1]} == {"enable"}


def test_emergencies_give_no_shell() -> None:
    initrd = DEFINITION / "mkosi.images/initrd/mkosi.extra/usr/lib/systemd/system"
    for folder in (UNITS, initrd):
        for unit in ("emergency.service", "rescue.service"):
            starts = [
                line.partition("=")[2]
                for line in (folder / unit).read_text().splitlines()
                if line.startswith("Exec")
            ]
            assert starts
            assert all(start.startswith("/usr/bin/") for start in starts)
            assert not any("sh" in Path(start.split()[0]).name for start in starts)


def size(file: Path, name: str) -> int:
    value = setting(file, "Partition", name)[0]
    return int(value[:-1]) * {"M": 1, "G": 1024}[value[-1]]


def test_both_copies_of_usr_have_the_same_room() -> None:
    on_disk = DEFINITION / "mkosi.extra/usr/lib/repart.d"
    for first, second in (("11-usr-verity", "21-usr-verity"), ("12-usr", "22-usr")):
        made = size(DEFINITION / f"mkosi.repart/{first}.conf", "SizeMaxBytes")
        assert size(on_disk / f"{first}.conf", "SizeMaxBytes") == made
        assert size(on_disk / f"{second}.conf", "SizeMaxBytes") == made


def test_the_firmware_can_read_the_boot_partition() -> None:
    assert size(DEFINITION / "mkosi.repart/00-esp.conf", "SizeMinBytes") >= 512


def test_times_are_settled_last_and_in_the_initrd_too() -> None:
    script = DEFINITION / "mkosi.finalize.d/90-times"
    of_initrd = DEFINITION / "mkosi.images/initrd/mkosi.finalize.d/90-times"

    assert script.stat().st_mode & 0o111
    assert of_initrd.resolve() == script
