"""What governance costs: to decide, to record in the ledger with proofs, and to verify all of it.

Entries are appended to a ledger that is large already, each with the proof that the ledger has it
as it is at the end of the transaction. Each transaction is on disk before the next begins.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from appliance.identity.keys import FileKey
from appliance.ledger import store as table
from appliance.ledger.entries import Entry, NodeItself, write_entry
from appliance.ledger.facts import (
    BudgetSpent,
    Facts,
    GrantUsed,
    JobDisclosed,
    JobSigned,
    JobStarted,
    Kind,
)
from appliance.ledger.ledger import Ledger
from appliance.ledger.merkle import Frontier, Node, hash_leaf
from appliance.store.database import Store
from bench import policy_decisions
from bench.asked import Asked
from bench.bars import Bar

ENTRIES: Final = 1_000_000
QUICK_ENTRIES: Final = 50_000
SECONDS: Final = 5.0
FEWEST_A_SECOND: Final = 2_000
MOST_VERIFY_SECONDS: Final = 10.0
SYNCS: Final = 100
_BATCH: Final = 10_000
_JOB: Final = "a" * 26
_NODE: Final = "-".join(["AAAAAAA"] * 8)
_DIGEST: Final = "ab" * 32
_STARTED: Final = (Kind.JOB_STARTED, JobStarted(attempt=1))
# What is recorded in one transaction when the last signature comes and a job starts.
_START: Final[tuple[tuple[Kind, Facts], ...]] = (
    (Kind.JOB_SIGNED, JobSigned(digest=_DIGEST, node=_NODE)),
    (Kind.GRANT_USED, GrantUsed(grant="grant-1", use=1, left=9)),
    (Kind.GRANT_USED, GrantUsed(grant="grant-2", use=4, left=6)),
    (
        Kind.BUDGET_SPENT,
        BudgetSpent(
            dataset="patients",
            peer=_NODE,
            epsilon="0.5",
            delta="1e-9",
            total_epsilon="2.5",
            total_delta="5e-9",
        ),
    ),
    (
        Kind.JOB_DISCLOSED,
        JobDisclosed(
            digest=_DIGEST,
            statements=(
                "hospital learns which of its own rows laboratory holds too",
                "laboratory learns how many rows hospital has, and nothing else",
            ),
        ),
    ),
    _STARTED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What an entry with its proof took, when so many were recorded in one transaction."""

    at_once: int
    entries: int
    wall_seconds: float
    cpu_seconds: float

    @property
    def wall_microseconds(self) -> float:
        """Of one entry."""
        return 1e6 * self.wall_seconds / self.entries

    def as_dict(self) -> dict[str, Any]:
        """Return a line of a table."""
        return {
            "entries_at_once": self.at_once,
            "entries_a_second": round(self.entries / self.wall_seconds),
            "wall_µs": round(self.wall_microseconds),
            "cpu_µs": round(1e6 * self.cpu_seconds / self.entries),
        }


def run(asked: Asked) -> dict[str, Any]:
    """Fill a ledger, record more in transactions of several sizes, and verify all of it."""
    decided = policy_decisions.run(asked)
    count = QUICK_ENTRIES if asked.is_quick else ENTRIES
    with tempfile.TemporaryDirectory(prefix="governance-") as name:
        folder = Path(name)
        ledger = Ledger(FileKey.open_or_make(folder, now=_now), now=_now)
        store = Store.open(folder)
        try:
            recorded = _measured(store, ledger, count, is_judged=not asked.is_quick)
            return {
                "disk_sync_ms": round(1000 * _sync_seconds(folder / "trial"), 2),
                **decided,
                **recorded,
                "bars": [*decided["bars"], *recorded["bars"]],
                "passed": decided["passed"] and recorded["passed"],
            }
        finally:
            store.close()


def _measured(store: Store, ledger: Ledger, count: int, *, is_judged: bool) -> dict[str, Any]:
    for rows, nodes in _filling(count):
        asyncio.run(store.run(partial(_put, rows, nodes)))
    asyncio.run(store.run(ledger.checkpoint))
    recorded = [
        asyncio.run(_record(store, ledger, records)) for records in (_START, [_STARTED], _START * 8)
    ]
    began, began_cpu = time.perf_counter(), time.process_time()
    verified = asyncio.run(store.run(ledger.verify))
    verify_seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    bars = (
        Bar(
            what=f"µs to record an entry with its proof, {len(_START)} at once",
            figure=recorded[0].wall_microseconds,
            limit=1e6 / FEWEST_A_SECOND,
            is_judged=is_judged,
        ),
        Bar(
            what=f"s to verify {count:,} entries and those",
            figure=verify_seconds,
            limit=MOST_VERIFY_SECONDS,
            is_judged=is_judged,
        ),
    )
    return {
        "recorded": [one.as_dict() for one in recorded],
        "bars": [bar.as_dict() for bar in bars],
        "verified_entries": verified.size,
        "verify_cpu_seconds": round(cpu_seconds, 2),
        "passed": not any(bar.is_missed for bar in bars),
    }


async def _record(store: Store, ledger: Ledger, records: Sequence[tuple[Kind, Facts]]) -> Recorded:
    """Record for some seconds, so many entries in one transaction."""

    def record(session: Session) -> None:
        actor = NodeItself()
        indexes = [ledger.append(session, *one, actor, _JOB) for one in records]
        ledger.prove_inclusions(session, indexes, indexes[-1] + 1)

    began, began_cpu, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < SECONDS:
        await store.run(record)
        done += len(records)
    return Recorded(
        at_once=len(records),
        entries=done,
        wall_seconds=time.perf_counter() - began,
        cpu_seconds=time.process_time() - began_cpu,
    )


def _sync_seconds(path: Path) -> float:
    """Return what this disk takes until a page that was written is kept: most of a transaction."""
    found = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            found.append(time.perf_counter() - began)
    return statistics.median(found)


def _filling(count: int) -> Iterator[tuple[list[table.Columns], list[Node]]]:
    """Yield entries for a new ledger as its tables have them, alike but for their index."""
    kind, facts = _STARTED
    entry = Entry(index=0, at=0, kind=kind, actor=NodeItself(), job=_JOB, facts=facts)
    before, index, after = write_entry(entry).partition(b'"index":')
    tree = Frontier(size=0, hashes=())
    for begin in range(0, count, _BATCH):
        rows, nodes = list[table.Columns](), list[Node]()
        for number in range(begin, min(count, begin + _BATCH)):
            content = before + index + b"%d" % number + after[1:]
            leaf_hash = hash_leaf(content)
            tree, made = tree.with_leaf(leaf_hash)
            rows.append((number, 0, kind.value, _JOB, content, leaf_hash))
            nodes += made
        yield rows, nodes


def _put(rows: list[table.Columns], nodes: list[Node], session: Session) -> None:
    table.add_entries(session, rows)
    table.add_nodes(session, nodes)


def _now() -> datetime:
    return datetime.now(UTC)
