"""A party's keys as hashes, in parts that fit into memory."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.errors import ConfigError
from services.kernels import blocks, keyhash
from services.kernels.blocks import Blocks
from services.kernels.distinct import first_of_each
from services.progress import Progress
from services.randomness import Rng
from services.service import Inputs, Keys, Scratch

RECORD_WORDS: Final = 3
"""Of a row that waits in a file: its hash, two words, and its number."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a table's rows. Shapes: hashes (n, 2), of the keys; rows (n,) int64, ascending."""

    hashes: Blocks = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Distinct:
    """The unlike keys of a part.

    Shapes: items (k, 2); counts (k,) int64, how many rows have each; rows (sum of counts,) int64,
            those of one key together.
    """

    items: Blocks = field(repr=False)
    counts: NDArray[np.int64] = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)

    def filled(self, bound: int, rng: Rng) -> Blocks:
        """Return the items and after them random ones, ``bound`` in all.

        Raises: ConfigError if there are more, which happens to one contract in 2^40.
        """
        lack = bound - len(self.items)
        if lack < 0:
            raise ConfigError(
                f"a partition holds {len(self.items)} keys, which is more than {bound}",
                remedy="propose the contract again",
            )
        if not lack:
            return self.items
        return np.concatenate((self.items, blocks.from_bytes(rng.draw(16 * lack))))


class Partitions:
    """The parts of a table: one is kept in memory, several wait in files."""

    def __init__(self, count: int, scratch: Scratch) -> None:
        self._count = count
        self._scratch = scratch
        self._held: list[Blocks] = []
        for number in range(count):
            scratch.drop(_name(number))  # of an attempt that was cut short

    def add(self, keys: Keys, salt: bytes, first_row: int) -> None:
        """Take in the keys of the next rows."""
        hashes = hash_keys(keys, salt)
        if self._count == 1:
            self._held.append(hashes)
            return
        numbers = part_of(hashes, self._count)
        order = np.argsort(numbers, kind="stable")
        records = np.empty((len(hashes), RECORD_WORDS), np.uint64)
        records[:, :2] = hashes[order]
        records[:, 2] = order + first_row
        ends = np.searchsorted(numbers[order], np.arange(self._count + 1))
        for number in range(self._count):
            piece = records[ends[number] : ends[number + 1]]
            if len(piece):
                self._scratch.append(_name(number), piece)

    def part(self, number: int) -> Part:
        """Return a part, which is held no longer."""
        if self._count == 1:
            held = self._held or [blocks.empty(0)]
            hashes = held[0] if len(held) == 1 else np.concatenate(held)
            self._held = []
            return Part(hashes, np.arange(len(hashes), dtype=np.int64))
        data = self._scratch.load(_name(number))
        if data is None:
            return Part(blocks.empty(0), np.empty(0, np.int64))
        records = data.view(np.uint64).reshape(-1, RECORD_WORDS)
        found = Part(records[:, :2].copy(), records[:, 2].astype(np.int64))
        self._scratch.drop(_name(number))
        return found


def _name(number: int) -> str:
    return f"part-{number}"


async def read_partitions(
    inputs: Inputs, count: int, salt: bytes, scratch: Scratch, progress: Progress
) -> tuple[Partitions, int]:
    """Read all keys into parts; also return how many rows there are."""
    made = Partitions(count, scratch)
    rows = 0
    batches = inputs.read_keys()
    while (keys := await asyncio.to_thread(next, batches, None)) is not None:
        await asyncio.to_thread(made.add, keys, salt, rows)
        rows += len(keys)
        progress.advance(len(keys))
    return made, rows


def salt_of(session_id: bytes) -> bytes:
    """Return the salt of a contract's hashes: those of two contracts never compare."""
    digest = hashlib.blake2b(session_id, digest_size=keyhash.SALT_BYTES, person=b"coffer psi keys")
    return digest.digest()


def hash_keys(keys: Keys, salt: bytes) -> Blocks:
    """Return the hashes of keys: a random oracle's, 128 bits each."""
    every = np.arange(len(keys), dtype=np.int64)
    return keyhash.hash_keys(keys.offsets, keys.data, every, salt=salt)


def part_of(hashes: Blocks, count: int) -> NDArray[np.uint16]:
    """Return in which of ``count`` parts each key is: both parties have it in the same one."""
    words = hashes[:, 1] >> np.uint64(32)
    return (words * np.uint64(count) >> np.uint64(32)).astype(np.uint16)


def distinct_of(part: Part, *, refuses_repeats: bool) -> Distinct:
    """Return the unlike keys of a part; ConfigError if some are alike and that is refused."""
    first = first_of_each(part.hashes)
    is_first = first == np.arange(len(first))
    places = np.flatnonzero(is_first)
    if len(places) == len(first):
        return Distinct(part.hashes, np.ones(len(first), np.int64), part.rows)
    if refuses_repeats:
        again = int(np.flatnonzero(~is_first)[0])
        raise ConfigError(
            f"rows {part.rows[first[again]] + 1} and {part.rows[again] + 1} have the same key",
            remedy="mend the table, or agree on what that means: parameter duplicates",
        )
    counts = np.bincount(first, minlength=len(first))[places]
    grouped = np.argsort(first, kind="stable")
    return Distinct(part.hashes[places], counts, part.rows[grouped])
