"""A peer that asks and never takes an answer has few letters written, and costs others nothing."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from appliance.identity.node_id import NodeId
from appliance.mailbox.letters import Kind, LedgerHeld, LedgerUnwitnessed
from appliance.mailbox.outbox import MOST_WAITING_ANSWERS, Outbox
from appliance.store.database import Store
from tests.unit.contract_doubles import MemoryKey

ASKING, OTHER = MemoryKey().node_id, MemoryKey().node_id


async def _send(*_: Any) -> Any:
    raise NotImplementedError


def test_of_each_kind_only_so_many_answers_wait_for_a_peer(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    outbox = Outbox(store, _send, lambda: 0)

    def answer(session: Session) -> None:
        for _ in range(5 * MOST_WAITING_ANSWERS):
            outbox.answer(session, ASKING, Kind.LEDGER_HELD, LedgerHeld(size=1))
        outbox.answer(session, ASKING, Kind.LEDGER_UNWITNESSED, LedgerUnwitnessed(size=1))
        outbox.answer(session, OTHER, Kind.LEDGER_HELD, LedgerHeld(size=1))

    async def waiting(peer: NodeId) -> int:
        return await outbox.pending_count(peer)

    asyncio.run(store.run(answer))

    assert asyncio.run(waiting(ASKING)) == MOST_WAITING_ANSWERS + 1
    assert asyncio.run(waiting(OTHER)) == 1
    store.close()
