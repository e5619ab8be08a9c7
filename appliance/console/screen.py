"""Pages as a terminal's screen: 24 lines of 79 printable ASCII characters, and how they are drawn.

Nothing that is shown can steer the terminal: all of it passes :func:`plain`, and the only control
sequences are the handful below, which a serial terminal and the kernel's own screen both know.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.console.dialogue import (
    Choosing,
    Dialogue,
    Filling,
    Menu,
    Status,
    Telling,
    Waiting,
)
from appliance.console.status import Seen, status_lines, title

ROWS: Final = 24
COLUMNS: Final = 79
"""One less than there are: in the last one terminals differ."""
CLEAR: Final = b"\x1b[0m\x1b[2J\x1b[H"
_HOME: Final = "\x1b[H"
_CLEAR_LINE: Final = "\x1b[K"
_REVERSE, _PLAIN = "\x1b[7m", "\x1b[0m"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_UNPRINTABLE: Final = re.compile(r"[^ -~]")
_BACK: Final = "Esc: back"
_STARTING: Final = "Coffer is starting"


@dataclass(frozen=True, slots=True)
class Screen:
    """What is to be seen. cursor: row and column of the place where typing goes, from 1."""

    lines: tuple[str, ...]
    cursor: tuple[int, int] | None = None

    def draw(self, before: "Screen | None" = None) -> bytes:
        """Return the bytes that put it on a terminal: all of it, or what differs from before."""
        parts = [_HIDE]
        for row in range(ROWS):
            line = _line(self.lines, row)
            if before is None:
                parts += ["\r\n" if row else _HOME, _CLEAR_LINE, line]
            elif line != _line(before.lines, row):
                parts += [_place(row + 1, 1), _CLEAR_LINE, line]
        if self.cursor is not None:
            parts += [_place(*self.cursor), _SHOW]
        return "".join(parts).encode("ascii")


def _line(lines: tuple[str, ...], row: int) -> str:
    """Return a line as it is drawn: the first in reverse, as wide as the screen."""
    line = lines[row] if row < len(lines) else ""
    return f"{_REVERSE}{line:<{COLUMNS}}{_PLAIN}" if row == 0 else line


def _place(row: int, column: int) -> str:
    return f"\x1b[{row};{column}H"


def plain(text: str) -> str:
    """Return a text with a question mark for all that is not printable ASCII."""
    return _UNPRINTABLE.sub("?", text)


def render(dialogue: Dialogue, seen: Seen | None) -> Screen:
    """Return the screen of a dialogue; ``seen`` is None until anything was found out."""
    head = title(seen) if seen else _STARTING
    body, typed = _body(dialogue, seen)
    foot = _foot(dialogue)
    lines = [line for text in body for line in _wrapped(text)]
    room = ROWS - 1 - len(foot)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"... and {len(lines) - room + 1} lines more"]
    shown = [head, "", *lines] if len(lines) < room else [head, *lines]
    cursor = None
    if typed is not None:
        cursor = (len(shown), min(COLUMNS, len(shown[-1]) + 1))
    shown += [""] * (ROWS - len(foot) - len(shown)) + foot
    return Screen(tuple(plain(line)[:COLUMNS] for line in shown), cursor)


def _body(dialogue: Dialogue, seen: Seen | None) -> tuple[Sequence[str], str | None]:
    """Return a page's texts, and what is typed on its last line if anything can be."""
    match dialogue.page:
        case Status():
            return (list(status_lines(seen)) if seen else []), None
        case Choosing(submenu=submenu):
            entries = [f"  {key}  {form.title}" for key, form in submenu.entries.items()]
            return [submenu.title, "", *entries], None
        case Filling():
            return list(_form(dialogue.page)), dialogue.page.typed
        case Waiting(form=form, progress=progress):
            return [form.title, "", progress or "one moment ..."], None
        case Telling(title=named, lines=lines):
            return [named, "", *lines], None


def _form(page: Filling) -> Iterator[str]:
    """Yield a form's texts: what it does, what was answered, what is asked."""
    yield page.form.title
    yield ""
    yield from page.form.lines
    yield ""
    for question in page.form.questions:
        if question.name in page.answers:
            yield f"{question.prompt}: {page.answers[question.name]}"
    if page.refusal:
        yield f"error: {page.refusal}"
    if (asked := page.form.question(page.answers)) is not None:
        yield f"{asked.prompt}:"
    room = COLUMNS - 3
    yield f"> {page.typed[-room:]}"


def _foot(dialogue: Dialogue) -> list[str]:
    match dialogue.page:
        case Status(note=note):
            return [note or "-" * COLUMNS, _menu(dialogue.menu)]
        case Choosing():
            return ["-" * COLUMNS, _BACK]
        case Filling():
            return ["-" * COLUMNS, f"Enter: take the answer   {_BACK}"]
        case Waiting():
            return ["-" * COLUMNS, ""]
        case Telling():
            return ["-" * COLUMNS, "Enter: back"]


def _menu(menu: Menu) -> str:
    return "   ".join(f"{key} {entry.title}" for key, entry in menu.items())


def _wrapped(text: str) -> list[str]:
    """Return a text as lines that fit; those after its first stand under its second column."""
    shown = plain(text)
    if len(shown) <= COLUMNS:
        return [shown]
    return textwrap.wrap(shown, COLUMNS, subsequent_indent=" " * 13, break_on_hyphens=False)
