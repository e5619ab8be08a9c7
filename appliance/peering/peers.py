"""The peers of this node: who they are, how the pairing with each stands, how each fares."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from appliance.identity.certificates import identity_of
from appliance.identity.node_id import NodeId
from appliance.mailbox.letters import (
    Body,
    Kind,
    LetterRefused,
    PairingConfirmed,
    PairingRejected,
    Refusal,
    Unpaired,
)
from appliance.peering import store as table
from appliance.peering.addresses import parse_address
from appliance.peering.boots import Boots
from appliance.peering.diagnosis import Cause, Trouble, half_paired, two_agents
from appliance.peering.errors import (
    AlreadyPaired,
    IllegalTransition,
    NameTaken,
    PeerAmbiguous,
    PeerNotFound,
    PeerNotPaired,
    ShortIdTaken,
)
from appliance.peering.introduction import Introduction
from appliance.peering.links import Contact
from appliance.peering.pake import Bond, Identity
from appliance.peering.states import PeerEvent, PeerState, require_ended, senseless
from appliance.store.database import Store
from appliance.store.errors import StoreError

# How long a peer is tried to be told that the pairing ended. Later it learns by being refused.
FAREWELL: Final = timedelta(days=1)
# How long a pairing waits for both operators' word.
CONFIRMATION: Final = timedelta(days=1)
_EXPIRY_ROUND_SECONDS: Final = 60.0
# What a peer said of itself at a greeting is written again at most so often if it is the same.
SEEN_AGAIN: Final = timedelta(minutes=1)
# A peer that unpairs us still gets its receipt before its connections are cut.
_RECEIPT_SECONDS: Final = 1.0
_PAIRING_KINDS: Final = frozenset({Kind.PAIRING_CONFIRMED, Kind.PAIRING_REJECTED, Kind.UNPAIRED})

# In the transaction: puts a letter into the outbox; takes back those that wait for a peer.
Post = Callable[[Session, NodeId, Kind, Body], None]
Drop = Callable[[Session, NodeId], None]
Listener = Callable[[NodeId], Awaitable[None]]
AfterCommit = Callable[[], None]
# Writes down, in the transaction, that a node is our peer from now on, or no longer.
Note = Callable[[Session, NodeId, str, bool], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One peer as this node knows it."""

    node_id: NodeId
    name: str
    certificate_der: bytes
    public_der: bytes
    address: str
    introduced_address: str
    version: str
    state: PeerState
    pairing: str
    authentication_string: str
    owes_farewell: bool
    changed_milliseconds: int
    last_seen_milliseconds: int
    # Whether the last attempt to reach it succeeded; and if it failed, why.
    is_reachable: bool = False
    trouble: Trouble | None = None
    former_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """All peers as one transaction left them. A later one has a higher serial."""

    serial: int
    peers: Mapping[NodeId, Peer]


