"""The hardening report: each control met, failed with what was seen, or waived with a reason."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.machine.controls import CHECKS, WAIVERS, Verdict, report
from tests.unit.console_doubles import FINE

SYSCTL = Path(__file__).parents[2] / "image/definition/mkosi.extra/usr/lib/sysctl.d/60-coffer.conf"
MKOSI = Path(__file__).parents[2] / "image/definition/mkosi.conf"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine whose kernel does what the image's definition tells it."""
    for line in SYSCTL.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.lstrip("-").partition("=")
            path = tmp_path / "proc/sys" / name.strip().replace("*", "all").replace(".", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value.strip()}\n")
    words = MKOSI.read_text().split("KernelCommandLine=")[1].split("\n\n")[0].split()
    (tmp_path / "proc/cmdline").write_text(" ".join(words))
    return tmp_path


def test_the_image_as_it_is_defined_fails_nothing(machine: Path) -> None:
    assert [one for one in report(FINE, machine) if one.verdict is Verdict.FAILED] == []


def test_every_check_fails_where_nothing_is_as_it_should_be(tmp_path: Path) -> None:
    for name in ("usr/bin/sh", "usr/lib/systemd/system/ctrl-alt-del.target"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    bare = replace(
        FINE,
        secure_boot=False,
        lockdown="none",
        usr_root_hash="",
        var_is_encrypted=False,
        runnable=("/run",),
        confinement="unconfined",
    )

    found = report(bare, tmp_path)

    failed = [one for one in found if one.verdict is Verdict.FAILED]
    assert len(failed) == len(CHECKS)
    assert all(one.why for one in failed)
    assert found[: len(failed)] == tuple(failed)


def test_a_setting_that_differs_is_named_with_both_values(machine: Path) -> None:
    (machine / "proc/sys/kernel/kptr_restrict").write_text("0\n")

    [failed] = [one for one in report(FINE, machine) if one.verdict is Verdict.FAILED]

    assert failed.why == "kernel.kptr_restrict is 0, not 2"


def test_each_check_and_waiver_cites_a_control_and_each_waiver_says_why() -> None:
    known = re.compile(r"SRG-OS-\d{6}-GPOS-\d{5}|CIS \d+(\.\d+)+")
    for one in (*CHECKS, *WAIVERS):
        assert one.cites
        assert all(known.fullmatch(cited) for cited in one.cites)
    assert all(len(one.reason) > 20 for one in WAIVERS)
