"""The ledger as auditors deal with it: read, verified, compared with peers', taken out as evidence.

The rules of the ledger itself are in :mod:`appliance.ledger`.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from appliance.accounts.principals import Person
from appliance.governance.actors import actor_of
from appliance.governance.agreement import PublicKeyOf
from appliance.governance.receiver import (
    Receiver,
    find_receiver,
    keep_receiver,
    parse_address,
    parse_authority,
)
from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId
from appliance.ledger import store as table
from appliance.ledger.checkpoint import parse_note
from appliance.ledger.entries import Actor, NodeItself
from appliance.ledger.errors import EntryNotFound
from appliance.ledger.evidence import gather_job, tar_of
from appliance.ledger.facts import JobProposed, Kind, LedgerDirected
from appliance.ledger.ledger import Ledger, Listed, milliseconds
from appliance.ledger.verification import Verified
from appliance.store.database import Store
from appliance.store.errors import StoreError

PAGE_ENTRIES: Final = 100
MOST_PAGE_ENTRIES: Final = 500
MOST_KEPT_DAYS: Final = 36500
_DAY_SECONDS: Final = 24 * 3600

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAgreement:
    """How far a peer and this node hold each other to their ledgers. Sizes are 0 for none.

    shown:  how large ours was when we showed it last; signed: when the peer signed it last.
    theirs: how large the peer's was when it showed it last and we signed it.
    forks:  how often the peer showed what does not go on from there.
    """

    peer: NodeId
    name: str
    shown: int
    signed: int
    theirs: int
    forks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """Some entries, newest first; ``more`` if there are older ones."""

    entries: tuple[Listed, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Directed:
    """Whom the ledger is sent to, if anybody: how many of how many entries, and what is amiss."""

    receiver: Receiver | None
    sent: int
    size: int
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What is left: all from ``kept_from`` on; ``waits`` if older ones are yet to be exported."""

    kept_from: int
    waits: bool


