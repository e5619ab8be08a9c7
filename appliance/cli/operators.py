"""``coffer operators …``: who administers a node from afar."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich.console import RenderableType
from rich.table import Table

from appliance.api import agent_pb2 as pb
from appliance.api.ways import Refused
from appliance.cli import completion
from appliance.cli.terminal import facts, minute, moment, table, terminal_of

_LAST: Final = (
    "This is the last operator; the next one needs the code on the machine's console. Remove?"
)

operators = typer.Typer(no_args_is_help=True, help="Who administers this node from afar.")


@operators.command("code")
def code(
    ctx: typer.Context,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make a new code also while one lives.")
    ] = False,
) -> None:
    """Show the one-time code by which one more operator is enrolled."""
    terminal = terminal_of(ctx)
    terminal.show(lambda client: client.show_set_up_code(renew=renew), code_view)
    terminal.say(
        "Whoever has it can administer this node: tell it over a way that you trust. On their own "
        'machine they run "coffer remote add", which asks for it.'
    )


@operators.command("list")
def list_operators(ctx: typer.Context) -> None:
    """List the operators."""
    terminal_of(ctx).show_list("operators", lambda client: client.list_operators(), operators_view)


@operators.command("remove")
def remove(
    ctx: typer.Context,
    operator: Annotated[
        str,
        typer.Argument(
            metavar="OPERATOR", help="The name or id.", autocompletion=completion.operators
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """End what an operator may do, at once."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        known = client.list_operators()
        if len(known) == 1 and not yes and not terminal.ask(_LAST):
            raise Refused("nothing was changed")
        gone = client.remove_operator(operator)
    terminal.answer(gone, f"{gone.name} ({gone.id}) is no operator any more")


def code_view(shown: pb.SetUpCode) -> RenderableType:
    """Show a set-up code."""
    return facts(
        (
            ("code", shown.words),
            ("for", f"coffer remote add NAME {shown.address}"),
            ("good until", moment(shown.expires_milliseconds)),
            ("wrong tries", str(shown.wrong_codes) if shown.wrong_codes else ""),
        )
    )


def operators_view(found: Sequence[pb.Operator]) -> Table:
    """List operators."""
    made = table("operator", "id", "enrolled", "last seen")
    for one in found:
        made.add_row(
            one.name,
            one.id,
            minute(one.enrolled_milliseconds),
            minute(one.last_seen_milliseconds) or "not since the agent started",
        )
    return made
