"""Letters that arrive: each takes effect once, in order, and is counted in the same transaction."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from appliance.identity.node_id import NodeId
from appliance.mailbox import store as table
from appliance.mailbox.letters import (
    Kind,
    Letter,
    LetterRefused,
    Receipt,
    Refusal,
    parse_letter,
)
from appliance.store.database import Store

AfterCommit = Callable[[], None]
# Called in the transaction; raises LetterRefused to refuse. The body is of the kind's own model.
Handler = Callable[[Session, NodeId, Any], AfterCommit | None]
Admits = Callable[[Session, NodeId, Kind], bool]

log = logging.getLogger(__name__)


class Inbox:
    """Receives peers' letters. A repeated letter has no second effect and gets the same receipt.

    ``admits`` says whether a node, as it stands now, may write letters of a kind.
    """

    def __init__(self, store: Store, admits: Admits) -> None:
        self._store = store
        self._admits = admits
        self._handlers: dict[Kind, Handler] = {Kind.VOID: _ignore}
        self._receptions: set[asyncio.Task[Receipt]] = set()

    def register(self, kind: Kind, handler: Handler) -> None:
        """Have ``handler`` called with each new letter of this kind."""
        self._handlers[kind] = handler

    async def receive(self, sender: NodeId, letter: Letter) -> Receipt:
        """Let a letter take effect, or refuse it; what the receipt says is on disk.

        A letter that has begun to take effect does so to the end, even if the sender hangs up.
        Raises: StoreError; then nothing happened and the letter may come again.
        """
        reception = asyncio.create_task(self._receive(sender, letter))
        self._receptions.add(reception)
        reception.add_done_callback(self._receptions.discard)
        return await asyncio.shield(reception)

    async def _receive(self, sender: NodeId, letter: Letter) -> Receipt:
        try:
            receipt, after = await self._store.run(
                lambda session: self._take(session, sender, letter)
            )
        except LetterRefused as refused:
            refusal = refused.refusal
            log.warning("refused a letter of %s: %s", sender.short, refused.what)
            await self._store.run(lambda session: _count(session, sender, letter.number, refusal))
            return Receipt(number=letter.number, refusal=refusal)
        if after is not None:
            after()
        return receipt

    def _take(
        self, session: Session, sender: NodeId, letter: Letter
    ) -> tuple[Receipt, AfterCommit | None]:
        mailbox = table.mailbox_of(session, sender)
        if letter.number == mailbox.received:
            last_refusal = Refusal.parse(mailbox.last_refusal)
            return Receipt(number=letter.number, refusal=last_refusal), None
        if letter.number < mailbox.received:
            return Receipt(number=letter.number), None
        if letter.number != mailbox.received + 1:
            log.warning(
                "letter %d of %s came before %d",
                letter.number,
                sender.short,
                mailbox.received + 1,
            )
            return Receipt(number=letter.number, refusal=Refusal.OUT_OF_ORDER), None
        kind, body = parse_letter(letter)
        handler = self._handlers.get(kind)
        if handler is None:
            raise LetterRefused(Refusal.UNKNOWN_KIND, f"nothing here reads {kind.value} letters")
        if not self._admits(session, sender, kind):
            raise LetterRefused(Refusal.NOT_ALLOWED, f"it may not write {kind.value} letters")
        after = handler(session, sender, body)
        _count(session, sender, letter.number, None)
        return Receipt(number=letter.number), after


def _count(session: Session, sender: NodeId, number: int, refusal: Refusal | None) -> None:
    mailbox = table.mailbox_of(session, sender)
    if number == mailbox.received + 1:  # else it was counted meanwhile
        mailbox.received = number
        mailbox.last_refusal = "" if refusal is None else refusal.value


def _ignore(session: Session, sender: NodeId, body: Any) -> None:
    """Let a void letter have no effect."""
