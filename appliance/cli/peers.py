"""``coffer peers …``: pairing with other nodes, and what is known of them."""

import sys
import time
from typing import Annotated, Final

import typer

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client
from appliance.api.ways import Refused
from appliance.cli import completion, views
from appliance.cli.terminal import Terminal, moment, terminal_of

peers = typer.Typer(no_args_is_help=True, help="Other nodes, and pairing with them.")

PeerName = Annotated[
    str,
    typer.Argument(metavar="PEER", help="Its name or node id.", autocompletion=completion.peers),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

_POLL_SECONDS: Final = 0.3
_SAME_WORDS: Final = "Does the other side show the same six words?"


@peers.command("invite")
def invite(
    ctx: typer.Context,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the other node, then ask to confirm.")
    ] = False,
    qr: Annotated[
        bool | None, typer.Option(help="Draw a QR code; by default on a terminal.")
    ] = None,
    address: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="By which name or address the other node reaches this one, if by another than"
            " this one finds itself.",
        ),
    ] = "",
) -> None:
    """Make an invitation, good once and for a short time, that the other node's operator enters."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        known = {_pairing(peer) for peer in client.list_peers()}
        made = client.invite(address)
        terminal.answer(made, views.invitation(made))
        if not terminal.as_json and (terminal.out.is_terminal if qr is None else qr):
            terminal.out.print(views.qr_code(made.text))
        terminal.say(
            "Whoever holds it can ask to be paired: give it to the other operator over a way that "
            'you trust. There they run "coffer peers accept".'
        )
        if wait:
            terminal.say(f"Waiting for the other node, until {moment(made.expires_milliseconds)}.")
            with terminal.upon_interrupt(
                f'Invitation {made.id} stays open; end it with "coffer peers withdraw {made.id}".'
            ):
                peer = _wait_for_peer(client, made, known)
            _confirm_by_asking(terminal, client, peer)


@peers.command("invitations")
def list_invitations(ctx: typer.Context) -> None:
    """List the invitations that this node made."""
    terminal_of(ctx).show_list(
        "invitations", lambda client: client.list_invitations(), views.invitations
    )


@peers.command("withdraw")
def withdraw(
    ctx: typer.Context,
    invitation: Annotated[
        str, typer.Argument(metavar="INVITATION", autocompletion=completion.open_invitations)
    ],
) -> None:
    """End an open invitation, by the id that "coffer peers invitations" shows."""
    terminal_of(ctx).show(lambda client: client.withdraw_invitation(invitation), views.invitation)


@peers.command("accept")
def accept(
    ctx: typer.Context,
    invitation: Annotated[
        str, typer.Argument(metavar="[-]", help="Read from standard input; never given here.")
    ] = "-",
    confirm: Annotated[
        bool, typer.Option(help="Ask at once whether both sides show the same words.")
    ] = True,
) -> None:
    """Enter an invitation that another node made.

    The invitation is a secret, and the command line can be seen by everybody on this machine; so it
    is asked for, or read from standard input.
    """
    if invitation != "-":
        raise typer.BadParameter(
            "an invitation on the command line can be seen by others on this machine; "
            "enter it when asked, or pipe it in"
        )
    terminal = terminal_of(ctx)
    asks = sys.stdin.isatty()
    text = typer.prompt("Invitation", err=True) if asks else sys.stdin.readline()
    if not text.strip():
        raise typer.BadParameter("no invitation was entered")
    with terminal.connect() as client:
        peer = client.accept(text.strip())
        if confirm and asks:
            _confirm_by_asking(terminal, client, peer)
        else:
            terminal.answer(peer, views.peer(peer))
            terminal.say(
                f'If the other side shows the same words, run "coffer peers confirm {peer.name}".'
            )


@peers.command("confirm")
def confirm(ctx: typer.Context, peer: PeerName, yes: Yes = False) -> None:
    """Confirm that both sides show the same authentication string."""
    terminal = terminal_of(ctx)
    with terminal.connect(peer) as client:
        found = client.get_peer(peer)
        if yes or found.state != "confirming" or found.confirmed_here:
            _tell_confirmed(terminal, client.confirm(peer))
        else:
            _confirm_by_asking(terminal, client, found)


@peers.command("reject")
def reject(ctx: typer.Context, peer: PeerName) -> None:
    """Refuse a pairing, because the strings differ or it is not wanted."""
    terminal_of(ctx).show(lambda client: client.reject(peer), views.peer, peer)


@peers.command("list")
def list_peers(ctx: typer.Context) -> None:
    """List peers."""
    terminal_of(ctx).show_list("peers", lambda client: client.list_peers(), views.peers)


@peers.command("show")
def show(ctx: typer.Context, peer: PeerName) -> None:
    """Show a peer, whether it can be reached, and if not why and what to do."""
    terminal_of(ctx).show(lambda client: client.get_peer(peer), views.peer, peer)


@peers.command("move")
def move(
    ctx: typer.Context,
    peer: PeerName,
    address: Annotated[str, typer.Argument(metavar="HOST:PORT")],
) -> None:
    """Tell this node a peer's new address."""
    terminal_of(ctx).show(lambda client: client.move_peer(peer, address), views.peer, peer)


