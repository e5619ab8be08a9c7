"""``coffer policies …``: what may be done with this node's datasets."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client
from appliance.api.ways import Refused
from appliance.cli import completion, views
from appliance.cli.terminal import Terminal, terminal_of

policies = typer.Typer(
    no_args_is_help=True, help="What your datasets may be used for; without a policy, for nothing."
)

OwnDataset = Annotated[
    str, typer.Argument(metavar="DATASET", autocompletion=completion.own_datasets)
]
File = Annotated[Path, typer.Argument(metavar="FILE", help='The policy in TOML; "-" to read it.')]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_NOT_FOUND = "PolicyNotFound"


@policies.command("draft")
def draft(ctx: typer.Context, dataset: OwnDataset) -> None:
    """Print a policy that names every key and column and allows nothing, to be filled in."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        made = client.draft_policy(dataset)
    terminal.answer(made, made.text.rstrip("\n"))


@policies.command("check")
def check(ctx: typer.Context, dataset: OwnDataset, file: File) -> None:
    """Say what a policy would do, without setting it."""
    terminal = terminal_of(ctx)
    text = _read(file)
    with terminal.connect() as client:
        found = client.check_policy(dataset, text)
    terminal.answer(found, found.text.rstrip("\n"))
    _tell_cautions(terminal, found)


@policies.command("set")
def set_policy(
    ctx: typer.Context,
    dataset: OwnDataset,
    file: File,
    yes: Yes = False,
    over: Annotated[
        int | None,
        typer.Option(
            metavar="VERSION",
            min=0,
            help="Refuse unless it replaces this version; by default the present one.",
        ),
    ] = None,
) -> None:
    """Show a policy as the node understands it, ask, and put it in place of the present one.

    Jobs under way that it refuses are stopped.
    """
    terminal = terminal_of(ctx)
    text = _read(file)
    with terminal.connect() as client:
        present = _present(client, dataset).version if over is None else over
        _set(terminal, client, dataset, text, present, yes=yes)


@policies.command("edit")
def edit(ctx: typer.Context, dataset: OwnDataset) -> None:
    """Open the policy, or a draft, in your editor, and set what you save.

    If somebody else changes it meanwhile, yours is refused, and nothing is lost but yours.
    """
    import click

    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        present = _present(client, dataset)
        text = present.text or client.draft_policy(dataset).text
        edited = click.edit(text, extension=".toml")
        if edited is None or edited == text:
            raise Refused("nothing was changed", remedy="save the text to have it set")
        _set(terminal, client, dataset, edited, present.version, yes=False)


@policies.command("show")
def show(
    ctx: typer.Context,
    dataset: OwnDataset,
    version: Annotated[
        int, typer.Option(metavar="VERSION", min=0, help="An earlier one; 0 for the present one.")
    ] = 0,
) -> None:
    """Show a dataset's policy, as TOML that can be edited and set again."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        found = client.show_policy(dataset, version)
    text = found.text.rstrip("\n") or "# taken away: nothing is allowed"
    terminal.answer(found, f"{text}\n{_taken(found.taken)}" if found.HasField("taken") else text)
    _tell_cautions(terminal, found)


@policies.command("history")
def history(ctx: typer.Context, dataset: OwnDataset) -> None:
    """List the versions of a dataset's policy, and who made each."""
    terminal_of(ctx).show_list(
        "versions",
        lambda client: client.list_policy_versions(dataset),
        views.policy_versions,
    )


@policies.command("remove")
def remove(ctx: typer.Context, dataset: OwnDataset, yes: Yes = False) -> None:
    """Take a policy away: the dataset is used for nothing more, and its jobs are stopped."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        present = client.show_policy(dataset)
        if not yes and not terminal.ask(f"Allow nothing with {dataset} any more?"):
            raise Refused("the policy stays")
        changed = client.change_policy(dataset, "", over=present.version)
    terminal.answer(changed, _outcome(changed))


def _taken(taken: pb.PolicyTaken) -> str:
    """Return what counts against the policy as a comment, so that the text stays a policy."""
    told = f"# taken so far: uses = {taken.uses}, of them today (UTC) {taken.uses_today}"
    if taken.epsilon == "0":
        return told
    return f"{told}; of the budget epsilon = {taken.epsilon}, delta = {taken.delta}"


def _set(
    terminal: Terminal, client: Client, dataset: str, text: str, over: int, *, yes: bool
) -> None:
    if not yes:
        checked = client.check_policy(dataset, text)
        terminal.present(checked.text.rstrip("\n"))
        _tell_cautions(terminal, checked)
        if not terminal.ask("Set this policy?"):
            raise Refused("nothing was set")
    changed = client.change_policy(dataset, text, over=over)
    terminal.answer(changed, _outcome(changed))
    if yes:
        _tell_cautions(terminal, changed)


def _present(client: Client, dataset: str) -> pb.Policy:
    try:
        return client.show_policy(dataset)
    except Refused as refused:
        if refused.error != _NOT_FOUND:
            raise
        return pb.Policy()


def _outcome(changed: pb.Policy) -> str:
    what = "set" if changed.text else "taken away"
    told = f"the policy of {changed.dataset} is {what}: version {changed.version}"
    count = len(changed.stopped_jobs)
    if not count:
        return told
    jobs = "one job was" if count == 1 else f"{count} jobs were"
    return f"{told}; {jobs} stopped: {', '.join(changed.stopped_jobs)}"


def _tell_cautions(terminal: Terminal, found: pb.Policy) -> None:
    if not terminal.as_json:
        for one in found.cautions:
            terminal.say(f"look again: {one.text}; {one.remedy}")


def _read(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}") from None
