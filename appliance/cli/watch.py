"""Following a job live: progress bars of every party on a terminal, plain lines elsewhere."""

from collections.abc import Iterable, Iterator

from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from appliance.api import agent_pb2 as pb
from appliance.cli.job_views import party_name, resumed, state
from appliance.cli.terminal import clean, duration, listed

_BAR_WIDTH = 30


def follow(updates: Iterable[pb.Job], talk: Console) -> Iterator[pb.Job]:
    """Show each update of a job on ``talk`` as it comes, and pass it on."""
    if not talk.is_terminal:
        yield from _follow_plainly(updates, talk)
        return
    with Live(console=talk, refresh_per_second=10, transient=True) as live:
        for one in updates:
            live.update(progress(one))
            yield one


def _follow_plainly(updates: Iterable[pb.Job], talk: Console) -> Iterator[pb.Job]:
    said = ""
    for one in updates:
        line = plain_line(one)
        if _gist(one) != said:
            said = _gist(one)
            talk.print(clean(line), soft_wrap=True)
        yield one


def _gist(one: pb.Job) -> str:
    """Return what must change for another plain line, among it each tenth of the way."""
    tenth = int(one.progress.fraction * 10)
    link = f"{one.attempt} {one.progress.reconnecting}"
    return f"{one.state} {one.progress.stage} {tenth} {link} {_signed(one)}"


def plain_line(one: pb.Job) -> str:
    """Say in one line how a job stands."""
    if one.HasField("progress") and one.state in ("running", "settling"):
        return f"{standing(one)}: {figures(one)}"
    return standing(one)


def progress(one: pb.Job) -> RenderableType:
    """Draw how a job stands: one bar for each party, and the figures below."""
    first = Text.assemble(("job ", ""), (one.id, "bold"), "  ", state(one.state))
    if one.attempt:
        first.append(f"  resumed {resumed(one)}")
    if not one.HasField("progress"):
        return Group(first, clean(standing(one)))
    bars = Table.grid(padding=(0, 1))
    for party in one.parties:
        stage, fraction = _progress_of(party, one.progress)
        if one.state == "succeeded" or (party.here and one.state == "settling"):
            stage, fraction = "", 1.0
        bars.add_row(
            clean(party_name(party)),
            ProgressBar(total=1.0, completed=fraction, width=_BAR_WIDTH),
            f"{fraction:4.0%}",
            clean(stage),
        )
    return Group(first, bars, clean(figures(one)))


def _progress_of(party: pb.JobParty, ours: pb.ProgressView) -> tuple[str, float]:
    if party.here:
        return ours.stage_title, ours.fraction
    for peer in ours.peers:
        if peer.rank == party.rank:
            return peer.stage_title, peer.fraction
    return "", 0.0


def figures(one: pb.Job) -> str:
    """Say bytes each way and rounds, before the end also stage, per cent, rows and time left."""
    view, is_done = one.progress, one.state in ("settling", "succeeded")
    if view.reconnecting:
        return "the connection is down; it will be resumed as soon as the peer answers"
    parts = [] if is_done else [f"{view.stage_title} {view.fraction:.0%}"]
    if view.rows_total > 1 and not is_done:  # of a stage that counts no rows it is 1
        parts.append(f"{view.rows_done:,} of {view.rows_total:,} rows")
    parts.append(f"sent {decimal(view.bytes_sent)}, received {decimal(view.bytes_received)}")
    parts.append(f"{view.rounds} rounds" if view.rounds != 1 else "1 round")
    if view.remaining_seconds >= 0 and view.fraction < 1 and not one.ended and not is_done:
        parts.append(f"about {duration(view.remaining_seconds)} left")
    return ", ".join(parts)


def standing(one: pb.Job) -> str:
    """Say in words what a job does or waits for."""
    waits_for = listed([party.name for party in one.parties if not party.signed])
    words = {
        "waiting_approval": "waiting for your approval",
        "waiting_peers": f"waiting for the approval of {waits_for}"
        if waits_for
        else "waiting for the peers",
        "starting": "starting the worker",
        "running": "running",
        "settling": "finished here, waiting for the peers' verdicts",
    }
    if one.state in words and one.attempt:
        return f"{words[one.state]} (resumed {resumed(one)})"
    if one.state in words:
        return words[one.state]
    return f"{one.state}: {one.cause}" if one.cause else one.state.replace("_", " ")


def _signed(one: pb.Job) -> int:
    return sum(party.signed for party in one.parties)
