"""``coffer machine …``: what this node runs on."""

from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.text import Text
from typer import Context, Typer

from appliance.api import agent_pb2 as pb
from appliance.cli.terminal import facts, listed, moment, table, terminal_of

OUTSIDE = "not available outside the appliance"

machine = Typer(no_args_is_help=True, help="The machine that this node runs on.")


@machine.command("show")
def show_machine(ctx: Context) -> None:
    """Show how the machine was started, what is amiss, and how much of it is in use."""
    terminal_of(ctx).show(lambda client: client.show_machine(), view)


@machine.command("report")
def report_machine(ctx: Context) -> None:
    """Hold the machine to controls that CIS and DISA ask of a hardened system."""
    terminal_of(ctx).show(lambda client: client.show_hardening(), hardening)


def hardening(found: pb.Hardening) -> RenderableType:
    """Show each control with its verdict, and why it failed or is waived."""
    shown = table("verdict", "control", "asked by", "why")
    for one in found.findings:
        style = {"failed": "red", "waived": "dim"}.get(one.verdict, "green")
        shown.add_row(Text(one.verdict, style=style), one.title, ", ".join(one.cites), one.why)
    return shown


def view(found: pb.MachineView) -> RenderableType:
    """Show a machine: a verdict first, then how it was started, then what is in use."""
    parts: list[RenderableType] = [facts((("verdict", verdict(found)), *_start(found)))]
    if found.pcrs:
        pcrs = table("#PCR", "SHA-256")
        for number in sorted(found.pcrs):
            pcrs.add_row(str(number), found.pcrs[number])
        parts += [Text(), pcrs]
    parts += [Text(), facts(_use(found))]
    if found.cards:
        cards = table("card", "at", "driver", "speeds up", "health")
        for card in found.cards:
            cards.add_row(
                card.title,
                card.address,
                card.driver or "none",
                listed(card.speeds_up),
                listed([f"{one.metric} {one.value:g} ({one.health})" for one in card.readings]),
            )
        parts += [Text(), cards]
    if problems := problems_of(found):
        shown = table("amiss", "what to do")
        for one in problems:
            shown.add_row(one.what, one.remedy)
        parts += [Text(), shown]
    return Group(*parts)


def problems_of(found: pb.MachineView) -> list[pb.Problem]:
    """Return all that is amiss, the machine's own problems before its cards'."""
    return [*found.problems, *(one for card in found.cards for one in card.problems)]


def verdict(found: pb.MachineView) -> Text:
    """Say in a word or two how a machine fares."""
    if not found.is_appliance:
        return Text("no appliance: nobody vouches for how this machine was started", style="dim")
    if found.problems:
        return Text("act now", style="red")
    if problems_of(found):
        return Text("degraded: a card cannot be used", style="yellow")
    return Text("fine", style="green")


def _start(found: pb.MachineView) -> tuple[tuple[str, str], ...]:
    if not found.is_appliance:
        return ("image", OUTSIDE), ("measured start", OUTSIDE), ("kernel", found.kernel)
    is_on = found.HasField("secure_boot") and found.secure_boot
    return (
        ("image", found.image_version),
        ("kernel", found.kernel + (f", tainted ({found.taint})" if found.taint else "")),
        ("Secure Boot", "on" if is_on else "off"),
        ("lockdown", found.lockdown or "none"),
        ("modules", "signed ones alone" if found.requires_signed_modules else "any"),
        ("/usr", f"verity {found.usr_root_hash}" if found.usr_root_hash else "not checked"),
        ("/var", "encrypted" if found.var_is_encrypted else "not encrypted"),
        ("recovery key", _recovery_key(found)),
    )


def _recovery_key(found: pb.MachineView) -> str:
    if not found.HasField("recovery_key_made_milliseconds"):
        return "none is known of"
    if not found.recovery_key_made_milliseconds:
        return "there is one; when it was made is not known"
    return f"made {moment(found.recovery_key_made_milliseconds)}"


def _use(found: pb.MachineView) -> tuple[tuple[str, str], ...]:
    return (
        ("cores", f"{found.cores}, {found.busy_fraction:.0%} busy"),
        ("memory", f"{decimal(found.memory_free_bytes)} of {decimal(found.memory_bytes)} free"),
        ("disk", f"{decimal(found.disk_free_bytes)} of {decimal(found.disk_bytes)} free"),
        ("running for", f"{found.up_seconds / 3600:.1f} hours"),
        ("addresses", listed([f"{one.address} ({one.interface})" for one in found.addresses])),
    )
