"""A Merkle tree that only grows, as RFC 9162 defines it in section 2.1, with SHA-256.

A subtree that is complete never changes, so its hash is kept under its level and its position
there; level 0 are the leaves. Of such hashes the root of any earlier size is made, and proofs.
It is written here because pymerkle, the library there is, is under the GPL, keeps such hashes in
memory alone, and gives proofs a form of its own.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from appliance.ledger.errors import ProofWrong

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Place: TypeAlias = tuple[int, int]
"""The level and the position there of a complete subtree: of leaves p * 2^l to (p + 1) * 2^l."""
Read: TypeAlias = Callable[[Collection[Place]], Mapping[Place, bytes]]
"""Gives the hashes of complete subtrees, each of which there is."""


def hash_leaf(data: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Return the hash of a subtree of which these are the halves."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A subtree of more than one leaf that has become complete."""

    place: Place
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """What must be known of a tree for it to grow: the complete subtrees that cover it."""

    size: int
    hashes: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        """The hash of the whole tree."""
        return _join(self.hashes) if self.hashes else EMPTY_ROOT

    def with_leaf(self, leaf_hash: bytes) -> tuple["Frontier", list[Node]]:
        """Return the tree with one leaf more, and the subtrees that it has made complete."""
        hashes, made = list(self.hashes), list[Node]()
        level, position, top = 0, self.size, leaf_hash
        while position & 1:
            top = hash_children(hashes.pop(), top)
            level, position = level + 1, position >> 1
            made.append(Node(place=(level, position), hash=top))
        return Frontier(size=self.size + 1, hashes=(*hashes, top)), made


def read_frontier(read: Read, size: int) -> Frontier:
    """Return what must be known of a tree of this size."""
    places = list(_cover(0, size))
    known = read(places)
    return Frontier(size=size, hashes=tuple(known[place] for place in places))


def root_of(read: Read, size: int) -> bytes:
    """Return the root of the tree as it was when it had this size: MTH(D_n)."""
    return read_frontier(read, size).root


def prove_inclusions(read: Read, indexes: Sequence[int], size: int) -> list[list[bytes]]:
    """Return the proofs that the tree of this size has leaves: PATH(m, D_n), all read at once."""
    paths = [_siblings(index, size) for index in indexes]
    found = iter(_hashes(read, [subtree for path in paths for subtree in path]))
    return [[next(found) for _ in path] for path in paths]


def prove_consistency(read: Read, first: int, second: int) -> list[bytes]:
    """Return the proof that the larger tree begins with all of the smaller: PROOF(m, D_n)."""
    if first == 0:
        return []
    parts: list[tuple[int, int]] = []
    begin, end = 0, second
    while first != end:
        middle = begin + _split(end - begin)
        if first <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((begin, middle))
            begin = middle
    if begin > 0:  # else it is the smaller tree itself, whose root is known
        parts.append((begin, end))
    return _hashes(read, parts[::-1])


def verify_inclusion(
    *, index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Return if the proof leads from the leaf to the root (section 2.1.3.2), else ProofWrong."""
    _require(0 <= index < size, "the entry is not within the size of the tree")
    _require_hashes([leaf_hash, *proof])
    node, last, found = index, size - 1, leaf_hash
    for sibling in proof:
        _require(last > 0, "the proof is too long")
        if node & 1 or node == last:
            found = hash_children(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = hash_children(found, sibling)
        node, last = node >> 1, last >> 1
    _require(last == 0, "the proof is too short")
    _require(found == root, "the proof does not lead to the root")


def verify_consistency(
    *, first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Return if the proof leads to both roots (section 2.1.4.2), else ProofWrong."""
    _require(0 <= first <= second, "the tree has become smaller")
    if first in (0, second):
        _require(not proof, "the proof is too long")
        _require(first != second or first_root == second_root, "two roots of one size")
        return
    _require_hashes(proof)
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    _require(len(path) > 0, "the proof is too short")
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        _require(last > 0, "the proof is too long")
        if node & 1 or node == last:
            old, new = hash_children(sibling, old), hash_children(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = hash_children(new, sibling)
        node, last = node >> 1, last >> 1
    _require(last == 0, "the proof is too short")
    _require(old == first_root, "the proof does not lead to the root of the smaller tree")
    _require(new == second_root, "the proof does not lead to the root of the larger tree")


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ProofWrong(what)


def _require_hashes(proof: Sequence[bytes]) -> None:
    _require(all(len(one) == HASH_BYTES for one in proof), "the proof holds what is no hash")


def _split(count: int) -> int:
    """Return the greatest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def _cover(begin: int, end: int) -> Iterator[Place]:
    """Yield the complete subtrees, the largest first, that the leaves of a subtree consist of."""
    while begin < end:
        level = (end - begin).bit_length() - 1
        yield level, begin >> level
        begin += 1 << level


def _siblings(index: int, size: int) -> list[tuple[int, int]]:
    """Return the subtrees beside the path to a leaf, the lowest first."""
    siblings: list[tuple[int, int]] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((begin, middle))
            begin = middle
    return siblings[::-1]


def _hashes(read: Read, subtrees: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return the hash of each subtree, complete or not, all read at once."""
    covers = [list(_cover(begin, end)) for begin, end in subtrees]
    known = read({place for cover in covers for place in cover})
    return [_join([known[place] for place in cover]) for cover in covers]


def _join(hashes: Sequence[bytes]) -> bytes:
    found = hashes[-1]
    for left in reversed(hashes[:-1]):
        found = hash_children(left, found)
    return found
