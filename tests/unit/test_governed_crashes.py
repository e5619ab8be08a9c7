"""A node that is killed at any write loses no use, overspends nothing, and forks no ledger."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from appliance.budgets import budgets
from appliance.grants import store as grants_table
from appliance.jobs.states import JobState
from appliance.ledger import store as ledger_table
from appliance.ledger.facts import Kind
from appliance.store.errors import StoreError
from services.errors import ConfigError, ServiceError
from tests.unit.job_doubles import NOISY, OWNER, Fleet, Node, play

BUDGET = Decimal("1.0")
A_JOB = Decimal("0.4")
MOST_WRITES = 120


class Killer:
    """Kills a node at its ``at``-th transaction, before or after that is on disk."""

    def __init__(self, node: Node, at: int, *, is_after: bool) -> None:
        self.node = node
        self.left = at
        self.is_after = is_after
        self.has_struck = asyncio.Event()
        self.whole = node.store.run
        node.store.run = self.run  # type: ignore[method-assign]

    async def run(self, work: Callable[[Session], Any], then: Any = None) -> Any:
        self.left -= 1
        if self.left > 0:
            return await self.whole(work, then=then)
        if self.left == 0 and self.is_after:
            await self.whole(work)
        self.has_struck.set()
        raise StoreError("the node was killed")  # and so it stays until it is up again

    def disarm(self) -> None:
        """Let the node live on, though it has written less than was thought."""
        self.left = -1
        self.node.store.run = self.whole  # type: ignore[method-assign]


async def drive(fleet: Fleet, killer: Killer) -> bool:
    """Approve and finish what can be, and bring the node up again; tell whether it was killed."""
    async with asyncio.timeout(60):
        going = asyncio.create_task(go_on(fleet))
        struck = asyncio.create_task(killer.has_struck.wait())
        await asyncio.wait((going, struck), return_when=asyncio.FIRST_COMPLETED)
        if killer.has_struck.is_set():
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
            await killer.node.restart()
            await go_on(fleet)
        else:
            await going
            killer.disarm()
        struck.cancel()
    return killer.has_struck.is_set()


async def go_on(fleet: Fleet) -> None:
    """Do what people and workers would, until all jobs have ended."""
    while any([await step(node) for node in fleet.nodes]):
        await asyncio.sleep(0.01)


async def step(node: Node) -> bool:
    """Do what a node's people and workers would; tell whether some job goes on there."""
    views = (await node.jobs.list()).views
    for view in views:
        with suppress(ConfigError, KeyError, FileNotFoundError):
            if view.state is JobState.WAITING_APPROVAL:
                await node.jobs.approve(view.id, view.digest, OWNER)
            elif view.state is JobState.RUNNING:
                await node.finish(view.id)
    is_mail_left = any([await node.outbox.pending_count(peer) for peer in node.peers.pins])
    return is_mail_left or not all(view.state.has_ended for view in views)


def begun(node: Node, session: Session) -> list[str]:
    """Return the jobs that have used the node's own table, by the table of uses."""
    name = f"table-of-{node.name}"
    rows = [
        row
        for row in session.query(grants_table.GrantUseRow).all()
        if row.began_milliseconds is not None
        and (grant := grants_table.find_grant(session, row.grant_id)) is not None
        and (grant.grantor, grant.dataset) == (node.node_id.text, name)
    ]
    return [row.job_id for row in rows]


def check(node: Node, session: Session) -> None:
    """Hold uses, budget and ledger of a node against one another."""
    node.ledger.verify(session)
    used = begun(node, session)
    assert len(used) <= 2
    spent = budgets.spent(session, f"table-of-{node.name}").epsilon
    assert spent == A_JOB * len(used) <= BUDGET
    kinds = [one.kind for one in node.ledger.page(session, most=500)]
    assert Kind.LEDGER_REFUSED not in kinds
    for job_id in used:
        recorded = [one.kind for one in node.ledger.page(session, most=500, job_id=job_id)]
        assert recorded.count(Kind.BUDGET_SPENT) == 1
        assert recorded.count(Kind.GRANT_USED) == 2
        assert recorded.count(Kind.JOB_ENDED) == 1
    assert not ledger_table.forks_of(session, node.node_id)


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("first", range(1, 5))
@pytest.mark.parametrize("who", [0, 1], ids=["proposer", "owner"])
def test_a_kill_at_any_write_keeps_uses_budget_and_ledger(
    tmp_path: Path, who: int, first: int, is_after: bool
) -> None:
    strikes = 0
    for at in range(first, MOST_WRITES, 4):
        struck: list[bool] = []

        async def test(fleet: Fleet, at: int = at, struck: list[bool] = struck) -> None:
            for node in fleet.nodes:
                await node.allow(uses=2, budget={"epsilon": 1})
            killer = Killer(fleet.nodes[who], at, is_after=is_after)
            for _ in range(3):
                with suppress(ServiceError):
                    await fleet.submit(service=NOISY.name)
            struck.append(await drive(fleet, killer))
            for node in fleet.nodes:
                await node.store.run(partial(check, node))

        play(tmp_path / str(at), 2, test)
        strikes += struck[0]
        if not struck[0]:
            break
    else:
        pytest.fail(f"there are more than {MOST_WRITES} writes to kill")
    assert strikes > 3
