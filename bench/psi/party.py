"""One party of psi.intersect, no agent: ``python -m bench.psi.party RANK PORT KEYS PARAMETERS``.

Keys lie in memory before it begins, and the matches lie there at the end. Rank 0 alone learns them.
"""

import asyncio
import hashlib
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.agent.allocator import keep_large_buffers
from appliance.agent.scratch import FolderScratch
from bench.psi.tables import held_by
from services.channel import Channel
from services.progress import Silent
from services.randomness import System
from services.registry import SERVICES
from services.service import (
    Column,
    DatasetTerms,
    Keys,
    Numbers,
    Outcome,
    PartyTerms,
    Selection,
    Task,
    Terms,
    Texts,
)
from services.session import Party, Session
from services.transport.stream import Stream

SERVICE: Final = SERVICES["psi.intersect"]
NAMES: Final = ("receiver", "sender")


@dataclass(frozen=True, slots=True)
class Held:
    """A dataset of keys in memory, and no other column."""

    keys: Keys = field(repr=False)

    def read_keys(self) -> Iterator[Keys]:
        """Give all keys at once."""
        yield self.keys

    def read_texts(
        self, columns: Sequence[str], rows: NDArray[np.int64]
    ) -> Iterator[tuple[Texts, ...]]:
        """Refuse: these benchmarks ask for no other column."""
        raise LookupError(f"there are no columns {columns}")

    def read_numbers(self, columns: Sequence[str], digits: int) -> Iterator[Numbers]:
        """Refuse, likewise."""
        raise LookupError(f"there are no columns {columns}")


def terms(counts: Sequence[int], parameters: str, receivers: Sequence[int]) -> Terms:
    """Return what a contract would ask; ``parameters`` as JSON."""
    parties = tuple(
        PartyTerms(
            name=name,
            role=name,
            dataset=DatasetTerms(
                name="numbers",
                columns=(Column(name="id", type="VARCHAR"),),
                key=("id",),
                normal_form=(),
                row_count=counts[rank],
            ),
            receives=SERVICE.outputs if rank in receivers else (),
        )
        for rank, name in enumerate(NAMES)
    )
    asked = Terms(parties=parties, parameters=SERVICE.parameters.model_validate_json(parameters))
    SERVICE.require(asked)
    return asked


async def play(rank: int, link: socket.socket, keys: Keys, asked: Terms) -> Outcome:
    """Run the service as one party over a connected socket."""
    session = Session(
        session_id=hashlib.sha256(b"bench").digest(),
        rank=rank,
        parties=tuple(Party(rank=place, name=name) for place, name in enumerate(NAMES)),
        channels={1 - rank: Channel(Stream(link, peer=1 - rank))},
    )
    with tempfile.TemporaryDirectory() as folder:
        task = Task(
            session=session,
            terms=asked,
            inputs=Held(keys),
            scratch=FolderScratch(Path(folder)),
            rng=System(),
            progress=Silent(),
        )
        return await SERVICE.run(task)


def rows_of(outcome: Outcome) -> NDArray[np.int64]:
    """Return the rows that a party received; none if it received nothing."""
    chosen = outcome.outputs.get(SERVICE.outputs[0], Selection(np.empty(0, np.int64)))
    if not isinstance(chosen, Selection):
        raise TypeError("these benchmarks ask for no other column")
    return chosen.rows


def connected(rank: int, port: int) -> socket.socket:
    """Return a socket to the other party: rank 0 waits for it, rank 1 calls."""
    if rank == 0:
        with socket.create_server(("127.0.0.1", port)) as server:
            return server.accept()[0]
    for _ in range(500):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise TimeoutError("the other party does not listen")


def main(rank: int, port: int, count: int, parameters: str) -> None:
    """Be one party, as :mod:`bench.parties` wants it."""
    keep_large_buffers(until_end=True)  # as a worker does
    keys = held_by(rank, count)
    with connected(rank, port) as link:
        print("ready", flush=True)
        sys.stdin.readline()
        outcome = asyncio.run(
            play(rank, link, keys, terms((count, count), parameters, receivers=(0,)))
        )
        print("done", len(rows_of(outcome)), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
