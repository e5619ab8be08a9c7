"""The loop on a terminal: keys and news in, screens and questions to others out.

The terminal is in raw mode: no key of it is a signal, a line discipline's word or an echo. All
that is typed goes to the dialogue, and all that is shown comes from the screen.
"""

import contextlib
import os
import queue
import select
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from appliance.console.dialogue import (
    Asked,
    Dialogue,
    Done,
    Event,
    Failed,
    Progressed,
    Status,
    Tick,
)
from appliance.console.forms import Ask
from appliance.console.keys import Key, KeyReader
from appliance.console.menu import menu_of
from appliance.console.screen import CLEAR, Screen, render
from appliance.console.status import Identity, Seen

LOOK_SECONDS: Final = 5.0
IDENTITY_SECONDS: Final = 600.0
"""The agent's own facts are asked for when it starts, and then so seldom: asking is dear."""
RETRY_SECONDS: Final = 30.0
_KEY_PAUSE_SECONDS: Final = 0.1
_MOST_READ_BYTES: Final = 1024
_IGNORED: Final = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
)


@dataclass(frozen=True, slots=True)
class News:
    """What was found out, and which network cards there are."""

    seen: Seen
    cards: tuple[str, ...]


Tidings: TypeAlias = Event | News
# Does an errand; a double stands for it in tests.
Send = Callable[[Ask, Callable[[str, Any], None]], None]


class Mailbox:
    """Tidings from threads, with a file descriptor that can be read while there are any."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Tidings] = queue.SimpleQueue()
        self.wake, self._waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def put(self, tidings: Tidings) -> None:
        """Leave something; any thread may."""
        self._queue.put(tidings)
        with contextlib.suppress(BlockingIOError):  # it is awake
            os.write(self._waking, b"\0")

    def take(self) -> list[Tidings]:
        """Return all that is there."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake, _MOST_READ_BYTES)
        found = []
        while not self._queue.empty():
            found.append(self._queue.get())
        return found


@dataclass(slots=True)
class Console:
    """One terminal's dialogue, and what is on its screen. send: does the errands."""

    send: Send
    mailbox: Mailbox = field(default_factory=Mailbox)
    dialogue: Dialogue = field(default_factory=lambda: Dialogue(menu=menu_of(())))
    reader: KeyReader = field(default_factory=KeyReader)
    seen: Seen | None = None
    shown: Screen | None = None

    def run(self, terminal: int) -> None:
        """Serve until the terminal hangs up. Raises: OSError if it does with an error."""
        os.write(terminal, CLEAR)
        while True:
            self._show(terminal)
            wait = _KEY_PAUSE_SECONDS if self.reader.is_inside else LOOK_SECONDS
            ready, _, _ = select.select([terminal, self.mailbox.wake], [], [], wait)
            if terminal in ready:
                data = os.read(terminal, _MOST_READ_BYTES)
                if not data:
                    return
                self._type(data)
            elif self.reader.is_inside:
                for stroke in self.reader.pause():
                    self._happen(stroke)
            for tidings in self.mailbox.take():
                self._hear(tidings)
            self._happen(Tick())

    def _show(self, terminal: int) -> None:
        """Draw what has changed; the status anew as a whole, over what the kernel may have said."""
        screen = render(self.dialogue, self.seen)
        if screen != self.shown:
            before = None if isinstance(self.dialogue.page, Status) else self.shown
            _write(terminal, screen.draw(before))
            self.shown = screen

    def _type(self, data: bytes) -> None:
        for stroke in self.reader.read(data):
            if stroke is Key.REDRAW or isinstance(self.dialogue.page, Status):
                self.shown = None
            self._happen(stroke)

    def _hear(self, tidings: Tidings) -> None:
        if isinstance(tidings, News):
            self.seen = tidings.seen
            self.dialogue = replace(self.dialogue, menu=menu_of(tidings.cards))
        else:
            self._happen(tidings)

    def _happen(self, event: Event) -> None:
        self.dialogue, asked = self.dialogue.after(event, time.monotonic())
        if asked is not None:
            threading.Thread(target=self._ask, args=(asked,), daemon=True).start()

    def _ask(self, asked: Asked) -> None:
        def tell(kind: str, facts: Any) -> None:
            self.mailbox.put(_event(asked.number, kind, facts))

        self.send(asked.ask, tell)


def _event(number: int, kind: str, facts: Any) -> Event:
    match kind:
        case "progress":
            return Progressed(number=number, text=str(facts.get("step", "")))
        case "done":
            return Done(number=number, values=facts)
        case _:
            what, remedy = str(facts.get("what", "")), str(facts.get("remedy", ""))
            return Failed(number=number, what=what, remedy=remedy)


class Looker:
    """Looks at the machine again and again, and leaves the news. send: asks the agent."""

    def __init__(self, mailbox: Mailbox, send: Send) -> None:
        self._mailbox = mailbox
        self._send = send
        self._identity = Identity()
        self._ask_at = 0.0
        self._asker = threading.Thread()

    def run(self) -> None:
        """Look for ever."""
        from appliance.console.looking import interfaces, look  # loads much; a screen comes first

        was_active = False
        while True:
            seen = look(self._identity)
            self._mailbox.put(News(seen, interfaces()))
            is_active = dict(seen.health.units).get("coffer") == "active"
            is_due = not was_active or time.monotonic() > self._ask_at
            if is_active and is_due and not self._asker.is_alive():
                self._asker = threading.Thread(target=self._ask, daemon=True)
                self._asker.start()
            was_active = is_active
            time.sleep(LOOK_SECONDS)

    def _ask(self) -> None:
        self._send(Ask(kind="identity"), self._hear)

    def _hear(self, kind: str, facts: Any) -> None:
        self._identity = Identity.of(facts) if kind == "done" else Identity()
        wait = IDENTITY_SECONDS if kind == "done" else RETRY_SECONDS
        self._ask_at = time.monotonic() + wait


def _write(terminal: int, data: bytes) -> None:
    while data:
        data = data[os.write(terminal, data) :]


def _end(failure: threading.ExceptHookArgs) -> None:
    """End the console, since a part of it failed: systemd starts it anew."""
    sys.excepthook(failure.exc_type, failure.exc_value or failure.exc_type(), failure.exc_traceback)
    os._exit(1)


def main() -> int:
    """Serve the terminal that is standard input."""
    if not os.isatty(0):
        print("error: the console needs a terminal", file=sys.stderr)
        return 1
    threading.excepthook = _end
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    tty.setraw(0, termios.TCSAFLUSH)
    from appliance.console.errand import send

    console = Console(send=send)
    looker = Looker(console.mailbox, send)
    threading.Thread(target=looker.run, daemon=True).start()
    console.run(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
