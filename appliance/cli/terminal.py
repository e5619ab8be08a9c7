"""How commands speak: data on stdout, as tables or as JSON; talk and questions on stderr."""

import json
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import typer
from google.protobuf.message import Message
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from appliance.api.client import Client
from appliance.api.plain import Plain, to_plain
from appliance.cli.names import nearest_names
from appliance.cli.reach import way_to

STATE_KEY: Final = "coffer.state"
AT_KEY: Final = "coffer.at"
JSON_KEY: Final = "coffer.json"
_PIPE_WIDTH: Final = 250

Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Where one command prints, and whose agent it asks.

    at: the name of the node from afar that is asked; empty for the one with the state folder.
    """

    state: Path
    at: str
    as_json: bool
    out: Console
    talk: Console

    @contextmanager
    def connect(self, *named: str) -> Iterator[Client]:
        """Give a client of the agent that is asked.

        named: the peers, or PEER/DATASET, that the command names; of a mistyped one the nearest is
            told.
        """
        token = os.environ.get("COFFER_TOKEN", "")
        way = way_to(self.state, self.at)
        with Client(way, token=token) as client, nearest_names(client, named):
            yield client

    def answer(self, message: Message, view: RenderableType) -> None:
        """Print one reply: the message as JSON, or its view for people."""
        if self.as_json:
            self._print_json(to_plain(message))
        else:
            self.out.print(clean(view) if isinstance(view, str) else view)

    def answer_file(self, message: Message, text: str) -> None:
        """Print one reply: the message as JSON, or its text as it is, to be put into a file."""
        if self.as_json:
            self._print_json(to_plain(message))
        else:
            self.out.file.write(clean(text).plain)
            self.out.file.flush()

    def answer_plain(self, value: Mapping[str, Plain], view: RenderableType) -> None:
        """Print what no agent said: as JSON, or its view for people."""
        if self.as_json:
            self._print_json(value)
        else:
            self.out.print(clean(view) if isinstance(view, str) else view)

    def answer_list(self, name: str, messages: Sequence[Message], view: RenderableType) -> None:
        """Print several messages as one JSON document under ``name``, or their view for people."""
        if self.as_json:
            self._print_json({name: [to_plain(message) for message in messages]})
        else:
            self.out.print(view)

    def show(
        self, ask: Callable[[Client], Answer], view: Callable[[Answer], RenderableType], *named: str
    ) -> None:
        """Ask the agent one thing and print its reply; ``named`` as of :meth:`connect`."""
        with self.connect(*named) as client:
            found = ask(client)
        self.answer(found, view(found))

    def show_list(
        self,
        name: str,
        ask: Callable[[Client], Sequence[Answer]],
        view: Callable[[Sequence[Answer]], RenderableType],
    ) -> None:
        """Ask the agent for several things and print them, as JSON under ``name``."""
        with self.connect() as client:
            found = ask(client)
        self.answer_list(name, found, view(found))

    def done(self, text: str) -> None:
        """Say what was done where there is nothing to show; as JSON an empty object."""
        if self.as_json:
            self._print_json({})
        else:
            self.out.print(clean(text))

    def say(self, text: str | Text) -> None:
        """Tell the person something that is not data."""
        self.talk.print(text if isinstance(text, Text) else clean(text), soft_wrap=True)

    def present(self, view: RenderableType) -> None:
        """Show the person something to decide upon, which is not data."""
        self.talk.print(view)

    def patience(self, what: str) -> AbstractContextManager[object]:
        """Show that something takes its time, while it does, if a person watches."""
        return self.talk.status(what) if self.talk.is_terminal else nullcontext()

    @contextmanager
    def upon_interrupt(self, text: str) -> Iterator[None]:
        """Say what goes on, and how it could be ended, to a person who presses Ctrl-C meanwhile."""
        try:
            yield
        except KeyboardInterrupt:
            self.say(f"\n{text}")
            raise

    def ask(self, question: str) -> bool:
        """Ask a yes-or-no question; without an answer typer.Abort is raised."""
        return typer.confirm(question, err=True)

    def _print_json(self, value: Mapping[str, Plain]) -> None:
        self.out.file.write(json.dumps(value) + "\n")
        self.out.file.flush()


def terminal_of(ctx: typer.Context) -> Terminal:
    """Return the terminal of a command, by the options --state, --at and --json."""
    out = Console(highlight=False, markup=False, emoji=False)
    talk = Console(stderr=True, highlight=False, markup=False, emoji=False)
    for console in (out, talk):
        if not console.is_terminal:
            console.width = _PIPE_WIDTH
    return Terminal(
        state=state_of(ctx),
        at=at_of(ctx),
        as_json=bool(ctx.meta.get(JSON_KEY)),
        out=out,
        talk=talk,
    )


def state_of(ctx: typer.Context) -> Path:
    """Return the state folder that --state names, or the default for this user."""
    named = ctx.meta.get(STATE_KEY)
    return Path(named).expanduser() if named else default_state()


def at_of(ctx: typer.Context) -> str:
    """Return the node from afar that --at names, or COFFER_AT where no state folder is named."""
    at: str = ctx.meta.get(AT_KEY, "")
    state = ctx.meta.get(STATE_KEY)
    if at and state:
        raise typer.BadParameter("--at names a node from afar and --state one of this machine")
    return at or ("" if state else os.environ.get("COFFER_AT", ""))


def default_state() -> Path:
    """Return /var/lib/coffer for root, and else a folder in the user's home."""
    if os.geteuid() == 0:
        return Path("/var/lib/coffer")
    return Path.home() / ".local" / "state" / "coffer"


def clean(text: str) -> Text:
    """Return a text of unknown origin so that it cannot steer the terminal or turn the line."""
    kept = (_visible(character) for character in text)
    return Text("".join(kept))


def _visible(character: str) -> str:
    if character == "\n":
        return character
    return (
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(character) in ("Cc", "Cf")
        else character
    )


def table(*columns: str) -> Table:
    """Return an empty table in our look; a column named with a leading '#' holds numbers."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(
            column.removeprefix("#"),
            justify="right" if column.startswith("#") else "left",
            overflow="fold",
        )
    return made


def facts(rows: Sequence[tuple[str, str | Text]]) -> Table:
    """Return a table of names and values, leaving out those without a value."""
    made = Table.grid(padding=(0, 2), pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        shown = clean(value) if isinstance(value, str) else value
        if shown.plain:
            made.add_row(name, shown)
    return made


def moment(milliseconds: int) -> str:
    """Return a time of the API in this machine's time zone, which it names; empty if not set."""
    return _local(milliseconds, "seconds")


def minute(milliseconds: int) -> str:
    """Return a time as in :func:`moment`, without its seconds."""
    return _local(milliseconds, "minutes")


def _local(milliseconds: int, precision: str) -> str:
    if not milliseconds:
        return ""
    local = datetime.fromtimestamp(milliseconds // 1000).astimezone()
    return local.isoformat(sep=" ", timespec=precision)


def duration(seconds: float) -> str:
    """Return a length of time as 0:07, 12:34 or 1:02:03."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def listed(names: Sequence[str]) -> str:
    """Return names in a row: a, b, c."""
    return ", ".join(names)
