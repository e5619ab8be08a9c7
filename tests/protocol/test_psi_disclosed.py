"""What runs disclose, held against their transcripts: everything that is seen, and nothing else."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services import wire
from services.errors import ConfigError
from services.psi import (
    cardinality,
    counting_terms,
    disclosure,
    intersect,
    sum_terms,
    summing,
    sums,
    telling,
)
from services.psi.counting import Counted, count
from services.psi.messages import Blinded, Counts, Images, MatchCount, Matches, Remaining
from services.psi.parameters import IntersectParameters
from services.registry import SERVICES
from services.service import Outcome, Service, Statement, Task, Terms, Topic
from services.transport.loopback import pair
from tests.conversation import Recorded, both
from tests.doubles import MemoryScratch
from tests.protocol import observed, test_psi_joins, test_psi_sum
from tests.protocol.counting import Table, keys, rows_of, run, terms_of
from tests.protocol.observed import Facts
from tests.protocol.test_psi_joins import COLUMNS, Side

NOISY = "a number with noise"
OF_NO_FACT = {
    one[0]
    for one in (
        *(disclosure.LEARNS_NO_OTHERS, disclosure.CAN_GUESS, disclosure.GOES_FIRST),
        *(disclosure.MAY_BRING_MORE, disclosure.TELLS_MATCHES, disclosure.WITHHOLDS_NOTHING),
        *(disclosure.LEARNS_NO_MATCHES, disclosure.GIVES_UNKNOWING, cardinality.LEARNS_NO_COUNT),
        *(counting_terms.CAN_COUNT_ONE, sum_terms.CAN_SUM_ONE, sum_terms.CAN_REACH_MINIMUM),
        *(sum_terms.CAN_MARK_ROWS, sum_terms.WITHHOLDS_BY_NOISE),
    )
}
"""What is said of guesses and lies, and of what is not learned: no facts of an honest run."""

Said = Sequence[Statement]


def of_party(said: Said, learner: int) -> dict[str, Statement]:
    """Return what is said that a party learns, by the template."""
    found = {one.template: one for one in said if one.learner == learner}
    assert len(found) == len([one for one in said if one.learner == learner])
    return found


def takes(said: dict[str, Statement], *templates: tuple[str, str, str]) -> Statement | None:
    """Return the one of these that is said, having taken it out, or None."""
    found = [said.pop(one[0]) for one in templates if one[0] in said]
    assert len(found) <= 1
    return found[0] if found else None


def told_of_rows(said: dict[str, Statement], count: int, most: int | None) -> Facts:
    """Return what is said of the peer's row count, which the statement must give as it is."""
    if one := takes(said, disclosure.LEARNS_SIZE):
        assert most is None
        assert one.facts["their_rows"] == str(count)
        return {observed.ROWS: count}
    if one := takes(said, disclosure.LEARNS_BOUND):
        assert one.facts["their_rows"] == str(most)
        return {observed.ROWS: most}
    return {}


def told_in_intersection(said: Said, sides: Sequence[Side], learner: int) -> Facts:
    """Return the facts that a party is said to learn, worked out by plain loops."""
    left, (ours, theirs) = of_party(said, learner), (sides[learner], sides[1 - learner])
    facts = told_of_rows(left, len(theirs.keys), theirs.most_rows)
    of_key: dict[bytes, list[tuple[str | None, ...]]] = {}
    for key, values in zip(theirs.keys, theirs.values, strict=True):
        of_key.setdefault(key, []).append(values)
    matching = [of_key[key] for key in of_key if key in ours.keys]
    alone = [values for key, rows in of_key.items() if key not in ours.keys for values in rows]
    if one := takes(left, disclosure.LEARNS_MATCHES, disclosure.LEARNS_MATCHES_BEHIND_BOUND):
        assert one.facts["own_rows"] == str(ours.row_count)
        facts[observed.WHICH] = [row for row, key in enumerate(ours.keys) if key in of_key]
    if takes(left, disclosure.LEARNS_COUNTS):
        facts[observed.EACH] = sorted(len(rows) for rows in matching)
    else:
        matching = [rows[:1] for rows in matching]
    given = [values for rows in matching for values in rows]
    for template, name, rows in (
        (disclosure.LEARNS_COLUMNS, observed.COLUMNS, given),
        (disclosure.LEARNS_UNMATCHED_COLUMNS, observed.ALONE_COLUMNS, alone),
    ):
        if (one := takes(left, template)) and rows:
            names = one.facts["columns"].split(", ")
            places = [COLUMNS[1 - learner].index(column) for column in names]
            facts[name] = sorted((tuple(row[n] for n in places) for row in rows), key=repr)
    if takes(left, disclosure.LEARNS_UNMATCHED):
        facts[observed.ALONE] = len(alone)
    if takes(left, disclosure.LEARNS_ROW_COUNT):
        facts[observed.BEHIND] = True
    assert set(left) <= OF_NO_FACT
    return facts


