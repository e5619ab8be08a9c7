"""Whether the ledger on disk is what this node wrote: all of it computed anew from its entries.

Whoever can write to the database can make entries and tree agree again. So the root of each size
that was signed is compared too; of those the peers hold copies, which :func:`require_contains`
takes.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from sqlalchemy.orm import Session

from appliance.identity.errors import SignatureInvalid
from appliance.identity.node_id import NodeId
from appliance.ledger import store as table
from appliance.ledger.checkpoint import Note, parse_note, verify_checkpoint
from appliance.ledger.errors import CheckpointMalformed, CheckpointUnsigned, LedgerDamaged
from appliance.ledger.facts import Kind
from appliance.ledger.merkle import (
    Frontier,
    Place,
    hash_children,
    hash_leaf,
    read_frontier,
    root_of,
)

_BATCH_LEVEL: Final = 12
_BATCH: Final = 1 << _BATCH_LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found to be whole. Entries before ``pruned_up_to`` are known by hash alone."""

    size: int
    root: bytes
    pruned_up_to: int
    checkpoints: int


class _Head(msgspec.Struct):
    """What the columns of an entry repeat of its content."""

    index: int
    at: int
    kind: str
    job: str | None = None


class _PrunedFacts(msgspec.Struct):
    up_to: int


class _Pruned(msgspec.Struct):
    facts: _PrunedFacts


_HEADS: Final = msgspec.json.Decoder(_Head)


def verify_log(session: Session, node_id: NodeId, public_der: bytes) -> Verified:
    """Return what the whole ledger is. Raises: LedgerDamaged, which names the first bad entry."""
    pruned_up_to = _pruned_up_to(session)
    size, tops = 0, Frontier(size=0, hashes=())
    for rows in table.batches_of_entries(session, _BATCH):
        leaves = _verify_rows(rows, size, pruned_up_to)
        tops = _verify_subtrees(session, size, leaves, tops)
        size += len(rows)
    if table.count_nodes(session) != size - size.bit_count():
        raise LedgerDamaged(
            size, f"entries from {size} on are missing, whose hashes are still kept"
        )
    checkpoints = _verify_checkpoints(session, size, node_id, public_der)
    return Verified(
        size=size,
        root=read_frontier(partial(read_hashes, session), size).root,
        pruned_up_to=pruned_up_to,
        checkpoints=checkpoints,
    )


def require_contains(session: Session, size: int, note: Note, since: int = 0) -> None:
    """Return if a ledger of this size begins with what a checkpoint of it says.

    since: how many entries are known to be right.
    Raises: LedgerDamaged.
    """
    signed = note.checkpoint
    if signed.size > size:
        raise LedgerDamaged(
            size, f"entries from {size} on are missing: {signed.size} entries were signed"
        )
    if root_of(partial(read_hashes, session), signed.size) != signed.root:
        raise LedgerDamaged(
            since,
            f"an entry from {since} to {signed.size - 1} was changed after all up to there were"
            " signed",
        )


def read_hashes(session: Session, places: Collection[Place]) -> dict[Place, bytes]:
    """Return the kept hashes of complete subtrees. Raises: LedgerDamaged if one is not there."""
    found = table.hashes_at(session, places)
    for level, position in places:
        if not isinstance(found.get((level, position)), bytes):
            first = position << level
            raise LedgerDamaged(first, f"the hash of entry {first} or one above it is missing")
    return found


def _pruned_up_to(session: Session) -> int:
    """Return how far entries say that they were pruned; they are verified with all others."""
    found = 0
    for content in table.contents_of_kind(session, Kind.LEDGER_PRUNED):
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            found = max(found, msgspec.json.decode(content, type=_Pruned).facts.up_to)
    return found


