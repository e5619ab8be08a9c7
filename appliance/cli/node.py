"""``coffer up``, ``coffer node …`` and ``coffer services …``."""

import os
import sys
from typing import Annotated

import typer

from appliance.cli import completion, views
from appliance.cli.names import find_service
from appliance.cli.terminal import AT_KEY, state_of, terminal_of

node = typer.Typer(no_args_is_help=True, help="This node itself.")
services = typer.Typer(no_args_is_help=True, help="What this node can compute with its peers.")


def up(
    ctx: typer.Context,
    name: Annotated[str, typer.Option(help="What peers call this node.")] = "",
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the port for peers opens.")
    ] = "",
    advertise: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The address that peers are told.")
    ] = "",
    pairing_port: Annotated[
        int,
        typer.Option(
            help="The port that is open while an invitation is.",
            min=0,
            max=65535,
            show_default=False,
        ),
    ] = 0,
    worker_socket: Annotated[
        str,
        typer.Option(metavar="PATH", help="Where systemd starts workers, each in its own unit."),
    ] = "",
    operators_listen: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="Where operators reach the node from afar."),
    ] = "",
    enrolment_port: Annotated[
        int,
        typer.Option(
            help="The port that is open while a set-up code lives.",
            min=0,
            max=65535,
            show_default=False,
        ),
    ] = 0,
    console_user: Annotated[
        str, typer.Option(metavar="USER", help="Whose program draws the machine's own screen.")
    ] = "",
) -> None:
    """Start a node; it runs until it is stopped (Ctrl-C)."""
    if AT_KEY in ctx.meta:
        raise typer.BadParameter("a node is started on its own machine, so without --at")
    options = {
        "--state": str(state_of(ctx)),
        "--name": name,
        "--listen": listen,
        "--advertise": advertise,
        "--pairing-port": str(pairing_port) if pairing_port else "",
        "--worker-socket": worker_socket,
        "--operators-listen": operators_listen,
        "--enrolment-port": str(enrolment_port) if enrolment_port else "",
        "--console-user": console_user,
    }
    given = [part for option, value in options.items() if value for part in (option, value)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "appliance.agent", *given])  # noqa: S606


@node.command("show")
def show_node(ctx: typer.Context) -> None:
    """Show who this node is and how it fares."""
    terminal_of(ctx).show(lambda client: client.show_node(), views.node)


@services.command("list")
def list_services(ctx: typer.Context) -> None:
    """List the services that this node can run."""
    terminal_of(ctx).show_list("services", lambda client: client.list_services(), views.services)


@services.command("show")
def show_service(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="SERVICE", autocompletion=completion.services)],
) -> None:
    """Show a service's roles, outputs and parameters."""
    terminal_of(ctx).show(lambda client: find_service(client, name), views.service)
