"""One party of psi.intersect, no agent: ``python -m bench.psi_party RANK PORT ITEMS COMMON``."""

import asyncio
import hashlib
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from appliance.agent.scratch import FolderScratch
from services.channel import Channel
from services.progress import Silent
from services.randomness import System
from services.registry import SERVICES
from services.service import Column, DatasetTerms, Keys, PartyTerms, Task, Terms
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


def numbered_keys(start: int, count: int) -> Keys:
    """Return the keys numbered from ``start`` on."""
    numbers = np.arange(start, start + count, dtype=np.int64)
    powers = 10 ** np.arange(KEY_BYTES - 1, -1, -1, dtype=np.int64)
    digits = (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    offsets = np.arange(0, KEY_BYTES * (count + 1), KEY_BYTES, dtype=np.int64)
    return Keys(offsets, np.ascontiguousarray(digits).reshape(-1))


def starts(items: int, common: int) -> tuple[int, int]:
    """Return where each party's numbers begin, so that ``common`` of them are common."""
    return 0, items - common


def terms(items: int) -> Terms:
    """Return what a contract would ask: the receiver alone learns the intersection."""
    service = SERVICES["psi.intersect"]
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
    return Terms(parties=parties, parameters=service.parameters())


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


async def run(rank: int, port: int, items: int, common: int) -> int:
    """Run our role; return how many rows the result has."""
    inputs = Numbered(starts(items, common)[rank], items)
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
                terms=terms(items),
                inputs=inputs,
                scratch=FolderScratch(Path(folder)),
                rng=System(),
                progress=Silent(),
            )
            outcome = await SERVICES["psi.intersect"].run(task)
        return outcome.summary.get("intersection_rows", 0)


if __name__ == "__main__":
    print("done", asyncio.run(run(*map(int, sys.argv[1:]))), flush=True)
    sys.stdin.read()
