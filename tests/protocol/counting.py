"""psi.cardinality and psi.sum between two tables in memory, and what plain loops say of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.channel import Channel
from services.service import (
    Column,
    DatasetTerms,
    Figures,
    Outcome,
    PartyTerms,
    Service,
    Task,
    Terms,
)
from services.session import Party, Session
from services.transport.loopback import pair
from tests.conversation import Recorded, both
from tests.doubles import MemoryScratch, Seeded, Watched
from tests.tables import TableInMemory

NAMES = ("hospital", "laboratory")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A party's keys, its columns of numbers as text, and which type they are said to be."""

    keys: Sequence[bytes]
    columns: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    type: str = "DECIMAL(18,2)"
    most_rows: int | None = None

    @property
    def described(self) -> DatasetTerms:
        columns = [Column(name=name, type=self.type) for name in self.columns]
        return DatasetTerms(
            name="table",
            columns=(Column(name="id", type="VARCHAR"), *columns),
            key=("id",),
            normal_form=(),
            row_count=self.most_rows or len(self.keys),
            is_bound=self.most_rows is not None,
            payload=tuple(self.columns),
        )


def terms_of(
    service: Service, tables: Sequence[Table], receivers: Sequence[int], **parameters: Any
) -> Terms:
    roles = service.assign(tuple(receivers), 2)
    return Terms(
        parties=tuple(
            PartyTerms(
                name=name,
                role=roles[rank],
                dataset=tables[rank].described,
                receives=service.outputs if rank in receivers else (),
            )
            for rank, name in enumerate(NAMES)
        ),
        parameters=service.parameters.model_validate_json(json.dumps(parameters)),
    )


def task_of(end: Any, table: Table, terms: Terms, seed: int = 1) -> Task:
    rank = 1 - end.peer
    return Task(
        session=Session(
            session_id=bytes(32),
            rank=rank,
            parties=tuple(Party(rank=n, name=name) for n, name in enumerate(NAMES)),
            channels={1 - rank: Channel(end)},
        ),
        terms=terms,
        inputs=TableInMemory(table.keys, table.columns),
        scratch=MemoryScratch(),
        rng=Seeded(seed + rank),
        progress=Watched(),
    )


async def run_one(service: Service, task: Task) -> Outcome:
    return await service.run(task)


def run(
    service: Service, tables: Sequence[Table], receivers: Sequence[int] = (0,), **parameters: Any
) -> tuple[list[Outcome], list[Recorded]]:
    """Return both outcomes, and the ends with all that they sent."""
    terms = terms_of(service, tables, receivers, **parameters)
    service.require(terms)
    ends = [Recorded(end) for end in pair()]
    tasks = [task_of(end, table, terms) for end, table in zip(ends, tables, strict=True)]
    outcomes = list(both(*(run_one(service, task) for task in tasks)))
    for task in tasks:
        assert isinstance(task.progress, Watched)
        assert [name for name, _, _ in task.progress.stages] == [s.name for s in service.stages]
        assert all(done == total for _, total, done in task.progress.stages)
    return outcomes, ends


def rows_of(outcome: Outcome) -> list[tuple[Any, ...]]:
    (output,) = outcome.outputs.values()
    assert isinstance(output, Figures)
    return list(output.rows)


def keys(*numbers: int) -> list[bytes]:
    return [b"p%d" % number for number in numbers]
