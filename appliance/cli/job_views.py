"""How people see jobs: the list, one job in full, and what each party learns from it."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from appliance.api import agent_pb2 as pb
from appliance.cli.terminal import clean, duration, facts, listed, minute, moment, table
from appliance.cli.views import SHOWN_ID, row_count

_STYLES = {
    "waiting_approval": "yellow",
    "waiting_peers": "yellow",
    "running": "cyan",
    "settling": "cyan",
    "succeeded": "green",
    "failed": "red",
    "rejected": "red",
    "cancelled": "red",
}


def jobs(all_jobs: Sequence[pb.Job]) -> Table:
    """List jobs."""
    made = table("job", "service", "state", "with", "created", "why")
    for one in all_jobs:
        made.add_row(
            one.id[:SHOWN_ID],
            one.service,
            state(one.state),
            clean(listed([party.name for party in one.parties if not party.here])),
            minute(one.created_milliseconds),
            clean(one.cause),
        )
    return made


def job(one: pb.Job, defaults: Mapping[str, object] | None = None) -> RenderableType:
    """Show one job in full.

    defaults: what the service's parameters are if the contract does not set them, if to be shown.
    """
    chosen = json.loads(one.parameters or "{}")
    unset = {name: value for name, value in (defaults or {}).items() if name not in chosen}
    parts: list[RenderableType] = [
        facts(
            (
                ("job", one.id),
                ("service", f"{one.service}: {one.service_title}"),
                ("adversary", one.adversary),
                ("state", state(one.state)),
                ("resumed", resumed(one)),
                ("cause", one.cause),
                ("remedy", one.remedy),
                ("caution", one.caution),
                ("proposed by", proposer(one)),
                ("parameters", _settings(chosen)),
                ("by default", _settings(unset)),
                ("limits", limits(one)),
                ("created", moment(one.created_milliseconds)),
                ("approved by", approvals(one)),
                ("expires", "" if one.ended else moment(one.expires_milliseconds)),
                ("outcome here", _summary(one)),
                ("result here", _result(one)),
                ("digest", one.digest),
                ("record", one.record),
            )
        ),
        heading("What each party learns, and what that rests on"),
        disclosure(one),
        heading("Parties"),
        parties(one),
    ]
    if one.events:
        parts += [heading("Events"), events(one.events)]
    return Group(*parts)


def approvals(one: pb.Job) -> str:
    """Say who has approved a job here, and how many are missing."""
    names = listed([approval.name for approval in one.approvals])
    missing = one.approvals_needed - len(one.approvals)
    if one.state != "waiting_approval" or missing <= 0:
        return names
    more = f"{missing} more must approve" if names else f"{missing} must approve"
    return f"{names}; {more}" if names else more


def heading(text: str) -> Text:
    """Return a heading with an empty line above it."""
    return Text(f"\n{text}", style="bold")


def disclosure(one: pb.Job) -> Table:
    """Say line by line what is disclosed, as "you learn …" where it is to this node."""
    made = Table.grid(padding=(0, 1))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for line in disclosure_lines(one):
        made.add_row("•", clean(line))
    return made


def disclosure_lines(one: pb.Job) -> list[str]:
    """Return the sentences of the disclosure: of this node, of the others, and of the whole run."""
    ours = {party.rank for party in one.parties if party.here}
    ordered = sorted(
        one.disclosure, key=lambda line: (line.learner < 0, line.learner not in ours, line.learner)
    )
    return [line.text for line in ordered]


def parties(one: pb.Job) -> Table:
    """List a job's parties with their signatures and verdicts."""
    made = table("#rank", "party", "role", "dataset", "#rows", "receives", "signed", "verdict")
    for party in one.parties:
        made.add_row(
            str(party.rank),
            clean(party_name(party)),
            party.role,
            clean(party.dataset),
            row_count(party) if party.dataset else "",
            listed(party.receives) or "nothing",
            Text("yes", style="green") if party.signed else Text("not yet", style="yellow"),
            _verdict(party),
        )
    return made


def _verdict(party: pb.JobParty) -> Text:
    reason = f": {party.reason}" if party.reason else ""
    return Text(clean(f"{party.verdict}{reason}").plain, style=_STYLES.get(party.verdict, ""))


def events(all_events: Iterable[pb.JobEventView]) -> Table:
    """List a job's events, oldest first."""
    made = table("when", "state", "what happened")
    for event in all_events:
        made.add_row(moment(event.at_milliseconds), state(event.state), clean(event.text))
    return made


def party_name(party: pb.JobParty) -> str:
    """Return a party's name, marked if it is this node."""
    return f"{party.name} (you)" if party.here else party.name


def outcome(one: pb.Job) -> RenderableType:
    """Show how a job ended, or how it stands, in a few lines."""
    return facts(
        (
            ("job", one.id),
            ("state", state(one.state)),
            ("cause", one.cause),
            ("remedy", one.remedy),
            ("caution", one.caution),
            ("outcome here", _summary(one)),
            ("took", duration(one.progress.elapsed_seconds) if one.HasField("progress") else ""),
            ("record", one.record),
        )
    )


def results(found: pb.JobResult) -> Table:
    """List a job's result files on this node."""
    made = table("output", "#rows", "file")
    for name, path in sorted(found.files.items()):
        made.add_row(name, f"{found.row_counts[name]:,}", clean(path))
    return made


def state(name: str) -> Text:
    """Return the name of a job's state or verdict in its colour, in words."""
    return Text(name.replace("_", " "), style=_STYLES.get(name, ""))


def resumed(one: pb.Job) -> str:
    """Say that a job goes on from a checkpoint, or did; empty if it was never interrupted."""
    return f"from its last checkpoint, attempt {one.attempt + 1}" if one.attempt else ""


def time_left(one: pb.Job) -> str:
    """Say for how long a proposal can still be approved."""
    return duration(one.expires_milliseconds / 1000 - time.time())


def limits(one: pb.Job) -> str:
    """Say how long a job may run and how long it bridges a lost connection, empty if unknown."""
    if not one.most_seconds:
        return ""
    most, grace = duration(one.most_seconds), duration(one.grace_seconds)
    return f"it may run for {most}, a lost connection is bridged for {grace}"


def proposer(one: pb.Job) -> str:
    """Return who proposed a job, empty if its contract was not kept."""
    if not one.contract:
        return ""
    rank = json.loads(one.contract)["proposer"]
    return listed([party_name(party) for party in one.parties if party.rank == rank])


def has_result(one: pb.Job) -> bool:
    """Tell whether a job has given this node an output."""
    receives = any(party.here and party.receives for party in one.parties)
    return one.state == "succeeded" and receives


def _result(one: pb.Job) -> str:
    return f'see "coffer jobs result {one.id[:SHOWN_ID]}"' if has_result(one) else ""


def _settings(values: Mapping[str, object]) -> str:
    return listed([f"{name}={json.dumps(value)}" for name, value in sorted(values.items())])


def _summary(one: pb.Job) -> str:
    return listed(
        [f"{name.replace('_', ' ')} {one.summary[name]:,}" for name in sorted(one.summary)]
    )
