"""The log's lines are what they seem, whatever peers put into names and errors."""

import logging
import sys

import pytest

from appliance.agent.journal import OneLine


def record(message: str, *, error: Exception | None = None) -> logging.LogRecord:
    info = None
    if error is not None:
        try:
            raise error
        except Exception:
            info = sys.exc_info()
    return logging.LogRecord("agent", logging.INFO, "x.py", 1, "%s came", (message,), info)


@pytest.mark.parametrize(
    "said", ["a\nb", "a\rb", "a\x1b[2Jb", "a\x00b", "a\u202eb", "a\u2028b", "a\x85b", "a\ud800b"]
)
def test_no_text_makes_a_line_of_its_own_or_steers_the_terminal(said: str) -> None:
    line = OneLine("%(levelname)s %(message)s").format(record(said))

    assert line.isprintable()
    assert line == f"INFO a\\u{{{ord(said[1]):x}}}{said[2:]} came"


def test_what_can_be_seen_is_left_as_it_is() -> None:
    assert OneLine("%(message)s").format(record("hôpital 東京")) == "hôpital 東京 came"


def test_the_lines_of_a_traceback_cannot_be_mistaken_for_others() -> None:
    forged = ValueError("bad\n2026-01-01 INFO agent: all is well\x1b[1A")

    first, *others = OneLine("%(message)s").format(record("it", error=forged)).split("\n")

    assert first == "it came"
    assert len(others) > 2
    assert all(line.startswith("  | ") and line.isprintable() for line in others)
