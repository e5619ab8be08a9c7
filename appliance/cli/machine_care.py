"""``coffer machine …``: its disks and their keys, its log, its end."""

import sys
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.text import Text

from appliance.api import agent_pb2 as pb
from appliance.cli.machine_settings import Yes
from appliance.cli.terminal import clean, facts, listed, moment, table, terminal_of

care = typer.Typer()

_UNITS_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WORST = 3
"""Of syslog's priorities, the least that is an error."""


@care.command("hardware")
def show_hardware(ctx: typer.Context) -> None:
    """Show the machine's maker, model and serial number."""
    terminal_of(ctx).show(
        lambda client: client.show_hardware(),
        lambda found: facts(
            (
                ("maker", found.maker),
                ("model", found.model),
                ("serial number", found.serial_number),
            )
        ),
    )


@care.command("disks")
def list_disks(ctx: typer.Context) -> None:
    """List the disks, and what is free on them."""
    terminal_of(ctx).show(lambda client: client.list_disks(), _disks)


@care.command("disk-keys")
def show_disk_keys(ctx: typer.Context) -> None:
    """Show what kinds of keys open the encrypted part of the disk."""
    terminal_of(ctx).show(lambda client: client.show_disk_keys(), _keys)


@care.command("add-recovery-key")
def add_recovery_key(ctx: typer.Context, yes: Yes = False) -> None:
    """Make a key that opens the disk where the TPM does not; older ones end."""
    terminal = terminal_of(ctx)
    if not yes and not terminal.ask("Make a recovery key? Any older one ends."):
        return
    with terminal.connect() as client:
        made = client.add_recovery_key()
    terminal.answer(made, made.recovery_key)
    terminal.say("Write it down and keep it away from the machine: it is not shown again.")


@care.command("bind-disk")
def bind_disk(
    ctx: typer.Context,
    by_recovery_key: Annotated[
        bool,
        typer.Option("--by-recovery-key", help="Ask for the recovery key, as the TPM fails."),
    ] = False,
) -> None:
    """Bind the disk to this TPM and to how the machine was started now."""
    key = ""
    if by_recovery_key:
        asks = sys.stdin.isatty()
        key = (
            typer.prompt("Recovery key", err=True, hide_input=True)
            if asks
            else sys.stdin.readline()
        ).strip()
        if not key:
            raise typer.BadParameter("no recovery key was entered")
    terminal_of(ctx).show(lambda client: client.bind_disk(recovery_key=key), _keys)


@care.command("factory-reset")
def factory_reset(
    ctx: typer.Context,
    serial_number: Annotated[
        str, typer.Option(metavar="NUMBER", help="Of this machine; asked for if it is not given.")
    ] = "",
) -> None:
    """Make all that the machine keeps unreadable, for good, and start it as on its first day.

    Its identity, peers, tables, jobs, results and settings end. Nothing brings them back.
    """
    terminal = terminal_of(ctx)
    typed = serial_number
    if not typed:
        terminal.say("All that this machine keeps ends, for good.")
        typed = typer.prompt("Serial number of the machine", err=True)
    with terminal.connect() as client:
        done = client.factory_reset(typed.strip())
    terminal.answer(done, "The keys are gone and the machine restarts, as on its first day.")
    if not done.tpm_cleared:
        terminal.say(
            Text(
                "The TPM kept its secret: this machine could still open a copy of its disk that"
                " was made before. Clear the TPM in the firmware's set-up.",
                style="yellow",
            )
        )


@care.command("logs")
def read_log(
    ctx: typer.Context,
    unit: Annotated[
        str, typer.Option(metavar="UNIT", help="Of this unit alone, as coffer.service.")
    ] = "",
    since: Annotated[
        str, typer.Option(metavar="AGE", help="Not older, as 90s, 30m, 12h or 7d.")
    ] = "",
    lines: Annotated[int, typer.Option(min=1, max=5000, help="The most.")] = 100,
) -> None:
    """Show the newest entries of the machine's journal."""
    seconds = _seconds(since) if since else 0
    terminal_of(ctx).show(
        lambda client: client.read_log(unit=unit, since_seconds=seconds, lines=lines), _log
    )


@care.command("support-bundle")
def write_support_bundle(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, as fault.tar.gz.")],
) -> None:
    """Write what a vendor needs to find a fault: without keys, names or data, see its manifest."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client, terminal.patience("The machine collects…"):
        chunks = client.write_support_bundle()
        first = next(chunks, b"")
        with file.open("xb") as written:
            file.chmod(0o600)
            for chunk in chain((first,), chunks):
                written.write(chunk)
    size_bytes = file.stat().st_size
    terminal.answer_plain(
        {"file": str(file), "size_bytes": size_bytes}, f"{file}: {decimal(size_bytes)}"
    )
    terminal.say("It is not encrypted. Look at what is in it before you send it: tar -tzf FILE")


def _seconds(age: str) -> int:
    number, unit = age[:-1], age[-1:]
    if not (number.isascii() and number.isdecimal() and unit in _UNITS_SECONDS):
        raise typer.BadParameter(f"{age} is no age: write it as 90s, 30m, 12h or 7d")
    return int(number) * _UNITS_SECONDS[unit]


def _disks(found: pb.ListDisksReply) -> RenderableType:
    disks = table("disk", "model", "#size", "kind")
    for disk in found.disks:
        kind = ["spinning"] * disk.rotates + ["removable"] * disk.is_removable
        disks.add_row(disk.name, clean(disk.model), decimal(disk.size_bytes), listed(kind))
    places = table("mounted at", "as", "#free", "#size", "")
    for one in found.filesystems:
        only = "read only" if one.is_read_only else ""
        free, size = decimal(one.free_bytes), decimal(one.size_bytes)
        places.add_row(clean(one.place), one.kind, free, size, only)
    return Group(disks, Text(), places)


def _keys(found: pb.DiskKeys) -> RenderableType:
    has_recovery = "recovery" in found.kinds
    missing = "" if has_recovery else 'none: make one with "coffer machine add-recovery-key"'
    return facts((("keys", listed(found.kinds)), ("recovery key", missing)))


def _log(found: pb.Log) -> RenderableType:
    shown = Text("older entries are left out\n", style="dim") if found.is_cut else Text()
    for entry in found.entries:
        line = clean(f"{moment(entry.milliseconds)} {entry.source}: {entry.text}\n")
        line.stylize("red" if entry.priority <= _WORST else "")
        shown.append(line)
    shown.rstrip()
    return shown
