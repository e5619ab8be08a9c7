"""Peers hold each other to their ledgers: checkpoints are shown after jobs, and countersigned.

What is shown goes on from what was shown last, so that of letters under way at once each fits the
one before. Where the peer holds something else, as after a lost letter, it says what, once.
"""

import base64
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from appliance.identity.errors import SignatureInvalid
from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId
from appliance.ledger import store as table
from appliance.ledger.checkpoint import parse_note
from appliance.ledger.entries import PeerNode
from appliance.ledger.errors import (
    CheckpointMalformed,
    CheckpointNotFound,
    CheckpointUnsigned,
    LedgerUnproven,
)
from appliance.ledger.exchange import Exchange
from appliance.ledger.facts import Kind as Entry
from appliance.ledger.facts import LedgerRefused
from appliance.ledger.ledger import Ledger, milliseconds
from appliance.mailbox.inbox import Handler
from appliance.mailbox.letters import (
    Kind,
    LedgerCountersigned,
    LedgerHeld,
    LedgerShown,
    LedgerUnwitnessed,
    LetterRefused,
    Refusal,
)
from appliance.mailbox.outbox import Outbox

log = logging.getLogger(__name__)

PublicKeyOf = Callable[[Session, NodeId], bytes | None]
_REFUSED: Final = "does not countersign our ledger: it says that it is not the one that it knew"


class Agreement:
    """Shows peers our ledger, signs what they show, and keeps what they sign.

    public_key_of: of a paired peer, by its pin; None of any other node.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        key: IdentityKey,
        outbox: Outbox,
        public_key_of: PublicKeyOf,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._exchange = Exchange(ledger, key, now=now)
        self._outbox = outbox
        self._public_key_of = public_key_of
        self._now = now

    def handlers(self) -> dict[Kind, Handler]:
        """Return what the inbox calls for letters about ledgers."""
        return {
            Kind.LEDGER_SHOWN: self._on_shown,
            Kind.LEDGER_COUNTERSIGNED: self._on_countersigned,
            Kind.LEDGER_HELD: self._on_held,
            Kind.LEDGER_UNWITNESSED: self._on_unwitnessed,
        }

    def show(self, session: Session, peers: Sequence[NodeId]) -> None:
        """Show our ledger to peers, as it is now."""
        for peer in peers:
            if self._public_key_of(session, peer) is not None:
                self._show(session, peer, self._shown(session, peer))

    def _show(self, session: Session, peer: NodeId, since: int) -> None:
        note = self._ledger.checkpoint(session)
        size = note.checkpoint.size
        # A peer that holds more than there is of our ledger needs no proof to see that.
        is_within = 0 < since <= size
        proof = self._ledger.prove_consistency(session, since, size) if is_within else []
        body = LedgerShown(
            note=note.text,
            since=since,
            proof=tuple(base64.b64encode(one).decode("ascii") for one in proof),
        )
        table.note_shown(session, peer, size, milliseconds(self._now()))
        self._outbox.put(session, peer, Kind.LEDGER_SHOWN, body)

    def _on_shown(self, session: Session, peer: NodeId, body: LedgerShown) -> None:
        """Sign a peer's checkpoint, or say what we hold, or that we refuse to sign."""
        held = self._exchange.held_size(session, peer)
        if body.since != held:
            self._outbox.answer(session, peer, Kind.LEDGER_HELD, LedgerHeld(size=held))
            return
        key = self._key_of(session, peer)
        try:
            proof = [base64.b64decode(one, validate=True) for one in body.proof]
            size = parse_note(body.note).checkpoint.size
            line = self._exchange.take_checkpoint(session, peer, key, body.note, proof)
        except LedgerUnproven as unproven:
            log.error("%s; %s", unproven.what, unproven.remedy)
            self._exchange.keep_fork(session, unproven)
            self._outbox.answer(
                session, peer, Kind.LEDGER_UNWITNESSED, LedgerUnwitnessed(size=size)
            )
            return
        except (ValueError, CheckpointMalformed) as error:
            raise LetterRefused(
                Refusal.MALFORMED, f"a shown ledger is malformed: {error}"
            ) from None
        except (CheckpointUnsigned, SignatureInvalid) as error:
            raise LetterRefused(Refusal.BAD_SIGNATURE, error.what) from None
        signed = LedgerCountersigned(size=size, line=line.removesuffix("\n"))
        self._outbox.answer(session, peer, Kind.LEDGER_COUNTERSIGNED, signed)

    def _on_countersigned(self, session: Session, peer: NodeId, body: LedgerCountersigned) -> None:
        key = self._key_of(session, peer)
        try:
            self._exchange.take_countersignature(session, peer, key, body.size, body.line)
        except (CheckpointNotFound, CheckpointMalformed) as error:
            raise LetterRefused(Refusal.MALFORMED, error.what) from None
        except (CheckpointUnsigned, SignatureInvalid) as error:
            raise LetterRefused(Refusal.BAD_SIGNATURE, error.what) from None

    def _on_held(self, session: Session, peer: NodeId, body: LedgerHeld) -> None:
        """Show our ledger once more, from what the peer holds of it; it judges whether that fits.

        Once for each time that we show it by ourselves, and never to a peer that refuses to sign:
        it could make us write letters and entries without end.
        """
        shown = table.find_shown(session, peer)
        if shown is None or shown.is_refused or shown.is_repeated or shown.size == body.size:
            return
        self._show(session, peer, body.size)
        shown.is_repeated = True

    def _on_unwitnessed(self, session: Session, peer: NodeId, body: LedgerUnwitnessed) -> None:
        """Record that a peer does not sign what it was shown: once for each time."""
        shown = table.find_shown(session, peer)
        if shown is None or shown.is_refused or shown.size != body.size:
            return
        shown.is_refused = True
        facts = LedgerRefused(peer=peer.text, reason=_REFUSED)
        log.error("%s %s, of %d entries", peer.short, _REFUSED, body.size)
        self._ledger.append(session, Entry.LEDGER_REFUSED, facts, PeerNode(node=peer.text))

    def _shown(self, session: Session, peer: NodeId) -> int:
        row = table.find_shown(session, peer)
        return 0 if row is None else row.size

    def _key_of(self, session: Session, peer: NodeId) -> bytes:
        key = self._public_key_of(session, peer)
        if key is None:
            raise LetterRefused(Refusal.NOT_ALLOWED, "it is not paired")
        return key
