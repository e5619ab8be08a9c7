"""How the helper runs the operating system's programs: what goes wrong is said in a sentence."""

from pathlib import Path

import pytest

from appliance.machine.errors import ProgramFailed
from appliance.machine.tools import run_program


def test_what_a_program_says_is_returned() -> None:
    assert run_program("echo", "192.0.2.7") == "192.0.2.7\n"


def test_a_program_that_is_not_there_or_fails_is_named() -> None:
    with pytest.raises(ProgramFailed, match="nowhere-to-be-found is not there"):
        run_program("nowhere-to-be-found")
    with pytest.raises(ProgramFailed, match=r"cat failed: .*No such file"):
        run_program("cat", "/nowhere")
    with pytest.raises(ProgramFailed, match="sleep took over 0 s"):
        run_program("sleep", "10", seconds=0.2)


def test_a_program_that_the_kernel_cannot_start_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(100))
    damaged.chmod(0o700)

    with pytest.raises(ProgramFailed, match="damaged cannot be run: Exec format error") as caught:
        run_program(str(damaged))
    assert "coffer machine show" in caught.value.remedy


def test_a_program_that_cannot_be_read_to_its_end_points_at_the_disk() -> None:
    # The kernel's word for a page that cannot be read, when the program is already running.
    with pytest.raises(ProgramFailed, match="python3 could not be read to its end") as caught:
        run_program("python3", "-c", "import os, signal; os.kill(os.getpid(), signal.SIGBUS)")
    assert "coffer machine show" in caught.value.remedy
