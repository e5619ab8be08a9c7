"""``coffer datasets …``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from appliance.api import agent_pb2 as pb
from appliance.cli import completion, views
from appliance.cli.delivery import tell_undelivered
from appliance.cli.terminal import listed, terminal_of

datasets = typer.Typer(
    no_args_is_help=True, help="Tables that this node registered, and those that peers published."
)

# As many as a contract can name.
_MOST_ROWS: Final = 2**53 - 1

OwnDataset = Annotated[str, typer.Argument(metavar="NAME", autocompletion=completion.own_datasets)]
SomePeers = Annotated[list[str], typer.Argument(metavar="PEER...", autocompletion=completion.peers)]


@datasets.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A CSV or Parquet file.")
    ] = None,
    query: Annotated[
        str, typer.Option(metavar="SQL", help="A query over files, instead of a file.")
    ] = "",
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="The key column; repeat it for a key of several."),
    ] = None,
    normal_form: Annotated[
        str,
        typer.Option(metavar="FORMS", help="Of nfc, trim, lower, numeric; as in nfc,trim,lower."),
    ] = "",
    replace: Annotated[
        bool, typer.Option(help="Register anew under a name that is taken.")
    ] = False,
) -> None:
    """Register a table: read it through once and show what was found.

    With --at, FILE lies on this machine and is sent to the node, which keeps it as long as the
    dataset; a query reads files of the node.
    """
    if (path is None) == (not query):
        raise typer.BadParameter("give either a file or --query")
    if not key:
        raise typer.BadParameter("name the key column with --key")
    terminal = terminal_of(ctx)
    file = path.expanduser().absolute() if path else None
    with terminal.connect() as client:
        place = str(file or "")
        if file is not None and terminal.at:
            with terminal.patience("sending the table"):
                place = client.upload_table(name, file)
        with terminal.patience("reading the table through once"):
            made = client.add_dataset(
                name,
                path=place,
                query=query,
                key=key,
                normal_form=[form.strip() for form in normal_form.split(",") if form.strip()],
                replace=replace,
            )
    terminal.answer(made, views.dataset(made))
    if not terminal.as_json and (caution := _caution(made)):
        terminal.say(f"warning: {caution}")


@datasets.command("list")
def list_datasets(
    ctx: typer.Context,
    peers: Annotated[bool, typer.Option(help="Also list what peers published.")] = True,
) -> None:
    """List datasets."""
    terminal_of(ctx).show_list(
        "datasets", lambda client: client.list_datasets(peers=peers), views.datasets
    )


@datasets.command("show")
def show(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME|PEER/NAME", autocompletion=completion.datasets)
    ],
) -> None:
    """Show a dataset's schema and figures."""
    terminal_of(ctx).show(lambda client: client.get_dataset(name), views.dataset, name)


@datasets.command("publish")
def publish(
    ctx: typer.Context,
    name: OwnDataset,
    peers: SomePeers,
    payload: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="A column whose values they may be given where rows match; may come again.",
        ),
    ] = None,
    rows_up_to: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=_MOST_ROWS,
            show_default=False,
            help="Tell them this bound instead of the row count.",
        ),
    ] = 0,
) -> None:
    """Tell peers a dataset's name, schema and row count; never a row.

    What is said here of columns and bounds takes the place of what was said before.
    """
    terminal = terminal_of(ctx)
    with terminal.connect(*peers) as client:
        made = client.publish_dataset(name, peers, payload=payload or (), rows_up_to=rows_up_to)
        terminal.answer(made, _published(made))
        tell_undelivered(terminal, client, views.publication_peers(made))


@datasets.command("withdraw")
def withdraw(
    ctx: typer.Context,
    name: OwnDataset,
    peers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PEER]...", autocompletion=completion.peers, help="Default: all."),
    ] = None,
) -> None:
    """Take back a publication, from the peers named or from all."""
    named = peers or []
    terminal_of(ctx).show(lambda client: client.withdraw_dataset(name, named), _published, *named)


@datasets.command("remove")
def remove(ctx: typer.Context, name: OwnDataset) -> None:
    """Forget a dataset; its file stays as it is, unless it was sent to the node from afar."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        client.remove_dataset(name)
    terminal.done(f"{name} is removed")


def _caution(made: pb.Dataset) -> str:
    """Say what stands in the way of computing with a table, empty if nothing does."""
    nulls, repeats = made.null_key_count, made.duplicate_key_count
    if not made.row_count:
        return "the table has no rows, and no computation takes it so"
    if nulls == made.row_count:
        form = listed(made.normal_form)
        fits = f"the normal form {form} does not fit the key" if form else "the key is empty"
        return f"no row has a key: {fits}; look at the column and add the table again"
    if nulls:
        return (
            f"{nulls:,} rows have no key: the table cannot be published until it is mended and "
            "added again"
        )
    if repeats:
        return (
            f"{repeats:,} rows repeat a key: only jobs that say what becomes of such rows take the "
            "table (duplicates=first or all of psi.intersect)"
        )
    return ""


def _published(dataset: pb.Dataset) -> str:
    return f"{dataset.name} is published to {views.publications(dataset) or 'nobody'}"
