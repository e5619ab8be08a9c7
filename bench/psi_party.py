"""One party of a PSI service, no agent: ``python -m bench.psi_party RANK PORT ITEMS SERVICE JSON``.

JSON are the service's parameters. Half of the items are common.
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
from services.channel import Channel
from services.progress import Silent
from services.randomness import System
from services.registry import SERVICES
from services.service import (
    Column,
    DatasetTerms,
    Keys,
    Numbers,
    PartyTerms,
    Service,
    Task,
    Terms,
    Texts,
)
from services.session import Party, Session
from services.transport.stream import Stream

NAMES: Final = ("receiver", "sender")
KEY_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Numbered:
    """A dataset of the keys numbered from ``start`` on, each 16 digits."""

    start: int
    count: int
    keys: Keys = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", numbered_keys(self.start, self.count))

    def read_keys(self) -> Iterator[Keys]:
        """Give the keys, which were made before."""
        yield self.keys

    def read_texts(
        self, columns: Sequence[str], rows: NDArray[np.int64]
    ) -> Iterator[tuple[Texts, ...]]:
        """Refuse: there are no columns but the key."""
        raise LookupError(f"no columns {columns}")

    def read_numbers(self, columns: Sequence[str], digits: int) -> Iterator[Numbers]:
        """Refuse: there are no columns but the key."""
        raise LookupError(f"no columns {columns}")


def numbered_keys(start: int, count: int) -> Keys:
    """Return the keys numbered from ``start`` on."""
    numbers = np.arange(start, start + count, dtype=np.int64)
    powers = 10 ** np.arange(KEY_BYTES - 1, -1, -1, dtype=np.int64)
    digits = (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    offsets = np.arange(0, KEY_BYTES * (count + 1), KEY_BYTES, dtype=np.int64)
    return Keys(offsets, np.ascontiguousarray(digits).reshape(-1))


def starts(items: int) -> tuple[int, int]:
    """Return where each party's numbers begin, so that half of them are common."""
    return 0, items - items // 2


def terms(items: int, service: Service, parameters: str) -> Terms:
    """Return what a contract would ask: the receiver alone learns the outcome."""
    dataset = DatasetTerms(
        name="numbers",
        columns=(Column(name="id", type="VARCHAR"),),
        key=("id",),
        normal_form=(),
        row_count=items,
    )
    parties = tuple(
        PartyTerms(
            name=name,
            role=name,
            dataset=dataset,
            receives=service.outputs if name == "receiver" else (),
        )
        for name in NAMES
    )
    return Terms(parties=parties, parameters=service.parameters.model_validate_json(parameters))


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


async def run(rank: int, port: int, items: int, name: str, parameters: str) -> int:
    """Run our role; return how many keys were found to be common."""
    service = SERVICES[name]
    inputs = Numbered(starts(items)[rank], items)
    with connected(rank, port) as link:
        print("ready", flush=True)
        sys.stdin.readline()
        channel = Channel(Stream(link, peer=1 - rank))
        session = Session(
            session_id=hashlib.sha256(b"bench").digest(),
            rank=rank,
            parties=tuple(Party(rank=place, name=name) for place, name in enumerate(NAMES)),
            channels={1 - rank: channel},
        )
        with tempfile.TemporaryDirectory() as folder:
            task = Task(
                session=session,
                terms=terms(items, service, parameters),
                inputs=inputs,
                scratch=FolderScratch(Path(folder)),
                rng=System(),
                progress=Silent(),
            )
            outcome = await service.run(task)
        return outcome.summary.get("intersection_rows", 0)


if __name__ == "__main__":
    keep_large_buffers(until_end=True)  # as a worker does
    rank, port, items = map(int, sys.argv[1:4])
    print("done", asyncio.run(run(rank, port, items, *sys.argv[4:])), flush=True)
    sys.stdin.read()
