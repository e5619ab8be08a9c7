"""``coffer machine …``: its power, its network and its clock."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from appliance.api import agent_pb2 as pb
from appliance.cli.terminal import duration, facts, listed, moment, table, terminal_of

settings = typer.Typer()
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@settings.command("restart")
def restart(ctx: typer.Context, yes: Yes = False) -> None:
    """Restart the machine; jobs that can be resumed go on after."""
    terminal = terminal_of(ctx)
    if yes or terminal.ask("Restart the machine?"):
        with terminal.connect() as client:
            client.restart()
        terminal.done("The machine restarts.")


@settings.command("power-off")
def power_off(ctx: typer.Context, yes: Yes = False) -> None:
    """Switch the machine off; only a person at the machine can switch it on again."""
    terminal = terminal_of(ctx)
    if yes or terminal.ask("Switch the machine off?"):
        with terminal.connect() as client:
            client.power_off()
        terminal.done("The machine switches itself off.")


@settings.command("network")
def show_network(ctx: typer.Context) -> None:
    """Show what was set of the network, and what waits to be confirmed."""
    terminal_of(ctx).show(lambda client: client.show_network(), network_view)


@settings.command("set-network")
def set_network(
    ctx: typer.Context,
    interface: Annotated[
        str, typer.Argument(metavar="INTERFACE", help="The card; see “coffer machine network”.")
    ] = "",
    dhcp: Annotated[
        str,
        typer.Option(
            metavar="yes|no|ipv4|ipv6", help="Whether the network is asked for addresses."
        ),
    ] = "no",
    address: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS/PREFIX", help="As 192.0.2.7/24; can be repeated."),
    ] = None,
    gateway: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="One for IPv4, one for IPv6.")
    ] = None,
    dns: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="A DNS server; can be repeated.")
    ] = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Where names without a dot are looked up."),
    ] = None,
    mtu: Annotated[int, typer.Option(metavar="BYTES", help="0: as the card and network.")] = 0,
    node_name: Annotated[
        str, typer.Option(metavar="NAME", help="What the machine is called in the network.")
    ] = "",
    reset: Annotated[
        bool, typer.Option("--reset", help="Forget the settings of INTERFACE, or without it all.")
    ] = False,
    confirm_within: Annotated[
        int, typer.Option(metavar="SECONDS", min=1, max=3600, help="How long the trial lasts.")
    ] = 300,
) -> None:
    """Set one interface, on trial: it is undone unless confirmed in time.

    What was set of other interfaces stays as it is.
    """
    one = pb.NetworkInterface(
        name=interface,
        dhcp=dhcp,
        addresses=address or (),
        gateways=gateway or (),
        dns=dns or (),
        domains=domain or (),
        mtu_bytes=mtu,
    )
    if not (interface or node_name or reset):
        raise typer.BadParameter("name an INTERFACE, or use --node-name or --reset")
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        plan = _changed(client.show_network().kept, one, node_name, reset=reset)
        view = client.set_network(plan, confirm_within_seconds=confirm_within)
    terminal.answer(view, network_view(view))
    if node_name:
        terminal.say('Peers hear the new name after a restart: "coffer machine restart".')
    if view.HasField("trial"):
        left = duration(view.trial_seconds)
        terminal.say(
            f'Run "coffer machine confirm-network" by the new address within {left},'
            " or the network goes back to what it was."
        )


@settings.command("confirm-network")
def confirm_network(ctx: typer.Context) -> None:
    """Keep the network that is on trial."""
    terminal_of(ctx).show(lambda client: client.confirm_network(), network_view)


@settings.command("time")
def show_time(ctx: typer.Context) -> None:
    """Show from where the time is taken, and how far the clock is trusted."""
    terminal_of(ctx).show(lambda client: client.show_time(), time_view)


@settings.command("set-time-servers")
def set_time_servers(
    ctx: typer.Context,
    server: Annotated[
        list[str] | None, typer.Argument(metavar="SERVER...", help="Names or addresses.")
    ] = None,
    insecure_ntp: Annotated[
        bool,
        typer.Option("--insecure-ntp", help="Believe servers that cannot prove who they are."),
    ] = False,
) -> None:
    """Take the time from servers that prove who they are (NTS); without any, from the image's."""
    servers = [pb.TimeServer(name=name, nts=not insecure_ntp) for name in server or ()]
    terminal_of(ctx).show(lambda client: client.set_time_servers(servers), time_view)


def network_view(view: pb.NetworkView) -> RenderableType:
    """Show what holds, and above it what is on trial."""
    parts: list[RenderableType] = []
    if view.HasField("trial"):
        left = duration(view.trial_seconds)
        parts += [Text(f"on trial, undone in {left}", style="yellow"), _plan(view.trial), Text()]
        parts += [Text("kept", style="bold")]
    parts += [_plan(view.kept), Text(), facts((("network cards", listed(view.interfaces)),))]
    return Group(*parts)


def time_view(view: pb.TimeView) -> RenderableType:
    """Show a clock."""
    named = [one.name + ("" if one.nts else " (without proof)") for one in view.servers]
    return facts(
        (
            ("time", moment(view.now_milliseconds)),
            ("synchronised", "yes" if view.is_synchronised else Text("no", style="red")),
            ("servers", listed(named) or "the image's own"),
        )
    )


def _changed(
    plan: pb.NetworkPlan, one: pb.NetworkInterface, node_name: str, *, reset: bool
) -> pb.NetworkPlan:
    """Return a plan with one interface or the name set, or forgotten."""
    others = [other for other in plan.interfaces if other.name != one.name]
    if reset and not one.name:
        return pb.NetworkPlan(node_name=node_name)
    added = [] if reset or not one.name else [one]
    return pb.NetworkPlan(node_name=node_name or plan.node_name, interfaces=[*others, *added])


def _plan(plan: pb.NetworkPlan) -> RenderableType:
    name = facts((("node name", plan.node_name or "the image's own"),))
    if not plan.interfaces:
        return Group(name, Text("every network card asks the network for addresses"))
    shown = table("card", "DHCP", "addresses", "gateways", "DNS", "domains", "#MTU")
    for one in plan.interfaces:
        lists = (one.addresses, one.gateways, one.dns, one.domains)
        shown.add_row(one.name, one.dhcp, *map(listed, lists), str(one.mtu_bytes or ""))
    return Group(name, shown)
