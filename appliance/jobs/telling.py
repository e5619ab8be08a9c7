"""Whom a change of a job is told: people by events, other parties by letters, the agent at once.

All runs inside the caller's transaction, and takes effect with it.
"""

import asyncio
import re
from collections.abc import Callable, Iterable

from sqlalchemy import event
from sqlalchemy.orm import Session

from appliance.identity.node_id import NodeId
from appliance.jobs import store as table
from appliance.jobs.needs import PeerBook
from appliance.jobs.store import JobPartyRow, JobRow
from appliance.mailbox.letters import JobProposed, JobSigned, JobVerdict, Kind
from appliance.mailbox.outbox import Outbox


class Telling:
    """Writes down what happened to jobs, and tells those whom it concerns.

    ``changed`` is called in the event loop with the id of each job that a transaction has changed,
    once that is on disk, and even if whoever asked for the transaction was cancelled meanwhile.
    """

    def __init__(
        self,
        outbox: Outbox,
        peers: PeerBook,
        now_milliseconds: Callable[[], int],
        changed: Callable[[str], None],
    ) -> None:
        self._outbox = outbox
        self._peers = peers
        self._now_milliseconds = now_milliseconds
        self._changed = changed
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Tell of changes to the running event loop from now on."""
        self._loop = asyncio.get_running_loop()

    def note(self, session: Session, row: JobRow, text: str) -> None:
        """Write down what happened and have it attended to. Every change comes here."""
        table.add_event(session, row, self._now_milliseconds(), text)
        self.mark_changed(session, row)

    def mark_changed(self, session: Session, row: JobRow) -> None:
        """Have a job attended to once the transaction is on disk."""
        told: set[str] = session.info.setdefault("changed_jobs", set())
        if row.id not in told:
            told.add(row.id)
            event.listen(session, "after_commit", lambda _: self._tell_changed(row.id), once=True)

    def tell_others(
        self, session: Session, row: JobRow, kind: Kind, body: JobProposed | JobSigned
    ) -> None:
        """Send a letter to all other parties that are paired."""
        self._tell(session, others_of(table.parties_of(session, row.id), row.rank), kind, body)

    def tell_verdict(self, session: Session, row: JobRow, to: Iterable[NodeId]) -> None:
        """Send this node's verdict, as it stands in the table."""
        own = table.parties_of(session, row.id)[row.rank]
        told = JobVerdict(job_id=row.id, verdict=str(own.verdict), reason=own.reason, note=own.note)
        self._tell(session, to, Kind.JOB_VERDICT, told)

    def name(self, session: Session, row: JobRow, rank: int) -> str:
        """Return how a party is called here."""
        party = table.parties_of(session, row.id)[rank]
        node_id = NodeId(party.node)
        return self._peers.names(session).get(node_id) or party.name or node_id.short

    def with_names(self, session: Session, row: JobRow, text: str) -> str:
        """Return what a worker says with the names of the parties, which it calls by rank."""
        count = len(table.parties_of(session, row.id))

        def named(found: re.Match[str]) -> str:
            rank = int(found[1])
            return self.name(session, row, rank) if rank < count else found[0]

        return re.sub(r"\bparty (\d{1,4})\b", named, text)

    def _tell(
        self,
        session: Session,
        to: Iterable[NodeId],
        kind: Kind,
        body: JobProposed | JobSigned | JobVerdict,
    ) -> None:
        for node_id in to:
            if self._peers.find_paired(session, node_id) is not None:
                self._outbox.put(session, node_id, kind, body)

    def _tell_changed(self, job_id: str) -> None:
        # Without a loop the agent has not begun, or has ended: the next recovery sees to it.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed, job_id)


def others_of(parties: Iterable[JobPartyRow], own: int) -> list[NodeId]:
    """Return the nodes of all parties but that of our own rank."""
    return [NodeId(party.node) for party in parties if party.rank != own]