def told_in_counting(said: Said, tables: Sequence[Table], learner: int) -> Facts:
    """Return the facts that a party is said to learn, what is withheld taken out."""
    left, theirs = of_party(said, learner), tables[1 - learner]
    facts = told_of_rows(left, len(theirs.keys), theirs.most_rows)
    matches, filled = counts_by_loops(tables)
    by_noise = takes(left, sum_terms.HAS_NOISE, sum_terms.ALL_HAS_NOISE)
    if takes(left, counting_terms.LEARNS_COUNT):
        facts[observed.MATCHES] = matches
    if takes(left, cardinality.LEARNS_NOISY_COUNT):
        facts[observed.MATCHES] = NOISY
    if one := takes(left, sum_terms.LEARNS_COUNT_IF_ENOUGH):
        facts |= {observed.MATCHES: matches} if matches >= int(one.facts["minimum"]) else {}
    if one := takes(left, sum_terms.LEARNS_IS_ENOUGH):
        minimum = int(one.facts["minimum"])
        each = [number >= minimum for number in filled] if matches >= minimum else []
        facts[observed.REACHED] = [matches >= minimum, *each]
    if one := takes(left, sum_terms.LEARNS_VALUE_COUNTS):
        facts[observed.FILLED] = len(one.facts["columns"].split(", "))
    least = takes(left, sum_terms.WITHHOLDS_SUMS)
    if takes(left, sum_terms.LEARNS_SUMS, sum_terms.LEARNS_OWN_SUMS):
        fewest = int(least.facts["minimum"]) if least else 1
        facts[observed.SUMS] = len([number for number in filled if number >= fewest])
    one = takes(left, sum_terms.WITHHOLDS_VALUES, sum_terms.WITHHOLDS_ALL)
    if one and matches < int(one.facts["minimum"]):
        facts = {name: fact for name, fact in facts.items() if name not in OF_VALUES}
    assert set(left) <= OF_NO_FACT
    return blurred(facts, by_noise)


OF_VALUES = (observed.FILLED, observed.SUMS)


def blurred(facts: Facts, by_noise: Statement | None) -> Facts:
    """Return facts whose values are not compared where they are said to hold noise."""
    if by_noise is None:
        return facts
    exact = {observed.ROWS}
    if by_noise.template == sum_terms.HAS_NOISE[0]:
        exact |= {observed.MATCHES, observed.FILLED}  # of these the columns are counted here
    return {name: fact if name in exact else NOISY for name, fact in facts.items()}


def counts_by_loops(tables: Sequence[Table]) -> tuple[int, list[int]]:
    """Return how many keys match, and of each column how many of these rows have a value."""
    rows = [row for row, key in enumerate(tables[1].keys) if key in tables[0].keys]
    columns = tables[1].columns.values()
    return len(rows), [len([row for row in rows if one[row] is not None]) for one in columns]


def require_same(seen: Facts, told: Facts) -> None:
    """Raise AssertionError unless all is told that is seen, and the other way round."""
    shown = {name: NOISY if told.get(name) is NOISY else fact for name, fact in seen.items()}
    assert shown == told


def require_foundations(said: Said, ends: Sequence[Recorded]) -> None:
    """Raise AssertionError unless the messages are those of what the run is said to rest on."""
    facts = {one.topic: one.facts for one in said if one.learner is None}
    assumptions = set(facts[Topic.SECURITY]["assumptions"].split("; "))
    assert observed.assumed(ends) == assumptions
    is_malicious = facts[Topic.ADVERSARY]["adversary"] == "malicious"
    assert observed.is_hardened(ends) == is_malicious
    # A dealer, or a third party that must not collude, would be a peer besides.
    assert {end.peer for end in ends} == set(range(int(facts[Topic.COLLUSION]["parties"])))
    assert facts[Topic.DEALER]["dealer"] == facts[Topic.COLLUSION]["colluders"] == "none"


def intersected(sides: Sequence[Side], terms: Terms) -> tuple[list[Outcome], list[Recorded]]:
    fresh = [replace(side, scratch=MemoryScratch()) for side in sides]
    ends = [Recorded(end) for end in pair()]
    tasks = [test_psi_joins.task_of(ends[n], n, side, terms) for n, side in enumerate(fresh)]
    return list(both(*(run_one(task) for task in tasks))), ends


async def run_one(task: Task) -> Outcome:
    return await intersect.SERVICE.run(task)


def side(*rows: tuple[bytes, str, str | None], **changes: Any) -> Side:
    return Side(
        keys=tuple(key for key, *_ in rows),
        values=tuple((first, second) for _, first, second in rows),
        **changes,
    )


