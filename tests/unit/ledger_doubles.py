"""Ledgers for tests: a tree in memory, and nodes that keep ledgers in real databases."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from appliance.identity.node_id import NodeId
from appliance.ledger.checkpoint import Note
from appliance.ledger.entries import LocalUser
from appliance.ledger.exchange import Exchange
from appliance.ledger.facts import Facts, JobEnded, JobSigned, JobStarted, Kind, NodeStarted
from appliance.ledger.ledger import Ledger
from appliance.ledger.merkle import Frontier, Place, hash_leaf
from appliance.store.database import Store
from tests.unit.contract_doubles import MemoryKey

T = TypeVar("T")
ACTOR = LocalUser(uid=1000)
JOB = "a" * 26
DIGEST = "ab" * 32


class Tree:
    """The kept hashes of a tree in memory."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.hashes: dict[Place, bytes] = {}
        self.asked = 0
        grown = Frontier(size=0, hashes=())
        for position, leaf in enumerate(leaves):
            self.hashes[0, position] = hash_leaf(leaf)
            grown, made = grown.with_leaf(hash_leaf(leaf))
            self.hashes |= {node.place: node.hash for node in made}

    def read(self, places: Collection[Place]) -> dict[Place, bytes]:
        self.asked += 1
        return {place: self.hashes[place] for place in places}


class LedgerNode:
    """A node of which there is no more than its ledger; its clock goes by a second an entry."""

    def __init__(self, folder: Path, key: MemoryKey | None = None) -> None:
        self.key = key or MemoryKey()
        self.store = Store.open(folder)
        self.time = datetime(2026, 11, 30, 12, tzinfo=UTC)
        self.ledger = Ledger(self.key, now=self.now)
        self.exchange = Exchange(self.ledger, self.key, now=self.now)

    @property
    def id(self) -> NodeId:
        return self.key.node_id

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def run(self, work: Callable[[Session], T]) -> T:
        return asyncio.run(self.store.run(work))

    def record(self, kind: Kind, facts: Facts, job_id: str | None = None) -> int:
        return self.run(lambda session: self.ledger.append(session, kind, facts, ACTOR, job_id))

    def start(self, times: int = 1) -> None:
        """Record starts of the agent, all in one transaction."""

        def work(session: Session) -> None:
            for time in range(times):
                facts = NodeStarted(version=f"0.{time}")
                self.ledger.append(session, Kind.NODE_STARTED, facts, ACTOR)

        self.run(work)

    def run_job(self, job_id: str = JOB) -> None:
        """Record what a job leaves, between two other entries."""
        self.start()
        self.record(Kind.JOB_SIGNED, JobSigned(digest=DIGEST, node=self.id.text), job_id)
        self.record(Kind.JOB_STARTED, JobStarted(attempt=1), job_id)
        self.record(Kind.JOB_ENDED, JobEnded(outcome="succeeded", reason="completed"), job_id)
        self.start()

    def checkpoint(self) -> Note:
        return self.run(self.ledger.checkpoint)

    def show(self, peer: "LedgerNode") -> Note:
        """Give the peer our checkpoint, which it countersigns; return it with its signature."""
        note = self.checkpoint()
        size = note.checkpoint.size
        held = peer.run(lambda session: peer.exchange.held_size(session, self.id))
        proof = self.run(lambda session: self.ledger.prove_consistency(session, held, size))
        line = peer.run(
            lambda session: peer.exchange.take_checkpoint(
                session, self.id, self.key.public_der, note.text, proof
            )
        )
        self.run(
            lambda session: self.exchange.take_countersignature(
                session, peer.id, peer.key.public_der, size, line
            )
        )
        return self.run(lambda session: self.ledger.countersigned(session, size))

    def close(self) -> None:
        self.store.close()