@peers.command("unpair")
def unpair(ctx: typer.Context, peer: PeerName, yes: Yes = False) -> None:
    """End the pairing with a peer and cut its connections; jobs with it end."""
    terminal = terminal_of(ctx)
    with terminal.connect(peer) as client:
        found = client.get_peer(peer)
        if not yes and not terminal.ask(
            f"Unpair {found.name} ({found.node_id})? Jobs with it end, and what was published "
            "between both is withdrawn."
        ):
            raise Refused("nothing was changed")
        gone = client.unpair(peer)
    terminal.answer(gone, views.peer(gone))


@peers.command("forget")
def forget(ctx: typer.Context, peer: PeerName) -> None:
    """Take a peer whose pairing has ended off the list."""
    terminal = terminal_of(ctx)
    with terminal.connect(peer) as client:
        gone = client.forget_peer(peer)
    terminal.answer(gone, f"{gone.name} ({gone.node_id}) is forgotten")


def _pairing(peer: pb.Peer) -> tuple[str, str]:
    """Return what tells one pairing from an earlier one with the same node."""
    return peer.node_id, peer.authentication_string


def _wait_for_peer(client: Client, made: pb.Invitation, known: set[tuple[str, str]]) -> pb.Peer:
    while True:
        for peer in client.list_peers():
            if peer.state == "confirming" and _pairing(peer) not in known:
                return peer
        found = [one for one in client.list_invitations() if one.id == made.id]
        if not found or found[0].state not in ("open", "used"):
            state = found[0].state if found else "gone"
            raise Refused(
                f"the invitation is {state}", remedy='make another: "coffer peers invite"'
            )
        time.sleep(_POLL_SECONDS)


def _confirm_by_asking(terminal: Terminal, client: Client, peer: pb.Peer) -> None:
    terminal.say(f"\n{peer.name} ({peer.node_id}) is at the other end. The six words are:\n")
    terminal.say(f"    {peer.authentication_string}\n")
    if terminal.ask(_SAME_WORDS):
        _tell_confirmed(terminal, client.confirm(peer.node_id))
        return
    rejected = client.reject(peer.node_id)
    terminal.answer(rejected, views.peer(rejected))
    raise Refused(
        f"the pairing with {peer.name} is rejected",
        remedy="if the words differed, somebody may be in the middle; "
        "pair again over another way, with a new invitation",
    )


def _tell_confirmed(terminal: Terminal, peer: pb.Peer) -> None:
    terminal.answer(peer, views.peer(peer))
    if peer.state == "confirming":
        terminal.say(f"{peer.name} is paired as soon as its operator confirms, too.")
