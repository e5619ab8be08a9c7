"""Datasets of a node with all about them."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from appliance.datasets.datasets import Datasets, OwnDataset, Registration
from appliance.datasets.inspect import inspect
from appliance.datasets.source import Inspected, Wanted
from appliance.datasets.table import Reading
from appliance.datasets.uploads import Uploads
from appliance.identity.node_id import NodeId
from appliance.ledger.ledger import Ledger
from appliance.mailbox.letters import (
    Body,
    ColumnBody,
    DatasetPublished,
    DatasetWithdrawn,
    Kind,
    write_body,
)
from appliance.peering.errors import PeerNotFound
from appliance.store.database import Store
from tests.unit.contract_doubles import MemoryKey
from tests.unit.dataset_doubles import csv_file

T = TypeVar("T")

HOSPITAL = NodeId.from_public_der(b"hospital")
BANK = NodeId.from_public_der(b"bank")
STRANGER = NodeId.from_public_der(b"stranger")


@dataclass(frozen=True, slots=True)
class SomePeer:
    node_id: NodeId
    name: str


class TwoPeers:
    """A hospital and a bank, both paired."""

    known = (SomePeer(HOSPITAL, "hospital"), SomePeer(BANK, "bank"))

    def get_paired(self, text: str) -> SomePeer:
        for peer in self.known:
            if text in (peer.name, peer.node_id.text):
                return peer
        raise PeerNotFound(f"no peer is called {text}")

    def find(self, node_id: NodeId) -> SomePeer | None:
        return next((peer for peer in self.known if peer.node_id == node_id), None)


class CountingRng:
    """Draws another value each time."""

    drawn = 0

    def draw(self, count: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(count, "big")


@dataclass
class World:
    """Datasets with all about it; letters are kept, and inspection runs right here."""

    folder: Path
    letters: list[tuple[NodeId, Kind, Body]] = field(default_factory=list)
    inspections: list[Wanted] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store.open(self.folder / "state")
        self.datasets = Datasets(
            self.store,
            peers=TwoPeers(),
            post=self.post,
            inspector=self.inspect,
            uploads=Uploads(self.folder / "state", most_bytes=1 << 20),
            rng=CountingRng(),
            ledger=Ledger(MemoryKey(), now=lambda: datetime.fromtimestamp(1234, UTC)),
            now_milliseconds=lambda: 1234,
            forgotten=lambda _, name: self.forgotten.append(name),
        )

    def post(self, session: Session, peer: NodeId, kind: Kind, body: Body) -> None:
        write_body(kind, body)
        self.letters.append((peer, kind, body))

    async def inspect(self, wanted: Wanted) -> Inspected:
        self.inspections.append(wanted)
        return inspect(wanted, Reading(scratch=self.folder))

    def add(self, name: str = "patients", content: str = "id,age\na,1\nb,\n") -> OwnDataset:
        path = csv_file(self.folder, content, f"{name}.csv")
        return run(self.datasets.add(Registration(name=name, path=str(path), key=("id",))))

    def receive(self, peer: NodeId, body: DatasetPublished | DatasetWithdrawn) -> None:
        def work(session: Session) -> None:
            if isinstance(body, DatasetPublished):
                self.datasets.on_published(session, peer, body)
            else:
                self.datasets.on_withdrawn(session, peer, body)

        run(self.store.run(work))


def run(awaitable: Awaitable[T]) -> T:
    async def waiting() -> T:
        return await awaitable

    return asyncio.run(waiting())


def told(name: str = "tests", **changes: Any) -> DatasetPublished:
    body = DatasetPublished(
        name=name,
        columns=(ColumnBody(name="id", type="VARCHAR"), ColumnBody(name="age", type="BIGINT")),
        key=("id",),
        normal_form=("trim",),
        row_count=3,
        fingerprint="ab" * 32,
    )
    return body.model_copy(update=changes)
