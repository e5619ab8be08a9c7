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
from appliance.ledger.errors import CheckpointNotFound, EntryNotFound, TooManyEntries
from appliance.ledger.evidence import SignedContract, gather, gather_job, tar_of
from appliance.ledger.facts import JobProposed, Kind, LedgerDirected
from appliance.ledger.ledger import Ledger, Listed, milliseconds
from appliance.ledger.verification import Verified
from appliance.store.database import Store
from appliance.store.errors import StoreError

PAGE_ENTRIES: Final = 100
MOST_PAGE_ENTRIES: Final = 500
MOST_KEPT_DAYS: Final = 36500
MOST_EXPORTED: Final = 2000
"""Entries that one bundle may have outside of a job: it is made in memory, in one transaction."""
_DAY_SECONDS: Final = 24 * 3600

ContractOf = Callable[[Session, str], tuple[bytes, Collection[NodeId]] | None]

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
class PeerLedger:
    """What this node holds of a peer's ledger, all of it signed by the peer.

    held:  its newest checkpoint, as a note of so many entries; since when it is held.
    forks: pairs of notes that the peer has not shown to be of one ledger, and when it showed that.
    """

    peer: NodeId
    name: str
    held: str
    size: int
    held_milliseconds: int
    forks: tuple[tuple[str, str, int], ...]


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
    contract_of:   a job's contract in its envelope, and who has signed it; None if it is gone.
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
        contract_of: ContractOf,
        trouble_with: Callable[[Receiver], str],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._key = key
        self._names = names
        self._public_key_of = public_key_of
        self._contract_of = contract_of
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

    async def peer_ledger(self, named: str) -> PeerLedger:
        """Return what we hold of the ledger of a node, which may be unpaired by now.

        named: by our name for it or its id. Raises: CheckpointNotFound.
        """

        def work(session: Session) -> PeerLedger:
            peer, name = self._holding(session, named)
            row = table.newest_of_peer(session, peer)
            if row is None:
                raise CheckpointNotFound(f"this node holds no checkpoint of the ledger of {name}")
            return PeerLedger(
                peer=peer,
                name=name,
                held=row.note,
                size=row.size,
                held_milliseconds=row.at_milliseconds,
                forks=tuple(
                    (fork.held, fork.shown, fork.at_milliseconds)
                    for fork in table.forks_of(session, peer)
                ),
            )

        return await self._store.run(work)

    async def export_job(self, job_id: str, *, alone: bool = False) -> bytes:
        """Return the evidence of a job as a tar, under a checkpoint that all its parties signed.

        job_id: of a job, or a beginning of it. alone: whether our own signature is enough.
        Raises: EntryNotFound, CheckpointNotFound.
        """

        def work(session: Session) -> bytes:
            keys, job = self._own_key(), _whole(session, job_id)
            if alone:
                self._ledger.checkpoint(session)
            else:
                keys |= self._keys_of(session, job)
            contract = self._contract(session, job)
            return tar_of(gather_job(session, self._ledger, job, keys, contract))

        return await self._store.run(work)

    async def export_entries(self, first: int, last: int, *, alone: bool = False) -> bytes:
        """Return the evidence of entries, whatever they are about, as a tar.

        It is under the newest checkpoint that a peer has signed after them, with all who did; if
        none has, or ``alone``, under one of our own. Raises: EntryNotFound, TooManyEntries.
        """
        if last - first >= MOST_EXPORTED:
            raise TooManyEntries(last - first + 1, MOST_EXPORTED)

        def work(session: Session) -> bytes:
            indexes = range(first, min(last, self._ledger.size(session)) + 1)
            if not indexes or last not in indexes:
                raise EntryNotFound(f"the ledger has no entries {first} to {last}")
            signers = {} if alone else self._signers_above(session, last)
            if not signers:
                self._ledger.checkpoint(session)
            return tar_of(gather(session, self._ledger, indexes, self._own_key() | signers))

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
            if receiver is not None:
                table.begin_export(session, receiver.address)
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

    def _own_key(self) -> dict[NodeId, bytes]:
        return {self._key.node_id: self._key.public_der}

    def _known(self, session: Session, nodes: Collection[NodeId]) -> dict[NodeId, bytes]:
        """Return the keys of those of these nodes that are this one or paired."""
        keys = {node: self._public_key_of(session, node) for node in nodes}
        found = {node: key for node, key in keys.items() if key is not None}
        return found | (self._own_key() if self._key.node_id in nodes else {})

    def _signers_above(self, session: Session, index: int) -> dict[NodeId, bytes]:
        """Return the keys of the peers that signed the newest checkpoint with this entry."""
        paired = self._known(session, self._names(session).keys())
        size = table.newest_countersigned(session, index, paired)
        if size is None:
            return {}
        signed = {one.peer for one in table.countersignatures_of(session, size)}
        return {node: key for node, key in paired.items() if node.text in signed}

    def _contract(self, session: Session, job_id: str) -> SignedContract | None:
        found = self._contract_of(session, job_id)
        if found is None:
            return None
        envelope, signers = found
        return SignedContract(envelope=envelope, keys=self._known(session, signers))

    def _holding(self, session: Session, named: str) -> tuple[NodeId, str]:
        """Return a node of whose ledger we hold something, with our name for it."""
        if self._key.node_id.is_meant_by(named):
            raise CheckpointNotFound(
                "that is this node itself, which holds its own ledger",
                remedy='"coffer ledger verify" computes it anew',
            )
        names = self._names(session)
        held = [(node, names.get(node, node.short)) for node in table.nodes_held(session)]
        found = [one for one in held if named == one[1] or one[0].is_meant_by(named)]
        if len(found) == 1:
            return found[0]
        raise CheckpointNotFound(
            f"more than one peer is called {named[:64]!r}"
            if found
            else f"this node holds no checkpoint of the ledger of {named[:64]!r}",
            remedy="name the peer by its node id"
            if found
            else 'see "coffer ledger checkpoint" for those of whose ledgers it holds one',
        )

    def _keys_of(self, session: Session, job_id: str) -> dict[NodeId, bytes]:
        found = self._ledger.page(session, most=1, kinds=[Kind.JOB_PROPOSED], job_id=job_id)
        facts = found[0].entry.facts if found and found[0].entry else None
        if not isinstance(facts, JobProposed):
            raise EntryNotFound(f"the ledger has no entry of the job {job_id}, or no longer")
        return self._known(session, [NodeId(text) for text in facts.parties])

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
