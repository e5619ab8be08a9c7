"""The console takes anything: arbitrary bytes neither break it, nor do anything unconfirmed."""

import re
from collections.abc import Iterator
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.console.dialogue import Asked, Dialogue, Done, Event, Failed, Progressed, Tick
from appliance.console.keys import Key, KeyReader, Stroke
from appliance.console.screen import CLEAR, COLUMNS, ROWS, Screen, render
from tests.unit.console_doubles import RECOVERY_KEY, opened, seen

EXAMPLES: Final = 3_000  # of four byte strings each, on average
# All that the console may say to a terminal: our sequences, line ends and printable ASCII.
SAID: Final = re.compile(
    rb"(?:[ -~]|\r\n|\x1b\[(?:H|K|0m|7m|2J|\?25[lh]|[1-9][0-9]?;[1-9][0-9]?H))*"
)
SENTENCES: Final = {
    "set-address": "set",
    "set-up-code": "show",
    "restart": "restart",
    "factory-reset": "erase everything",
    "add-recovery-key": "make",
    "bind-disk": "bind",
    "start-other-slot": "other",
}
# Pieces that go deep into the menu, between any bytes.
PIECES: Final = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"%c" % digit for digit in b"12345"]),
    st.sampled_from([f"{sentence}\r".encode() for sentence in SENTENCES.values()]),
    st.sampled_from(
        [
            b"\r",
            b"\x1b",
            b"\x1b[A",
            b"\x1b]0;x\x07",
            b"\x1b[200~",
            b"\x03",
            b"\x1a",
            b"\x1c",
            b"\x04",
        ]
    ),
    st.sampled_from([b"3restart\r", b"2show\r", b"4SN-1\rerase everything\r", b"51make\r"]),
    st.sampled_from([b"eth0\r", b"192.0.2.7/24\r", b"SN-1\r", RECOVERY_KEY.encode() + b"\r"]),
)
HEARD: Final = st.sampled_from(["progress", "done", "error", "pause", "time", "nothing"])
STEPS: Final = st.lists(st.tuples(PIECES, HEARD), max_size=6)


class Typist:
    """A dialogue that is typed to, with all that it asked, drew and took as whole lines."""

    def __init__(self) -> None:
        self.dialogue: Dialogue = opened()
        self.reader = KeyReader()
        self.now = 0.0
        self.lines: list[str] = []
        self.asked: list[tuple[Asked, list[str]]] = []
        self.shown: Screen | None = None
        self._line = ""

    def type(self, data: bytes) -> None:
        for stroke in self.reader.read(data):
            self._stroke(stroke)

    def hear(self, kind: str, number: int) -> None:
        hostile = "\x1b[2J\x9b\u202e" + "x" * 500
        events: dict[str, Event] = {
            "progress": Progressed(number=number, text=hostile),
            "done": Done(number=number, values={"words": hostile, "recovery_key": hostile}),
            "error": Failed(number=number, what=hostile, remedy=hostile),
        }
        if kind == "pause":
            for stroke in self.reader.pause():
                self._stroke(stroke)
        elif kind == "time":
            self.now += 200.0
            self._happen(Tick())
        elif kind in events:
            self._happen(events[kind])

    def draw(self) -> Iterator[bytes]:
        screen = render(self.dialogue, seen())
        yield screen.draw()
        yield screen.draw(self.shown)
        self.shown = screen

    def _stroke(self, stroke: Stroke) -> None:
        if stroke is Key.ENTER:
            self.lines.append(self._line)
        self._line = self._after(stroke)
        self._happen(stroke)

    def _after(self, stroke: Stroke) -> str:
        match stroke:
            case Key.BACKSPACE:
                return self._line[:-1]
            case Key.REDRAW:
                return self._line
            case str():
                return self._line + stroke
            case _:
                return ""

    def _happen(self, event: Event) -> None:
        self.dialogue, asked = self.dialogue.after(event, self.now)
        if asked is not None:
            self.asked.append((asked, list(self.lines)))


def check_drawn(typist: Typist) -> None:
    """See that what is drawn holds nothing but what is ours, and fits."""
    for drawn in typist.draw():
        assert SAID.fullmatch(drawn), drawn
    assert typist.shown is not None
    assert len(typist.shown.lines) == ROWS
    assert max(map(len, typist.shown.lines)) <= COLUMNS


@settings(max_examples=EXAMPLES, deadline=None)
@given(STEPS)
def test_any_bytes_leave_the_screen_ours_and_do_nothing_unconfirmed(
    steps: list[tuple[bytes, str]],
) -> None:
    typist = Typist()
    for data, kind in steps:
        typist.type(data)
        typist.hear(kind, typist.dialogue.last_number)
        check_drawn(typist)

    for number, (asked, lines) in enumerate(typist.asked, 1):
        assert asked.number == number
        assert lines[-1].strip().endswith(SENTENCES[asked.ask.kind])
        if asked.ask.kind == "factory-reset":
            assert str(asked.ask.body["serial_number"]) in "\n".join(lines)


def test_what_clears_the_screen_is_ours_too() -> None:
    assert SAID.fullmatch(CLEAR)
