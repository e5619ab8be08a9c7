"""``coffer updates …``: which version runs, and how another gets onto the appliance."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.text import Text

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client
from appliance.cli.machine import OUTSIDE
from appliance.cli.terminal import clean, facts, minute, table, terminal_of
from services.errors import ConfigError

updates = typer.Typer(
    no_args_is_help=True, help="The appliance's versions: show, install, go back."
)

_PIECE_BYTES: Final = 1 << 20
_PHRASES: Final = {
    "fetching": "fetching the bundle",
    "checking": "verifying the bundle",
    "writing": "writing to the other slot",
    "ready": "ready: it starts at the next restart",
    "trying": "runs, and has not passed its health check yet",
    "good": "runs and is well",
    "fell_back": "did not start well; the version before runs again",
    "failed": "failed",
    "cancelled": "was cancelled",
}
Restart = Annotated[
    bool, typer.Option("--restart", help="Restart the machine at once if all went well.")
]


class NoSuchBundle(ConfigError):
    """The bundle's file cannot be read."""


@updates.command("show")
def show_slots(ctx: typer.Context) -> None:
    """Show both slots, what became of the last update, and where updates come from."""
    terminal_of(ctx).show(lambda client: client.show_slots(), view)


@updates.command("check")
def check_update(ctx: typer.Context) -> None:
    """Ask the vendor's server for a newer version."""
    terminal_of(ctx).show(lambda client: client.check_update(), _found)


@updates.command("install")
def install(
    ctx: typer.Context,
    bundle: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A bundle; without one, the newest of the server."),
    ] = None,
    stick: Annotated[
        bool, typer.Option("--stick", help="Take the bundle on a USB stick in the machine.")
    ] = False,
    restart: Restart = False,
) -> None:
    """Verify a bundle and write it to the slot that does not run."""
    terminal = terminal_of(ctx)
    if stick and bundle is not None:
        raise NoSuchBundle("--stick and FILE are two bundles", remedy="name one of them")
    with terminal.connect() as client:
        if bundle is not None:
            _send(client, bundle, terminal.talk)
        fetch = bundle is None and not stick
        _follow(client.install_update(fetch=fetch, from_stick=stick), terminal.talk)
        found = client.show_slots()
        if restart and found.update.state == "ready":
            client.restart()
        terminal.answer(found, view(found))


@updates.command("cancel")
def cancel_update(ctx: typer.Context) -> None:
    """Stop an installation, or have an update that waits for a restart not start."""
    terminal_of(ctx).show(lambda client: client.cancel_update(), view)


@updates.command("rollback")
def start_other_slot(ctx: typer.Context, restart: Restart = False) -> None:
    """Have the version in the other slot start at the next restart."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        found = client.start_other_slot()
        if restart:
            client.restart()
        terminal.answer(found, view(found))


@updates.command("source")
def set_source(
    ctx: typer.Context,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="https://host/folder; empty for nowhere.")
    ],
    authority: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="PEM of who vouches for the server, if no public authority does."
        ),
    ] = None,
) -> None:
    """Say from where updates are fetched."""
    pem = "" if authority is None else _read(authority)
    terminal_of(ctx).show(lambda client: client.set_source(url, pem), view)


def view(found: pb.SlotsView) -> RenderableType:
    """Show the slots, then what became of the last update."""
    if not found.version:
        return Text(OUTSIDE, style="dim")
    slots = table("version", "slot", "state")
    for slot in found.slots:
        slots.add_row(slot.version, "running" if slot.is_running else "other", _slot(slot))
    told = [("updates from", found.source or "nowhere: files alone")]
    if found.incoming_size_bytes:
        of = f"{decimal(found.incoming_bytes)} of {decimal(found.incoming_size_bytes)}"
        told.append(("a bundle", f"{of} are here"))
    if found.HasField("update"):
        last = found.update
        named = last.version or "not known"
        told.append(("last update", f"{named}, {minute(last.began_milliseconds)}"))
        told.append(("", _PHRASES.get(last.state, last.state)))
        if last.reason:
            told += [("because", last.reason), ("what to do", last.remedy)]
    return Group(slots, Text(), facts(told))


def _slot(slot: pb.SlotView) -> Text:
    if not slot.has_kernel:
        return Text("cannot be started", style="dim")
    if not slot.HasField("tries_left"):
        return Text("good", style="green")
    if slot.tries_left:
        return Text(f"on trial, {slot.tries_left} tries left", style="yellow")
    return Text("did not start well", style="red")


def _found(found: pb.CheckUpdateReply) -> RenderableType:
    if not found.version:
        return "what runs is the newest"
    made = minute(found.created_milliseconds)
    return f"{found.version} of {made}, {decimal(found.size_bytes)}"


def _send(client: Client, bundle: Path, talk: Console) -> None:
    digest = hashlib.sha256()
    try:
        size = bundle.stat().st_size
        with bundle.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
    except OSError as error:
        raise NoSuchBundle(
            f"{bundle} cannot be read ({error.strerror})", remedy="name a file that ends in .bundle"
        ) from None
    tenths = [-1]

    def tell(count: int) -> None:
        if count * 10 // size != tenths[0]:
            tenths[0] = count * 10 // size
            talk.print(f"sending: {decimal(count)} of {decimal(size)}")

    client.upload_bundle(bundle, digest.hexdigest(), tell)


def _follow(progress: Iterable[pb.UpdateProgress], talk: Console) -> None:
    """Say each stage, and each tenth of its way."""
    said = ""
    for one in progress:
        tenth = one.done_bytes * 10 // one.total_bytes if one.total_bytes else 0
        if (gist := f"{one.stage} {tenth}") == said:
            continue
        said = gist
        figures = f", {decimal(one.done_bytes)} of {decimal(one.total_bytes)}"
        line = _PHRASES.get(one.stage, one.stage) + (figures if one.total_bytes else "")
        talk.print(clean(f"{one.version} {line}".strip()), soft_wrap=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeError):
        raise NoSuchBundle(f"{path} is no PEM file", remedy="name a certificate in PEM") from None
