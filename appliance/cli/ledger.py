"""``coffer ledger …``: what was done on this node, which nobody can rewrite unseen."""

from pathlib import Path
from typing import Annotated, Final

import typer

from appliance.api import agent_pb2 as pb
from appliance.api.ways import Refused
from appliance.cli import completion, views
from appliance.cli.evidence import verify_evidence, write_forks
from appliance.cli.terminal import terminal_of

receiver = typer.Typer(no_args_is_help=True, help="Whom the ledger is sent to, over TLS.")
ledger = typer.Typer(
    no_args_is_help=True, help="What was decided and done, in a log that peers countersign."
)

ledger.add_typer(receiver, name="receiver")

_MOST_DAYS: Final = 36500
_FORKS: Final = '"coffer ledger checkpoint --of {peer} --forks FOLDER"'


def entry_range(text: str) -> pb.EntryRange:
    """Read FROM-TO, or one number. Raises: ValueError, which is a fault in the command line."""
    first, dash, last = text.partition("-")
    return pb.EntryRange(first=int(first), last=int(last if dash else first))


@ledger.command("list")
def list_entries(
    ctx: typer.Context,
    job: Annotated[str, typer.Option(metavar="JOB", help="Only what concerns this job.")] = "",
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Only such entries, as job.signed; may come again."),
    ] = None,
    before: Annotated[
        int | None, typer.Option(metavar="ENTRY", min=0, help="Only older ones than this.")
    ] = None,
    most: Annotated[int, typer.Option(metavar="COUNT", min=1, max=500)] = 50,
) -> None:
    """List entries, newest first."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        page = client.list_entries(most=most, before=before, kinds=kind or (), job_id=job)
    terminal.answer_list("entries", page.entries, views.ledger_entries(page.entries))
    if page.more:
        last = page.entries[-1].index
        terminal.say(f'There are older ones: "coffer ledger list --before {last}".')


@ledger.command("verify")
def verify(
    ctx: typer.Context,
    evidence: Annotated[
        Path | None,
        typer.Argument(metavar="[EVIDENCE]", help="A peer's evidence, a tar or folder."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="A checkpoint that you have kept of that ledger.",
        ),
    ] = None,
) -> None:
    """Compute the whole ledger of this node anew, or verify the evidence that a peer exported.

    Evidence needs no node; where there is one, it is held against the checkpoint that the node has
    of that ledger.
    """
    terminal = terminal_of(ctx)
    if evidence is not None:
        verify_evidence(terminal, evidence, against)
        return
    checkpoint = "" if against is None else against.read_text("utf-8", errors="replace")
    with terminal.connect() as client, terminal.patience("computing all hashes anew"):
        found = client.verify_ledger(checkpoint)
    terminal.answer(found, views.ledger_verified(found))


@ledger.command("checkpoint")
def checkpoint(
    ctx: typer.Context,
    of: Annotated[
        str,
        typer.Option(
            metavar="PEER",
            help="Print the newest of a peer's ledger that this node holds, as the peer signed it.",
            autocompletion=completion.peers,
        ),
    ] = "",
    forks: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            file_okay=False,
            help="With --of: write both signed halves of each fork that the peer has shown.",
        ),
    ] = None,
) -> None:
    """Show the signed size and root of the ledger, and how far each peer has signed it."""
    terminal = terminal_of(ctx)
    if not of:
        if forks is not None:
            raise typer.BadParameter("--forks is of a peer's ledger: name the peer with --of")
        terminal.show(lambda client: client.show_checkpoint(), views.ledger_checkpoint)
        return
    with terminal.connect(of) as client:
        held = client.show_peer_checkpoint(of)
    if forks is None:
        terminal.answer_file(held, held.note)
        if held.forks:
            terminal.say(f"The peer has forked its ledger: {_FORKS.format(peer=of)} has the proof.")
        return
    files = write_forks(held, forks)
    said = "\n".join(files) or f"{held.peer} has shown no fork of its ledger"
    terminal.answer_plain({"peer": held.peer, "peer_id": held.peer_id, "files": files}, said)


@ledger.command("export")
def export(
    ctx: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[JOB] FILE",
            help="The job, but for --entries, and the tar that is written.",
            autocompletion=completion.jobs,
        ),
    ],
    entries: Annotated[
        pb.EntryRange | None,
        typer.Option(metavar="FROM-TO", parser=entry_range, help="These in place of a job's."),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Do without the other nodes' signatures.")
    ] = False,
) -> None:
    """Write evidence of all that the ledger says of a job, or of some entries by their numbers.

    That of a job is signed by all parties and has the contract; other entries are signed by the
    peers that have done so of late. Whoever gets the tar can verify it with Python and openssl: it
    brings the program and says how.
    """
    job, file = _what_and_where(names, entries)
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        parts = [*client.export_evidence(job, entries=entries, alone=alone)]
    try:
        with file.open("xb") as out:
            out.writelines(parts)
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error}", remedy="name another file") from None
    terminal.answer_plain(
        {"file": str(file), "bytes": sum(map(len, parts))},
        f"written to {file}; to verify it: python3 verify_evidence.py {file}, or"
        f' "coffer ledger verify {file}"',
    )


@ledger.command("prune")
def prune(
    ctx: typer.Context,
    keep_days: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=_MOST_DAYS, help="Keep younger ones; 180 at least."),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget what old entries say.

    Their hashes stay, so that the ledger and evidence of younger jobs verify as before.
    """
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        if not yes and not terminal.ask(
            f"Forget for ever what entries older than {keep_days} days say?"
        ):
            raise Refused("nothing was pruned")
        left = client.prune_ledger(keep_days)
    terminal.answer(left, views.ledger_pruned(left))


@receiver.command("show")
def show_receiver(ctx: typer.Context) -> None:
    """Show whom the ledger is sent to, how far it has it, and what is amiss."""
    terminal_of(ctx).show(lambda client: client.show_receiver(), views.ledger_receiver)


@receiver.command("set")
def set_receiver(
    ctx: typer.Context,
    address: Annotated[
        str, typer.Argument(metavar="HOST[:PORT]", help="Where it listens; 6514 is usual.")
    ],
    authority: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="The CA (PEM) that alone vouches for its certificate.",
        ),
    ],
) -> None:
    """Have the ledger sent to a receiver of syslog over TLS, from its first entry on.

    Old entries are not pruned until it has them.
    """
    pem = authority.read_bytes()
    terminal_of(ctx).show(lambda client: client.set_receiver(address, pem), views.ledger_receiver)


@receiver.command("remove")
def remove_receiver(ctx: typer.Context) -> None:
    """Have the ledger sent to nobody any more."""
    terminal_of(ctx).show(lambda client: client.set_receiver(""), views.ledger_receiver)


def _what_and_where(names: list[str], entries: pb.EntryRange | None) -> tuple[str, Path]:
    """Return the job and the file that a command names; no job where it names entries.

    Raises: typer.BadParameter.
    """
    wanted = 2 if entries is None else 1
    if len(names) != wanted:
        raise typer.BadParameter("name a job and a file, or --entries FROM-TO and a file")
    return "" if entries else names[0], Path(names[-1])
