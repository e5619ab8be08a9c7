"""``coffer grants …``: what peers may do by several jobs without being approved each time."""

import time
from typing import Annotated, Final

import typer

from appliance.api import agent_pb2 as pb
from appliance.api.ways import Refused
from appliance.cli import completion, views
from appliance.cli.terminal import terminal_of

grants = typer.Typer(
    no_args_is_help=True,
    help="What owners let peers do by several jobs, without approving each.",
)

_DAY_MILLISECONDS: Final = 24 * 3600 * 1000


@grants.command("issue")
def issue(
    ctx: typer.Context,
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", autocompletion=completion.own_datasets)
    ],
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    peers: Annotated[list[str], typer.Argument(metavar="PEER...", autocompletion=completion.peers)],
    uses: Annotated[int, typer.Option(metavar="COUNT", min=1, help="For how many jobs.")],
    days: Annotated[int, typer.Option(metavar="DAYS", min=1, help="For how long.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Let peers run a service on a dataset several times, as its policy allows them.

    What the grant covers is signed at once when it is proposed: it stands for an approval.
    """
    terminal = terminal_of(ctx)
    expires = int(time.time() * 1000) + days * _DAY_MILLISECONDS
    named = ", ".join(peers)
    with terminal.connect(*peers) as client:
        if not yes and not terminal.ask(
            f"Let {named} run {service} on {dataset}, {uses} times within {days} days, unasked?"
        ):
            raise Refused("nothing was granted")
        made = client.issue_grant(dataset, peers, service, uses=uses, expires_milliseconds=expires)
    terminal.answer(made, views.grant(made))


@grants.command("list")
def list_grants(ctx: typer.Context) -> None:
    """List the grants for more than one job, this node's and those of its peers."""
    terminal_of(ctx).show_list("grants", lambda client: client.list_grants(), views.grants)


@grants.command("revoke")
def revoke(
    ctx: typer.Context,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="Its id.")],
) -> None:
    """Take a grant back; jobs that depend on it are ended, those that run too."""
    terminal_of(ctx).show(lambda client: client.revoke_grant(grant), _revoked)


def _revoked(gone: pb.Grant) -> str:
    stopped = f"; ended: {', '.join(gone.stopped_jobs)}" if gone.stopped_jobs else ""
    return f"the grant {gone.id} is revoked{stopped}"