class Peers:
    """Knows the peers. What it says of them at once is what the last commit said.

    listeners: called when a peer has left (unpaired, rejected) and when one has been seen.
    """

    def __init__(
        self,
        store: Store,
        *,
        own_name: str,
        post: Post,
        drop: Drop,
        note: Note,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._note = note
        self._own_name = own_name
        self._post = post
        self._drop = drop
        self._now = now
        self._peers: Mapping[NodeId, Peer] = {}
        self._serial = 0
        self._serials = itertools.count(1)  # drawn in the store's thread
        self._troubles: dict[NodeId, Trouble | None] = {}
        self._boots = Boots()
        # Where each peer was last reached, and where it was called before it moved.
        self._reached: dict[NodeId, str] = {}
        self._former: dict[NodeId, str] = {}
        self._when_gone: list[Listener] = []
        self._when_seen: list[Callable[[NodeId], None]] = []
        self._partings: set[asyncio.Task[None]] = set()

    # What is known.

    async def load(self) -> None:
        """Read the peers; to be called once before anything else. Raises: NameTaken."""
        self._adopt(await self._store.run(self._snapshot))
        self._require_own_name()

    def _require_own_name(self) -> None:
        """Return unless a peer bears our own name. Raises: NameTaken."""
        for peer in self._peers.values():
            if peer.state.is_admitted and peer.name == self._own_name:
                raise NameTaken(
                    f"this node is to be called {self._own_name}, as its peer"
                    f" {peer.node_id.short} is",
                    remedy="start it under another name: coffer up --name NAME",
                )

    async def run(self) -> None:
        """Reject in time what nobody confirms, for ever."""
        while True:
            with suppress(StoreError):  # a full disk; next time, then
                await self.expire()
            await asyncio.sleep(_EXPIRY_ROUND_SECONDS)

    async def expire(self) -> None:
        """Reject the pairings that have waited for confirmation for too long."""
        latest_milliseconds = self._milliseconds() - CONFIRMATION // timedelta(milliseconds=1)
        for peer in self._peers.values():
            if peer.state.is_confirming and peer.changed_milliseconds <= latest_milliseconds:
                with suppress(IllegalTransition):  # an operator was faster
                    await self._change(peer, PeerEvent.TIME_UP, Kind.PAIRING_REJECTED)
                    log.info("the pairing with %s was not confirmed in time", peer.name)

    def all(self) -> tuple[Peer, ...]:
        """Return all peers by name."""
        return tuple(map(self._with_troubles, self._peers.values()))

    def find(self, node_id: NodeId) -> Peer | None:
        """Return a peer in whatever state, if it is known."""
        peer = self._peers.get(node_id)
        return None if peer is None else self._with_troubles(peer)

    def get(self, text: str) -> Peer:
        """Return the peer of this node id, first group of it, or name.

        Raises: PeerNotFound; PeerAmbiguous, if several could be meant.
        """
        text = text.strip()
        found = [
            peer
            for peer in self._peers.values()
            if text == peer.name or peer.node_id.is_meant_by(text)
        ]
        if not found:
            raise PeerNotFound(
                f"no peer is called {text[:80]!r}",
                remedy='"coffer peers list" shows names and node ids',
            )
        if len(found) > 1:
            raise PeerAmbiguous(
                f"{text[:80]!r} may mean any of {', '.join(str(peer.node_id) for peer in found)}",
                remedy="give the whole node id",
            )
        return self._with_troubles(found[0])

    def get_paired(self, text: str) -> Peer:
        """Return a paired peer as ``get``. Raises: PeerNotFound, PeerAmbiguous, PeerNotPaired."""
        return _require_paired(self.get(text))

    def roots(self) -> tuple[bytes, ...]:
        """Return the identity certificates (DER) of those who may connect. Any thread may ask."""
        return tuple(p.certificate_der for p in self._peers.values() if p.state.is_admitted)

    def pins(self) -> Mapping[NodeId, bytes]:
        """Return the public keys (DER) of those who may connect. Any thread may ask."""
        return {p.node_id: p.public_der for p in self._peers.values() if p.state.is_admitted}

    def admits(self, session: Session, node_id: NodeId, kind: Kind) -> bool:
        """Tell whether a node may write letters of this kind; what the inbox asks."""
        row = table.find_peer(session, node_id)
        if row is None or not table.state_of(row).is_admitted:
            return False
        return table.state_of(row) is PeerState.PAIRED or kind in _PAIRING_KINDS | {Kind.VOID}

    # What operators do.

    async def confirm(self, text: str) -> Peer:
        """Say that our operator saw the same authentication string on both sides."""
        return await self._change(self.get(text), PeerEvent.CONFIRM_HERE, Kind.PAIRING_CONFIRMED)

    async def reject(self, text: str) -> Peer:
        """Say that the strings differ, or that the pairing is not wanted."""
        return await self._change(self.get(text), PeerEvent.REJECT_HERE, Kind.PAIRING_REJECTED)

    async def unpair(self, text: str) -> Peer:
        """Forget a peer, tell it, and cut its connections."""
        return await self._change(self.get(text), PeerEvent.UNPAIR_HERE, Kind.UNPAIRED)

    async def forget(self, text: str) -> Peer:
        """Take a peer whose pairing has ended off the list; how it was is returned.

        Raises: PeerNotFound, PeerAmbiguous, IllegalTransition.
        """
        peer = self.get(text)

        def work(session: Session) -> _Snapshot:
            row = _row(session, peer.node_id)
            require_ended(peer.name, table.state_of(row))
            self._drop(session, peer.node_id)
            session.delete(row)
            return self._snapshot(session)

        await self._store.run(work, then=self._adopt)
        return peer

    async def move(self, text: str, address: str) -> Peer:
        """Call a peer at another address from now on. Raises: PeerNotFound, AddressMistyped."""
        peer, parsed = self.get(text), parse_address(address)

        def work(session: Session) -> _Snapshot:
            _row(session, peer.node_id).address = parsed
            return self._snapshot(session)

        await self._store.run(work, then=self._adopt)
        self._note_moved(peer, parsed)
        self._reached.pop(peer.node_id, None)  # the operator's word is not taken back
        self._troubles.pop(peer.node_id, None)
        self._seen(peer.node_id)
        return self.get(peer.node_id.text)

    # What pairing adds; see pairing.py.

    def add(
        self, session: Session, identity: Identity, bond: Bond, *, restarts: bool
    ) -> AfterCommit:
        """Note in the transaction that a node proved an invitation's code; what to do after it.

        restarts: whether a node that is paired already begins anew.
        Raises: AlreadyPaired, ShortIdTaken.
        """
        said = identity.introduction
        row = table.find_peer(session, identity.node_id)
        was_paired = row is not None and table.state_of(row) is PeerState.PAIRED
        if was_paired and not restarts:
            raise AlreadyPaired
        if table.has_namesake(session, identity.node_id):
            raise ShortIdTaken
        if row is None:
            name = table.free_name(session, said.name, self._own_name)
            row = table.PeerRow(node_id=identity.node_id.text, name=name, last_seen_milliseconds=0)
            row.state = PeerState.UNCONFIRMED.value
            session.add(row)
        else:
            self._drop(session, identity.node_id)
        row.certificate = identity.certificate_der
        row.address = row.introduced_address = said.address
        row.version = said.version
        row.state = table.state_of(row).after(PeerEvent.PAIR_AGAIN).value
        if was_paired:
            self._note(session, identity.node_id, row.name, False)
        row.pairing = bond.pairing
        row.authentication_string = bond.authentication_string
        row.owes_farewell = False
        row.changed_milliseconds = self._milliseconds()
        snapshot = self._snapshot(session)

        def after() -> None:
            self._adopt(snapshot)
            self._troubles.pop(identity.node_id, None)
            if was_paired:
                self._part(identity.node_id, 0.0)

        return after

    # What peers write.

    def handlers(self) -> Mapping[Kind, Callable[[Session, NodeId, Any], AfterCommit | None]]:
        """Return what the inbox calls for letters about pairing."""
        return {
            Kind.PAIRING_CONFIRMED: self._handler(PeerEvent.CONFIRM_THERE),
            Kind.PAIRING_REJECTED: self._handler(PeerEvent.REJECT_THERE),
            Kind.UNPAIRED: self._handler(PeerEvent.UNPAIR_THERE),
        }

    def _handler(self, event: PeerEvent) -> Callable[[Session, NodeId, Any], AfterCommit]:
        def handle(
            session: Session,
            sender: NodeId,
            body: PairingConfirmed | PairingRejected | Unpaired,
        ) -> AfterCommit:
            row = _row(session, sender)
            if body.pairing != row.pairing:
                raise LetterRefused(Refusal.CONFLICT, "a letter is about an earlier pairing")
            try:
                self._apply(session, row, event)
            except IllegalTransition as error:
                raise LetterRefused(Refusal.CONFLICT, error.what) from error
            has_left = not table.state_of(row).is_admitted
            if has_left:
                self._drop(session, sender)
            snapshot = self._snapshot(session)

            def after() -> None:
                self._adopt(snapshot)
                log.info("%s: %s", sender.short, event.value)
                if has_left:
                    self._part(sender, _RECEIPT_SECONDS)

            return after

        return handle

    # What links and the agent tell and ask.

    def when_gone(self, listener: Listener) -> None:
        """Have ``listener`` called when a peer has left: cut its connections, end its jobs."""
        self._when_gone.append(listener)

    def when_seen(self, listener: Callable[[NodeId], None]) -> None:
        """Have ``listener`` called when a peer may be reachable again, or at another address."""
        self._when_seen.append(listener)

    def contact(self, node_id: NodeId) -> Contact:
        """Return how to reach a peer, also one that has still to hear that the pairing ended.

        Raises: PeerNotPaired.
        """
        peer = self._peers.get(node_id)
        if peer is None or not (peer.state.is_admitted or self._is_owed_farewell(peer)):
            raise PeerNotPaired(
                f"{node_id.short if peer is None else peer.name} is not paired with this node",
                remedy="pair with it first",
            )
        return Contact(
            node_id=node_id,
            name=peer.name,
            address=peer.address,
            certificate_der=peer.certificate_der,
            public_der=peer.public_der,
        )

    def contacts(self) -> Iterable[NodeId]:
        """Return the peers to stay in touch with."""
        return tuple(p.node_id for p in self._peers.values() if p.state.is_admitted)

    async def note_greeting(
        self, node_id: NodeId, introduction: Introduction, *, inbound: bool
    ) -> None:
        """Keep what a peer says of itself: its version and, if it has moved, its address."""
        if self._boots.note(node_id, introduction.boot, self._now()):
            log.warning("two agents run with the identity of %s", node_id.short)
        now_milliseconds = self._milliseconds()
        before = self._peers.get(node_id)
        if not self._is_news(node_id, introduction, now_milliseconds, inbound=inbound):
            self._seen(node_id)
            return

        def work(session: Session) -> _Snapshot:
            row = _row(session, node_id)
            row.version = introduction.version
            row.last_seen_milliseconds = now_milliseconds
            # An address set by hand stands until the peer announces another than before.
            if self._moves(node_id, introduction, row.introduced_address, inbound=inbound):
                row.address = row.introduced_address = introduction.address
            return self._snapshot(session)

        await self._store.run(work, then=self._adopt)
        after = self._peers.get(node_id)
        if before is not None and after is not None:
            self._note_moved(before, after.address)
        self._seen(node_id)

    def _moves(
        self, node_id: NodeId, introduction: Introduction, introduced: str, *, inbound: bool
    ) -> bool:
        """Tell whether a greeting tells a new address; of two agents neither is followed."""
        are_two = self._boots.are_two(node_id, self._now())
        return inbound and not are_two and introduction.address not in ("", introduced)

    def _note_moved(self, before: Peer, address: str) -> None:
        if address != before.address:
            self._former[before.node_id] = before.address
            log.warning("%s is called at %s now, not at %s", before.name, address, before.address)

    def _is_news(
        self, node_id: NodeId, introduction: Introduction, now_milliseconds: int, *, inbound: bool
    ) -> bool:
        """Tell whether a greeting says more than that a peer is still there."""
        peer = self._peers.get(node_id)
        if peer is None or introduction.version != peer.version:
            return True
        if self._moves(node_id, introduction, peer.introduced_address, inbound=inbound):
            return True
        age_milliseconds = now_milliseconds - peer.last_seen_milliseconds
        return not 0 <= age_milliseconds < SEEN_AGAIN / timedelta(milliseconds=1)

    async def note_trouble(self, node_id: NodeId, trouble: Trouble | None) -> None:
        """Keep why a peer cannot be reached; None if it can."""
        peer = self._peers.get(node_id)
        if peer and peer.state.is_confirming and trouble and trouble.cause is Cause.REFUSED:
            trouble = half_paired(peer.name)
        known = self._troubles.get(node_id)
        if trouble is not None and (known is None or known.what != trouble.what):
            log.warning("%s; %s", trouble.what, trouble.remedy)
        self._troubles[node_id] = trouble
        await self._fall_back(peer, trouble)
        # Whoever refuses us needs no farewell.
        if peer and peer.owes_farewell and trouble and trouble.cause is Cause.REFUSED:

            def work(session: Session) -> _Snapshot:
                _row(session, node_id).owes_farewell = False
                return self._snapshot(session)

            await self._store.run(work, then=self._adopt)

    async def _fall_back(self, peer: Peer | None, trouble: Trouble | None) -> None:
        """Call a peer where it was last reached, if where it says to have moved it is not."""
        if peer is None:
            return
        if trouble is None:
            self._reached[peer.node_id] = peer.address
            return
        reached = self._reached.get(peer.node_id, peer.address)
        if reached == peer.address or not trouble.cause.is_of_address:
            return

        def work(session: Session) -> _Snapshot:
            row = _row(session, peer.node_id)
            if row.address == peer.address:  # nobody has moved it meanwhile
                row.address = reached
            return self._snapshot(session)

        await self._store.run(work, then=self._adopt)
        self._note_moved(peer, reached)
        self._seen(peer.node_id)

    # What all of that shares.

    async def _change(self, peer: Peer, event: PeerEvent, kind: Kind) -> Peer:
        """Let an operator's word take effect, and tell the peer, in one transaction."""
        body = {
            Kind.PAIRING_CONFIRMED: PairingConfirmed,
            Kind.PAIRING_REJECTED: PairingRejected,
            Kind.UNPAIRED: Unpaired,
        }[kind](pairing=peer.pairing)

        def work(session: Session) -> tuple[_Snapshot, bool]:
            row = _row(session, peer.node_id)
            before = table.state_of(row)
            if row.pairing != peer.pairing:
                raise IllegalTransition(
                    f"{peer.name} began to pair anew meanwhile", remedy="look again"
                )
            try:
                self._apply(session, row, event)
            except IllegalTransition as error:
                raise senseless(peer.name, before, event) from error
            after = table.state_of(row)
            has_left = before.is_admitted and not after.is_admitted
            if has_left:
                self._drop(session, peer.node_id)
                row.owes_farewell = True
            if before is not after:
                self._post(session, peer.node_id, kind, body)
            return self._snapshot(session), has_left

        def follow(done: tuple[_Snapshot, bool]) -> None:
            snapshot, has_left = done
            self._adopt(snapshot)
            if has_left:
                self._part(peer.node_id, 0.0)

        await self._store.run(work, then=follow)
        await asyncio.gather(*self._partings)
        return self.get(peer.node_id.text)

    def _apply(self, session: Session, row: table.PeerRow, event: PeerEvent) -> None:
        before = table.state_of(row)
        after = before.after(event)
        if after is before:
            return
        row.state = after.value
        row.changed_milliseconds = self._milliseconds()
        if not after.is_confirming:
            row.authentication_string = ""
        if PeerState.PAIRED in (before, after):
            self._note(session, NodeId(row.node_id), row.name, after is PeerState.PAIRED)

    def _part(self, node_id: NodeId, delay_seconds: float) -> None:
        task = asyncio.get_running_loop().create_task(self._tell_gone(node_id, delay_seconds))
        self._partings.add(task)
        task.add_done_callback(self._partings.discard)

    async def _tell_gone(self, node_id: NodeId, delay_seconds: float) -> None:
        await asyncio.sleep(delay_seconds)
        for listener in self._when_gone:
            await listener(node_id)

    def _seen(self, node_id: NodeId) -> None:
        for listener in self._when_seen:
            listener(node_id)

    def _adopt(self, snapshot: _Snapshot) -> None:
        # An older snapshot must not bring back a peer that has left.
        if snapshot.serial > self._serial:
            self._serial, self._peers = snapshot.serial, snapshot.peers

    def _snapshot(self, session: Session) -> _Snapshot:
        session.flush()
        peers = {peer.node_id: peer for peer in map(_peer, table.all_peers(session))}
        return _Snapshot(serial=next(self._serials), peers=peers)

    def _with_troubles(self, peer: Peer) -> Peer:
        # Nobody asks any more whether a peer that has left can be reached.
        known = peer.state.is_admitted and peer.node_id in self._troubles
        trouble = self._troubles.get(peer.node_id) if known else None
        is_reachable = known and trouble is None
        if known and self._boots.are_two(peer.node_id, self._now()):
            trouble = two_agents(peer.name)
        return replace(
            peer,
            trouble=trouble,
            is_reachable=is_reachable,
            former_address=self._former.get(peer.node_id, ""),
        )

    def _is_owed_farewell(self, peer: Peer) -> bool:
        age_milliseconds = self._milliseconds() - peer.changed_milliseconds
        return peer.owes_farewell and age_milliseconds < FAREWELL / timedelta(milliseconds=1)

    def _milliseconds(self) -> int:
        return int(self._now().timestamp() * 1000)


def _require_paired(peer: Peer) -> Peer:
    if peer.state is PeerState.PAIRED:
        return peer
    if peer.state.is_confirming:
        raise PeerNotPaired(
            f"the pairing with {peer.name} waits for confirmation",
            remedy=f'both operators compare the words and run "coffer peers confirm {peer.name}"',
        )
    raise PeerNotPaired(f"{peer.name} is {peer.state.word}", remedy="pair with it again")


def _row(session: Session, node_id: NodeId) -> table.PeerRow:
    row = table.find_peer(session, node_id)
    if row is None:
        raise PeerNotPaired(f"node {node_id.short} is not a peer", remedy="pair with it first")
    return row


def _peer(row: table.PeerRow) -> Peer:
    node_id, public_der = identity_of(row.certificate)
    return Peer(
        node_id=node_id,
        name=row.name,
        certificate_der=row.certificate,
        public_der=public_der,
        address=row.address,
        introduced_address=row.introduced_address,
        version=row.version,
        state=table.state_of(row),
        pairing=row.pairing,
        authentication_string=row.authentication_string,
        owes_farewell=row.owes_farewell,
        changed_milliseconds=row.changed_milliseconds,
        last_seen_milliseconds=row.last_seen_milliseconds,
    )
