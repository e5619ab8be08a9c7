"""What a party can see of a run of the family psi: its output, and what messages tell it.

Facts are by name; whatever is seen and has no explanation here is a fact of a name of its own, so
that a comparison with what is disclosed fails.
"""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import msgspec

import services
from services import wire
from services.kernels.okvs_shape import Shape
from services.psi.agreement import Agreement
from services.psi.disclosure import (
    CURVE25519,
    DUAL_LPN,
    FIXED_KEY_AES,
    RANDOM_ORACLES,
    RISTRETTO255,
)
from services.psi.gifts import gift_of, takes_labels
from services.psi.intersect import INTERSECTION
from services.psi.keyed import counts_of, dataset_of
from services.psi.messages import (
    Counts,
    Enough,
    Lengths,
    MatchCount,
    Remaining,
    SumShares,
    Values,
)
from services.psi.parameters import parameters_of
from services.psi.plan import plan_of
from services.service import Joined, JoinedRows, Outcome, Selection, Terms
from tests.conversation import Recorded
from tests.tables import values_of

Facts = dict[str, Any]
Row = tuple[str | None, ...]

ROWS = "how many rows, or at most"
WHICH = "which of its rows match"
MATCHES = "how many keys match"
COLUMNS = "columns of rows that match"
EACH = "how many rows have each key that matches"
ALONE = "how many rows match none"
ALONE_COLUMNS = "columns of rows that match none"
BEHIND = "how many rows there are behind the bound"
FILLED = "how many rows that match have a value, of how many columns"
REACHED = "what reaches the minimum"
SUMS = "sums and means, of how many columns"

LOOK_RANDOM = {
    *("oprf/seed", "oprf/commitment", "oprf/coin"),
    *("silent_vole/places", "silent_vole/trees", "silent_vole/challenge", "silent_vole/answer"),
    *("base_ot/offer", "base_ot/choices", "ot_extension/extension"),
    *("selected_sum/flips", "selected_sum/corrections"),
}
"""Tags of messages whose content is masked or random, and whose size the terms alone decide."""

ASSUMED = {
    "psi.ecdh/blinded": CURVE25519,
    "base_ot/offer": RISTRETTO255,
    "ot_extension/extension": FIXED_KEY_AES,
    "silent_vole/trees": DUAL_LPN,
}
"""What a building block assumes, by the tag of a message that it cannot do without."""


def received(peer: Recorded) -> list[tuple[str, Any]]:
    """Return what came from an end, with the tags."""
    found = []
    for data in peer.sent:
        tag = msgspec.msgpack.decode(data)[0]
        found.append((tag, wire.decode(_types()[tag], data, sender=0, rows=len(data))))
    return found