class LedgerBook:
    """What may be asked about this node's ledger.

    names:         this node's own for the peers that it has known.
    public_key_of: of a paired peer, by its pin; None of any other node.
    trouble_with:  why a receiver could not be sent the ledger last; empty if it could.
    """

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        key: IdentityKey,
        names: Callable[[Session], Mapping[NodeId, str]],
        public_key_of: PublicKeyOf,
        trouble_with: Callable[[Receiver], str],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._key = key
        self._names = names
        self._public_key_of = public_key_of
        self._trouble_with = trouble_with
        self._now = now

    async def page(
        self,
        *,
        most: int = 0,
        before: int | None = None,
        kinds: Collection[Kind] = (),
        job_id: str | None = None,
    ) -> LedgerPage:
        """Return entries, newest first. before: the last one's index of the page before.

        job_id: of a job, or a beginning of it. Raises: EntryNotFound.
        """
        count = min(most or PAGE_ENTRIES, MOST_PAGE_ENTRIES)

        def work(session: Session) -> LedgerPage:
            job = None if job_id is None else _whole(session, job_id)
            found = self._ledger.page(
                session, most=count + 1, before=before, kinds=kinds, job_id=job
            )
            return LedgerPage(entries=tuple(found[:count]), more=len(found) > count)

        return await self._store.run(work)

    async def verify(self, checkpoint: str = "") -> Verified:
        """Compute all of the ledger anew. checkpoint: one that somebody has kept of it.

        Raises: LedgerDamaged; CheckpointMalformed, CheckpointUnsigned, SignatureInvalid.
        """

        def work(session: Session) -> Verified:
            if checkpoint:
                self._ledger.require_contains(session, checkpoint)
            return self._ledger.verify(session)

        return await self._store.run(work)

    async def checkpoint(self) -> str:
        """Return our checkpoint of the ledger as it is now, with the peers' signatures on it."""

        def work(session: Session) -> str:
            note = self._ledger.checkpoint(session)
            return self._ledger.countersigned(session, note.checkpoint.size).text

        return await self._store.run(work)

    async def agreements(self) -> tuple[PeerAgreement, ...]:
        """Return how far each peer that was ever shown the ledger agrees with it."""

        def work(session: Session) -> tuple[PeerAgreement, ...]:
            names = self._names(session)
            return tuple(
                self._agreement(session, peer, names.get(peer, peer.short))
                for peer in table.peers_shown(session)
            )

        return await self._store.run(work)

    async def export_job(self, job_id: str, *, alone: bool = False) -> bytes:
        """Return the evidence of a job as a tar, under a checkpoint that all its parties signed.

        job_id: of a job, or a beginning of it. alone: whether our own signature is enough.
        Raises: EntryNotFound, CheckpointNotFound.
        """

        def work(session: Session) -> bytes:
            keys, job = {self._key.node_id: self._key.public_der}, _whole(session, job_id)
            if alone:
                self._ledger.checkpoint(session)
            else:
                keys |= self._keys_of(session, job)
            return tar_of(gather_job(session, self._ledger, job, keys))

        return await self._store.run(work)

    async def prune(self, keep_days: int, by: Actor) -> Pruned:
        """Forget what entries older than so many days say, if they need not be exported first.

        Raises: PruneTooEarly.
        """
        before = self._now() - timedelta(days=min(keep_days, MOST_KEPT_DAYS))

        def work(session: Session) -> Pruned:
            receiver = find_receiver(session)
            unsent = None
            if receiver is not None:
                unsent = table.export_position(session, receiver.address)
            kept_from = self._ledger.prune(session, before, by, not_from=unsent)
            due = table.first_since(session, milliseconds(before))
            return Pruned(kept_from=kept_from, waits=kept_from < due)

        return await self._store.run(work)

    async def receiver(self) -> Directed:
        """Return whom the ledger is sent to."""
        return await self._store.run(self._directed)

    async def send_to(self, address: str, authority: bytes, by: Person) -> Directed:
        """Have the whole ledger sent to a receiver in place of any other; to nobody if it is empty.

        authority: the CA (PEM) that vouches for it. Raises: ReceiverUnfit.
        """
        receiver, facts = None, LedgerDirected()
        if address:
            receiver = Receiver(
                address=parse_address(address),
                authority=parse_authority(authority),
                set_by=by.name,
                set_milliseconds=milliseconds(self._now()),
            )
            facts = LedgerDirected(address=receiver.address, authority=receiver.authority_digest)

        def work(session: Session) -> Directed:
            keep_receiver(session, receiver)
            self._ledger.append(session, Kind.LEDGER_DIRECTED, facts, actor_of(by))
            return self._directed(session)

        return await self._store.run(work)

    def _directed(self, session: Session) -> Directed:
        receiver = find_receiver(session)
        return Directed(
            receiver=receiver,
            sent=table.export_position(session, receiver.address) if receiver else 0,
            size=self._ledger.size(session),
            trouble=self._trouble_with(receiver) if receiver else "",
        )

    async def prune_daily(self, keep_days: int) -> None:
        """Forget of its own accord what is older than so many days, for ever; nothing if 0.

        Raises: PruneTooEarly.
        """
        while keep_days:
            try:
                await self.prune(keep_days, NodeItself())
            except StoreError as error:  # a full disk; tomorrow, then
                log.warning("the ledger was not pruned: %s", error)
            await asyncio.sleep(_DAY_SECONDS)

    def _keys_of(self, session: Session, job_id: str) -> dict[NodeId, bytes]:
        found = self._ledger.page(session, most=1, kinds=[Kind.JOB_PROPOSED], job_id=job_id)
        facts = found[0].entry.facts if found and found[0].entry else None
        if not isinstance(facts, JobProposed):
            raise EntryNotFound(f"the ledger has no entry of the job {job_id}, or no longer")
        keys = {}
        for text in facts.parties:
            peer = NodeId(text)
            key = self._public_key_of(session, peer)
            if key is not None:
                keys[peer] = key
        return keys

    def _agreement(self, session: Session, peer: NodeId, name: str) -> PeerAgreement:
        shown = table.find_shown(session, peer)
        signed = table.sizes_signed(session, [peer])
        theirs = table.newest_of_peer(session, peer)
        return PeerAgreement(
            peer=peer,
            name=name,
            shown=shown.size if shown else 0,
            signed=signed[-1] if signed else 0,
            theirs=parse_note(theirs.note).checkpoint.size if theirs else 0,
            forks=len(table.forks_of(session, peer)),
        )


def _whole(session: Session, named: str) -> str:
    """Return the whole id of a job that entries are about. Raises: EntryNotFound."""
    found = table.jobs_beginning(session, named.casefold()) if named else []
    if len(found) == 1:
        return found[0]
    which = "more than one job begins" if found else "the ledger has no job that begins"
    raise EntryNotFound(f"{which} with {named[:64]!r}")