HOSPITAL = ((b"p1", "red", "41"), (b"p2", "blue", None), (b"p3", "red", "7"))
LABORATORY = ((b"p3", "A", "5"), (b"p9", "B", None), (b"p1", "C", "-1"), (b"p7", "D", "88"))
AGAIN = ((b"p1", "green", "9"), (b"p2", "red", "1"), (b"p1", "grey", None))


def intersections(
    protocol: str, security: str, receivers: Sequence[int]
) -> Iterator[tuple[list[Side], Terms]]:
    """Return tables and terms that a protocol can run, of all joins and gifts."""
    for join, columns, duplicates, is_bound, partitions in itertools.product(
        ("inner", "left", "right", "full", "difference"),
        (((), ()), (("ward",), ()), ((), ("sugar", "ward")), (("age",), ("sugar",))),
        ("refuse", "all"),
        (False, True),
        (1, 2),
    ):
        if partitions == 2 and (is_bound or join not in ("inner", "full")):
            continue
        if protocol == "rr22" and is_bound != (duplicates == "all"):
            continue  # it takes longer
        more = AGAIN if duplicates == "all" else ()
        sides = [
            side(*HOSPITAL, *more, receives=0 in receivers, most_rows=9 if is_bound else None),
            side(*LABORATORY, *more, receives=1 in receivers, most_rows=11 if is_bound else None),
        ]
        parameters = IntersectParameters.model_validate(
            {
                "protocol": protocol,
                "security": security,
                "join": join,
                "left_columns": columns[0],
                "right_columns": columns[1],
                "duplicates": duplicates,
                "partitions": partitions,
            }
        )
        terms = test_psi_joins.terms_of(sides, parameters)
        if is_runnable(intersect.SERVICE, terms):
            yield sides, terms