@cache
def _types() -> dict[str, type[Any]]:
    found: dict[str, type[Any]] = {}
    for module in pkgutil.walk_packages(services.__path__, "services."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and hasattr(value, "_coffer_layout"):
                found[wire.layout_of(value).tag] = value
    return found


def assumed(ends: Sequence[Recorded]) -> set[str]:
    """Return what the messages of a run assume."""
    tags = {tag for end in ends for tag, _ in received(end)}
    return {RANDOM_ORACLES} | {ASSUMED[one] for one in tags & set(ASSUMED)}


def is_hardened(ends: Sequence[Recorded]) -> bool:
    """Return whether the messages of a run are those against malicious parties."""
    return any(tag == "oprf/commitment" for end in ends for tag, _ in received(end))


def seen_in_intersection(terms: Terms, rank: int, outcome: Outcome, peer: Recorded) -> Facts:
    """Return what a party of psi.intersect sees."""
    came, giver = received(peer), 1 - rank
    explained = (Counts, Remaining, Lengths, Values)
    facts = _of_sizes(came, _sizes_in_intersection(terms, rank), explained)
    facts |= _of_join(came, len(gift_of(terms, giver).columns))
    output = outcome.outputs.get(INTERSECTION)
    if any(tag == "psi.ecdh/matches" for tag, _ in came) and output is None:
        facts[WHICH] = "told, though it receives nothing"
    if ALONE in facts and dataset_of(terms.parties[giver]).is_bound:
        facts[BEHIND] = True
    if isinstance(output, Selection):
        rows = output.rows.tolist()
        is_kept = parameters_of(terms).join != "difference"
        every = range(outcome.summary["own_rows"])
        facts[WHICH] = rows if is_kept else [row for row in every if row not in rows]
    if isinstance(output, Joined):
        parts = list(output.parts)
        facts[WHICH] = sorted({row for part in parts for row in part.rows.tolist() if row >= 0})
        if takes_labels(terms):
            facts[COLUMNS] = sorted((row for part in parts for row in _rows_of(part)), key=repr)
    return facts


def seen_in_counting(terms: Terms, rank: int, peer: Recorded, counted: int | None) -> Facts:
    """Return what a party that counts blindly sees. counted: as the receiver, what it finds."""
    came, counts = received(peer), counts_of(terms)
    sizes = {"psi.ecdh/blinded": counts[1 - rank], "psi.ecdh/reblinded": counts[rank]}
    facts = _of_sizes(came, sizes, (MatchCount, Enough, SumShares))
    facts |= {} if counted is None else {MATCHES: counted}
    for told in (message for _, message in came if isinstance(message, MatchCount)):
        facts[MATCHES] = told.shifted - (1 << 62)
    reached = [one for _, m in came if isinstance(m, Enough) for one in m.is_enough.tolist()]
    facts |= {REACHED: reached} if reached else {}
    shares = [len(message.shares) for _, message in came if isinstance(message, SumShares)]
    if counted is not None and shares:
        facts[FILLED] = shares.pop(0)  # which the receiver adds to its own
    for number in shares:
        facts[SUMS] = number if counted is not None else number // 2  # with counts of values
    return facts


def _sizes_in_intersection(terms: Terms, rank: int) -> dict[str, int]:
    """Return how many rows in all the messages of each tag have, by the terms alone."""
    plan = plan_of(terms, gives_labels=takes_labels(terms))
    ours, theirs = plan.bounds[rank], plan.bounds[1 - rank]
    each = {
        "psi.ecdh/blinded": theirs,
        "psi.ecdh/reblinded": ours,
        "psi.ecdh/matches": ours,
        "psi.rr22/images": theirs * plan.image_bytes,
        "psi.rr22/labels": theirs * plan.label_bytes // 16,
        "oprf/masked": Shape.of(theirs).rows,
    }
    return {tag: plan.partitions * rows for tag, rows in each.items()}


def _of_sizes(
    came: list[tuple[str, Any]], sizes: dict[str, int], explained: tuple[type[Any], ...]
) -> Facts:
    """Return the row count that is told, and what in kind or size the terms do not explain.

    explained: types of messages that somebody else looks into.
    """
    facts: Facts = {}
    rows: Counter[str] = Counter()
    for tag, message in came:
        if isinstance(message, Agreement):
            facts[ROWS] = message.rows
        elif tag in sizes:
            (column,) = (getattr(message, name) for name, _ in wire.layout_of(type(message)).kinds)
            rows[tag] += len(column)
        elif not isinstance(message, explained) and tag not in LOOK_RANDOM:
            facts[f"a message {tag}"] = message
    return facts | {f"the size of {tag}": n for tag, n in rows.items() if n != sizes[tag]}


def _rows_of(part: JoinedRows) -> Iterator[Row]:
    return zip(*(values_of(texts) for texts in part.texts), strict=True)


def _of_join(came: list[tuple[str, Any]], columns: int) -> Facts:
    """Return what was given of rows: of those that match none after their number is told."""
    facts: Facts = {}
    lengths: Any = None
    for _, message in came:
        if isinstance(message, Counts):
            facts[EACH] = sorted([*facts.get(EACH, []), *message.counts.tolist()])
        elif isinstance(message, Remaining):
            facts[ALONE] = message.count
        elif isinstance(message, Lengths):
            lengths = message
        elif isinstance(message, Values):
            name = ALONE_COLUMNS if ALONE in facts else COLUMNS
            rows = _rows_in(lengths, message.data.tobytes(), columns)
            facts[name] = sorted([*facts.get(name, []), *rows], key=repr)
    return facts


def _rows_in(lengths: Lengths, data: bytes, columns: int) -> list[Row]:
    texts: list[str | None] = []
    start = 0
    for length, present in zip(lengths.lengths.tolist(), lengths.present.tolist(), strict=True):
        texts.append(data[start : start + length].decode() if present else None)
        start += length
    count = len(texts) // columns
    return list(zip(*(texts[n * count : (n + 1) * count] for n in range(columns)), strict=True))
