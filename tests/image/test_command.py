from pathlib import Path

import pytest

from image import command
from image.errors import CommandFailed


def test_a_failure_tells_what_was_said_last_and_what_to_do() -> None:
    with pytest.raises(CommandFailed, match="status 3:\n  no disk") as failed:
        command.run(["sh", "-c", "echo no disk >&2; exit 3"], remedy="get one")

    assert failed.value.remedy == "get one"


def test_what_takes_long_says_where_its_log_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("earlier\n")

    with pytest.raises(CommandFailed, match="now") as failed:
        command.run_logged(["sh", "-c", "echo now; exit 1"], remedy="look", log=log)

    assert "earlier" not in failed.value.cause
    assert failed.value.remedy == f"look; all of what it said is in {log}"
    assert log.read_text().startswith("earlier\n$ sh -c")


def test_nothing_can_be_typed_into_a_program() -> None:
    assert command.run(["cat"], remedy="none") == ""