def _verify_rows(rows: Sequence[table.Columns], begin: int, pruned_up_to: int) -> list[bytes]:
    """Return the hashes of entries that are each what its hash and its columns say."""
    leaves = []
    for expected, (number, at, kind, job, content, leaf_hash) in enumerate(rows, begin):
        if number != expected:
            raise LedgerDamaged(expected, f"entry {expected} is missing")
        if content is None:
            if number >= pruned_up_to or not isinstance(leaf_hash, bytes):
                raise LedgerDamaged(number, f"the content of entry {number} is missing")
        else:
            if not isinstance(content, bytes) or hash_leaf(content) != leaf_hash:
                raise LedgerDamaged(number, f"the content of entry {number} was changed")
            _verify_head(number, at, kind, job, content)
        leaves.append(leaf_hash)
    return leaves


def _verify_head(number: int, at: int, kind: str, job: str | None, content: bytes) -> None:
    try:
        head = _HEADS.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise LedgerDamaged(number, f"the content of entry {number} is no entry") from None
    if head.index != number:
        raise LedgerDamaged(number, f"entry {number} holds the content of entry {head.index}")
    if (head.at, head.kind, head.job) != (at, kind, job):
        raise LedgerDamaged(number, f"the time, kind or job of entry {number} was changed")


def _verify_subtrees(
    session: Session, begin: int, leaves: Sequence[bytes], tops: Frontier
) -> Frontier:
    """Compare what is kept of the subtrees that these leaves complete; return the batches' tree."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        pairs = zip(levels[-1][::2], levels[-1][1::2], strict=False)  # an odd one completes none
        levels.append([hash_children(left, right) for left, right in pairs])
    if len(leaves) < _BATCH:
        _compare(table.nodes_between(session, begin, begin + _BATCH), begin, levels)
        return tops
    if not table.are_nodes_between(session, begin, _in_order(levels)):
        _compare(table.nodes_between(session, begin, begin + _BATCH), begin, levels)
    tops, made = tops.with_leaf(levels[-1][0])
    above = {(node.place[0] + _BATCH_LEVEL, node.place[1]): node.hash for node in made}
    kept = table.hashes_at(session, above)
    _name_wrong([place for place, found in above.items() if kept.get(place) != found])
    return tops


def _in_order(levels: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Return the hashes of all subtrees of a whole batch, by the middles of these."""
    found = [b""] * (_BATCH - 1)
    for level, hashes in enumerate(levels[1:]):
        found[(1 << level) - 1 :: 2 << level] = hashes
    return found


def _compare(kept: Mapping[Place, bytes], begin: int, levels: Sequence[Sequence[bytes]]) -> None:
    _name_wrong(
        [
            (level, position)
            for level, hashes in enumerate(levels[1:], 1)
            for position, found in enumerate(hashes, begin >> level)
            if kept.get((level, position)) != found
        ]
    )


def _name_wrong(places: Sequence[Place]) -> None:
    """Name the narrowest subtree that ends first: all those above a bad entry are wrong too."""
    if not places:
        return
    level, position = min(places, key=lambda place: (place[1] + 1 << place[0], place[0]))
    first = position << level
    raise LedgerDamaged(
        first,
        f"entry {first} or one of the {(1 << level) - 1} after it was changed, or their hash was",
    )


def _verify_checkpoints(session: Session, size: int, node_id: NodeId, public_der: bytes) -> int:
    """Return how many checkpoints we have signed, each of which the ledger still begins with."""
    rows, since = table.all_checkpoints(session), 0
    for row in rows:
        try:
            note = parse_note(row.note)
            verify_checkpoint(note, node_id, public_der)
        except (CheckpointMalformed, CheckpointUnsigned, SignatureInvalid) as error:
            raise LedgerDamaged(
                since, f"the checkpoint of {row.size} entries was changed: {error.what}"
            ) from None
        if note.checkpoint.size != row.size:
            raise LedgerDamaged(since, f"the checkpoint of {row.size} entries is of another size")
        require_contains(session, size, note, since)
        since = row.size
    return len(rows)
