"""``coffer remote …``: the nodes that this user administers from afar."""

import getpass
import re
import socket
import sys
from typing import Annotated

import typer

from appliance.api.client import Client
from appliance.cli import completion, views
from appliance.cli.reach import remote_folder, way_to
from appliance.cli.terminal import table, terminal_of

remote = typer.Typer(no_args_is_help=True, help="Nodes that you administer from afar, with --at.")

RemoteName = Annotated[str, typer.Argument(metavar="NODE", autocompletion=completion.remotes)]


@remote.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NODE", help="What you call it here.")],
    address: Annotated[
        str, typer.Argument(metavar="HOST[:PORT]", help="Of its port for operators, 7445.")
    ],
    enrolment: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT", help="Of its port for new operators; by default the next one."
        ),
    ] = "",
    as_: Annotated[
        str, typer.Option("--as", metavar="NAME", help="What the node is to call you.")
    ] = "",
) -> None:
    """Become an operator of a node by its set-up code, and pin its key.

    The code is a secret, and the command line can be seen by everybody on this machine; so it is
    asked for, or read from standard input.
    """
    # Loaded here, as what reach.py loads.
    import asyncio

    from appliance.remote.enrolment import enrol, parse_addresses

    terminal = terminal_of(ctx)
    folder = remote_folder()
    folder.require_free(name)
    at, enrolment_at = parse_addresses(address, enrolment)
    asks = sys.stdin.isatty()
    text = typer.prompt("Set-up code", err=True) if asks else sys.stdin.readline()
    if not text.strip():
        raise typer.BadParameter("no code was entered")
    with terminal.patience("proving the code"):
        asked = enrol(
            name=name,
            address=at,
            enrolment=enrolment_at,
            code=text,
            key=folder.key(),
            operator=as_ or _own_name(),
        )
        made = asyncio.run(asked)
    folder.put(made)
    with Client(way_to(terminal.state, name)) as client:
        found = client.show_node()
    terminal.answer(found, views.node(found))
    terminal.say(f'From now on: "coffer --at {name} …".')


@remote.command("list")
def list_remotes(ctx: typer.Context) -> None:
    """List the nodes that you administer from afar."""
    known = remote_folder().all()
    view = table("node", "address", "node id")
    for one in known:
        view.add_row(one.name, one.address, one.node_id.text)
    plain = [
        {"name": one.name, "address": one.address, "node_id": one.node_id.text} for one in known
    ]
    terminal_of(ctx).answer_plain({"remotes": plain}, view)


@remote.command("remove")
def remove(ctx: typer.Context, name: RemoteName) -> None:
    """Forget a node here; at the node you stay an operator until you are removed there."""
    gone = remote_folder().remove(name)
    terminal_of(ctx).done(f"{gone.name} at {gone.address} is forgotten here")


def _own_name() -> str:
    """Return the user and the machine, in letters that a name may have."""
    host = socket.gethostname().split(".")[0]
    return re.sub(r"[^\w.-]+", "-", f"{getpass.getuser()}_{host}").strip("-._")[:64] or "operator"
