"""What nodes show each other of their ledgers: checkpoints, and signatures on the other's.

A node that has signed a checkpoint for a peer can no longer rewrite or drop what is below it: the
peer takes a later one only with the proof that the ledger goes on from there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId
from appliance.ledger import store as table
from appliance.ledger.checkpoint import (
    Note,
    countersign,
    origin_of,
    parse_note,
    parse_signature_line,
    verify_checkpoint,
    verify_countersigned,
)
from appliance.ledger.entries import NodeItself, PeerNode
from appliance.ledger.errors import LedgerForked, LedgerUnproven, ProofWrong
from appliance.ledger.facts import Kind, LedgerExchanged, LedgerRefused
from appliance.ledger.ledger import Ledger, milliseconds
from appliance.ledger.merkle import verify_consistency

RECORD_MILLISECONDS: Final = 10_000
"""How long after an exchange with a peer another leaves no entry: it could fill our disk so."""
MOST_FORKS: Final = 16
"""That are kept of one peer."""


class Exchange:
    """The checkpoints of peers, and theirs on ours, each taken inside the caller's transaction."""

    def __init__(self, ledger: Ledger, key: IdentityKey, *, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._key = key
        self._now = now

    def held_size(self, session: Session, peer: NodeId) -> int:
        """Return how large a peer's ledger was when we saw it last, 0 if we never did."""
        held = table.newest_of_peer(session, peer)
        return 0 if held is None else held.size

    def take_checkpoint(
        self,
        session: Session,
        peer: NodeId,
        public_der: bytes,
        text: str,
        proof: Sequence[bytes],
    ) -> str:
        """Keep and record a checkpoint of a peer; return our signature line on it.

        proof: that its ledger begins with that of :meth:`held_size`.
        Raises: CheckpointMalformed, CheckpointUnsigned, SignatureInvalid; LedgerUnproven and
        LedgerForked, which :meth:`keep_fork` is then for.
        """
        note = parse_note(text).only_by(origin_of(peer))
        verify_checkpoint(note, peer, public_der)
        held = table.newest_of_peer(session, peer)
        if held is not None:
            _require_goes_on(peer, held.note, note, proof)
        if held is None or held.size < note.checkpoint.size:
            since = RECORD_MILLISECONDS if held is None else self._at() - held.at_milliseconds
            self._keep(session, peer, note, is_recorded=since >= RECORD_MILLISECONDS)
        return countersign(note.checkpoint, self._key).text

    def keep_fork(self, session: Session, fork: LedgerUnproven) -> None:
        """Keep both checkpoints as evidence, and record that we refused to sign.

        Of a peer that goes on so, no more is kept than proves it.
        """
        if len(table.forks_of(session, fork.peer)) >= MOST_FORKS:
            return
        row = table.PeerForkRow(
            peer=fork.peer.text, held=fork.held, shown=fork.shown, at_milliseconds=self._at()
        )
        session.add(row)
        session.flush()
        facts = LedgerRefused(peer=fork.peer.text, reason=fork.what)
        self._ledger.append(session, Kind.LEDGER_REFUSED, facts, NodeItself())

    def take_countersignature(
        self, session: Session, peer: NodeId, public_der: bytes, size: int, line: str
    ) -> None:
        """Keep a peer's signature line on our checkpoint of a size.

        Raises: CheckpointNotFound, CheckpointMalformed, CheckpointUnsigned, SignatureInvalid.
        """
        signature = parse_signature_line(line.removesuffix("\n"))
        checkpoint = self._ledger.countersigned(session, size).checkpoint
        note = Note(checkpoint=checkpoint, signatures=(signature,))
        verify_countersigned(note, peer, public_der)
        kept = signature.text.removesuffix("\n")
        session.merge(table.LedgerCountersignatureRow(size=size, peer=peer.text, line=kept))
        session.flush()

    def _keep(self, session: Session, peer: NodeId, note: Note, *, is_recorded: bool) -> None:
        size, root = note.checkpoint.size, note.checkpoint.root
        row = table.PeerCheckpointRow(
            peer=peer.text, size=size, note=note.text, at_milliseconds=self._at()
        )
        session.add(row)
        session.flush()
        table.forget_older(session, peer, size)
        if not is_recorded:
            return
        facts = LedgerExchanged(peer=peer.text, size=size, root=root.hex())
        actor = PeerNode(node=peer.text)
        self._ledger.append(session, Kind.LEDGER_EXCHANGED, facts, actor)

    def _at(self) -> int:
        return milliseconds(self._now())


def _require_goes_on(peer: NodeId, held_text: str, shown: Note, proof: Sequence[bytes]) -> None:
    """Return if the peer's ledger begins with the one that we hold."""
    held, now = parse_note(held_text).checkpoint, shown.checkpoint
    if held.size == now.size and held.root != now.root:
        what = f"was signed twice with {now.size} entries, and they are not the same"
        raise LedgerForked(peer, what, held=held_text, shown=shown.text)
    if now.size < held.size:
        what = f"has {now.size} entries after it had {held.size}"
        raise LedgerUnproven(peer, what, held=held_text, shown=shown.text)
    try:
        verify_consistency(
            first=held.size,
            second=now.size,
            first_root=held.root,
            second_root=now.root,
            proof=proof,
        )
    except ProofWrong as error:
        what = f"of {now.size} entries is not shown to begin with its first {held.size}"
        raise LedgerUnproven(
            peer, f"{what}: {error.what}", held=held_text, shown=shown.text
        ) from None
