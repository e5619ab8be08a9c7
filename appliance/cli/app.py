"""The tree of commands, with the options --state, --at and --json before or after any verb."""

from typing import Annotated, Final

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from appliance.cli import completion
from appliance.cli.accounts import accounts
from appliance.cli.datasets import datasets
from appliance.cli.grants import grants
from appliance.cli.jobs import jobs
from appliance.cli.ledger import ledger
from appliance.cli.machine import machine
from appliance.cli.machine_care import care
from appliance.cli.machine_settings import settings
from appliance.cli.node import node, services, up
from appliance.cli.operators import operators
from appliance.cli.peers import peers
from appliance.cli.policies import policies
from appliance.cli.remote import remote
from appliance.cli.terminal import AT_KEY, JSON_KEY, STATE_KEY
from appliance.cli.updates import updates

_KEYS: Final = {"state": STATE_KEY, "at": AT_KEY, "json": JSON_KEY}

for verbs in (settings, care):
    machine.add_typer(verbs)


def command_tree() -> TyperGroup:
    """Return ``coffer`` with all its nouns and verbs."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.callback()(coffer)
    app.command("up")(up)
    for name, noun in (
        ("node", node),
        ("machine", machine),
        ("updates", updates),
        ("services", services),
        ("accounts", accounts),
        ("peers", peers),
        ("datasets", datasets),
        ("policies", policies),
        ("grants", grants),
        ("jobs", jobs),
        ("ledger", ledger),
        ("operators", operators),
        ("remote", remote),
    ):
        app.add_typer(noun, name=name)
    tree = typer.main.get_command(app)
    if not isinstance(tree, TyperGroup):
        raise TypeError("typer made no group of several commands")
    shared = [one for one in tree.params if isinstance(one, TyperOption)]
    _give_everywhere(tree, [one for one in shared if one.name in _KEYS])
    return tree


def _remember(ctx: typer.Context, param: typer.CallbackParam, value: object) -> object:
    """Note a global option wherever it stands; of two, the later one holds."""
    if value and param.name:
        ctx.meta[_KEYS[param.name]] = value
    return value


def coffer(
    state: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            help="The node's state folder; by default /var/lib/coffer or ~/.local/state/coffer.",
            callback=_remember,
            expose_value=False,
        ),
    ] = "",
    at: Annotated[
        str,
        typer.Option(
            metavar="NODE",
            help='Ask a node from afar, by its name in "coffer remote list"; also: COFFER_AT.',
            callback=_remember,
            autocompletion=completion.remotes,
            expose_value=False,
        ),
    ] = "",
    json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON.", callback=_remember, expose_value=False),
    ] = False,
) -> None:
    """Compute together with other nodes on data that neither may show the other."""


def _give_everywhere(group: TyperGroup, options: list[TyperOption]) -> None:
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            _give_everywhere(command, options)
        elif isinstance(command, TyperCommand):
            command.params.extend(options)