def is_runnable(service: Service, terms: Terms) -> bool:
    try:
        service.require(terms)
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("receivers", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize(
    ("protocol", "security"),
    [("ecdh", "semi-honest"), ("rr22", "semi-honest"), ("rr22", "malicious")],
)
def test_intersections_tell_each_party_what_is_disclosed_and_no_more(
    protocol: str, security: str, receivers: tuple[int, ...]
) -> None:
    cases = 0
    for sides, terms in intersections(protocol, security, receivers):
        said = intersect.SERVICE.disclose(terms)
        outcomes, ends = intersected(sides, terms)

        for rank, outcome in enumerate(outcomes):
            seen = observed.seen_in_intersection(terms, rank, outcome, ends[1 - rank])
            require_same(seen, told_in_intersection(said, sides, rank))
            rows = {"intersection_rows": len(seen.get(observed.WHICH, []))}
            own = rows | {"own_rows": len(sides[rank].keys)}
            assert outcome.summary == (own if rank in receivers else {})
        require_foundations(said, ends)
        cases += 1
    assert cases >= 4


def counted(
    monkeypatch: pytest.MonkeyPatch,
    service: Service,
    tables: Sequence[Table],
    receivers: Sequence[int],
    **asked: Any,
) -> tuple[list[Outcome], list[Recorded], Terms, int]:
    """Run a service that counts; also return what the receiver has counted, told or not."""
    found: list[int] = []

    async def watched(task: Task, inputs: Any, **more: Any) -> Counted:
        made = await count(task, inputs, **more)
        found.extend([int(made.selected.sum())] if task.session.rank == 0 else [])
        return made

    with monkeypatch.context() as patched:
        for module in (telling, summing):
            patched.setattr(module, "count", watched)
        outcomes, ends = run(service, tables, receivers, **asked)
    return outcomes, ends, terms_of(service, tables, receivers, **asked), found[0]


COUNTING = (Table(keys=keys(1, 2, 3)), Table(keys=keys(3, 9, 1, 7)))
ADDING = (test_psi_sum.HOSPITAL, test_psi_sum.LABORATORY)
APART = Table(keys=keys(31, 32, 33, 34))
BOUNDED = replace(ADDING[0], most_rows=9), replace(ADDING[1], most_rows=12)
ADDED: dict[str, Any] = {"columns": ["sugar", "iron"]}
NOISE: dict[str, Any] = {"epsilon": "100", "bounds": ["1000", "1000"]}


@pytest.mark.parametrize("receivers", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("asked", [{}, {"epsilon": "2"}])
@pytest.mark.parametrize(
    "tables", [COUNTING, (APART, COUNTING[1]), (replace(COUNTING[0], most_rows=9), COUNTING[1])]
)
def test_counts_tell_each_party_what_is_disclosed_and_no_more(
    tables: tuple[Table, Table],
    asked: dict[str, Any],
    receivers: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = cardinality.SERVICE
    outcomes, ends, terms, found = counted(monkeypatch, service, tables, receivers, **asked)
    said = service.disclose(terms)

    for rank, outcome in enumerate(outcomes):
        seen = observed.seen_in_counting(terms, rank, ends[1 - rank], None if rank else found)
        require_same(seen, told_in_counting(said, tables, rank))
        if rank in receivers:
            assert rows_of(outcome) == [(seen[observed.MATCHES],)]
            assert outcome.summary == {"own_rows": len(tables[rank].keys)}
        else:
            assert outcome == Outcome()
    require_foundations(said, ends)


@pytest.mark.parametrize("receivers", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize(
    ("tables", "asked"),
    [
        *[(ADDING, {"minimum": minimum}) for minimum in (1, 2, 3)],
        (BOUNDED, {"minimum": 2}),
        ((APART, ADDING[1]), {"minimum": 1}),
        (ADDING, {"minimum": 1, **NOISE}),
    ],
)
def test_sums_tell_each_party_what_is_disclosed_and_no_more(
    tables: tuple[Table, Table],
    asked: dict[str, Any],
    receivers: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service, asked = sums.SERVICE, ADDED | asked
    outcomes, ends, terms, found = counted(monkeypatch, service, tables, receivers, **asked)
    said = service.disclose(terms)

    for rank, outcome in enumerate(outcomes):
        seen = observed.seen_in_counting(terms, rank, ends[1 - rank], None if rank else found)
        require_same(seen, told_in_counting(said, tables, rank))
        if rank not in receivers:
            assert outcome == Outcome()
            continue
        released = [row for row in rows_of(outcome) if row[3] is not None]
        assert len(released) == seen.get(observed.SUMS, 0)
        assert all(row[1] == seen[observed.MATCHES] for row in released)
        own_rows = len(tables[rank].keys)
        assert outcome.summary == {"own_rows": own_rows, "released_columns": len(released)}
    if found >= asked["minimum"]:
        require_foundations(said, ends)


def test_each_service_is_held_against_its_transcript_here() -> None:
    assert set(SERVICES) == {intersect.NAME, cardinality.NAME, sums.NAME}


def test_what_is_not_said_and_what_is_said_too_much_is_noticed() -> None:
    sides = [side(*HOSPITAL, *AGAIN), side(*LABORATORY, *AGAIN, most_rows=9)]
    asked = {"join": "full", "right_columns": ("ward",), "duplicates": "all", "protocol": "ecdh"}
    terms = test_psi_joins.terms_of(sides, IntersectParameters.model_validate(asked))
    outcomes, ends = intersected(sides, terms)
    said = intersect.SERVICE.disclose(terms)
    seen = observed.seen_in_intersection(terms, 0, outcomes[0], ends[1])
    require_same(seen, told_in_intersection(said, sides, 0))

    unsaid = set[str]()
    for missing in (one for one in said if one.learner == 0 and one.template not in OF_NO_FACT):
        told = told_in_intersection([one for one in said if one is not missing], sides, 0)
        with pytest.raises(AssertionError):
            require_same(seen, told)
        unsaid |= set(seen) - set(told)
    assert unsaid == set(seen)
    for name in seen:
        with pytest.raises(AssertionError):
            require_same({one: seen[one] for one in seen if one != name}, dict(seen))


@pytest.mark.parametrize(
    "extra",
    [
        MatchCount((1 << 62) + 2),
        Remaining(count=1),
        Counts(np.ones(2, np.uint32)),
        Matches(np.ones(4, np.bool_)),
        Images(np.zeros(8, np.uint8)),
        Blinded(np.zeros((1, 32), np.uint8)),
    ],
)
def test_a_message_that_nothing_said_explains_is_noticed(extra: object) -> None:
    sides = [side(*HOSPITAL), side(*LABORATORY, receives=False)]
    terms = test_psi_joins.terms_of(sides, IntersectParameters(protocol="ecdh"))
    outcomes, ends = intersected(sides, terms)
    told = told_in_intersection(intersect.SERVICE.disclose(terms), sides, 1)
    require_same(observed.seen_in_intersection(terms, 1, outcomes[1], ends[0]), told)

    ends[0].sent.append(wire.join(wire.encode(extra)))

    with pytest.raises(AssertionError):
        require_same(observed.seen_in_intersection(terms, 1, outcomes[1], ends[0]), told)


def test_another_foundation_than_that_of_the_messages_is_noticed() -> None:
    sides = [side(*HOSPITAL), side(*LABORATORY)]
    parameters = [IntersectParameters(protocol="ecdh"), IntersectParameters(protocol="rr22")]
    one, other = (test_psi_joins.terms_of(sides, asked) for asked in parameters)
    _, ends = intersected(sides, one)
    require_foundations(intersect.SERVICE.disclose(one), ends)

    with pytest.raises(AssertionError):
        require_foundations(intersect.SERVICE.disclose(other), ends)
