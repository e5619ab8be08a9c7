"""psi.sum: counts, sums and means over the keys in common, against plain loops."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.channel import Channel
from services.errors import ConfigError, PeerProtocolError
from services.primitives import laplace, selected_sum
from services.progress import Silent
from services.psi import sum_terms
from services.psi.messages import Enough, MatchCount, SumShares
from services.psi.sums import SERVICE
from services.service import Outcome
from services.transport.loopback import pair
from services.wire import encode
from tests.conversation import both, ends
from tests.doubles import Seeded
from tests.protocol.counting import Table, keys, rows_of, run, run_one, task_of, terms_of

HOSPITAL = Table(keys=keys(1, 2, 3, 4))
LABORATORY = Table(
    keys=keys(3, 9, 1, 7),
    columns={"sugar": ["5.25", "100", "-7.5", "100"], "iron": [None, "3", "1", None]},
)
BOTH: dict[str, Any] = {"columns": ["sugar", "iron"], "minimum": 1}

amounts = st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=2).map(str))
rows = st.dictionaries(st.integers(0, 40), st.tuples(amounts, amounts), min_size=1)


def by_loops(
    ours: set[int], theirs: dict[int, tuple[str | None, str | None]], minimum: int
) -> list[tuple[Any, ...]]:
    matching = [theirs[number] for number in ours & set(theirs)]
    if len(matching) < minimum:
        return []
    figures: list[tuple[Any, ...]] = []
    for place, name in enumerate(("sugar", "iron")):
        values = [Decimal(one) for row in matching if (one := row[place]) is not None]
        if len(values) < minimum:
            figures.append((name, len(matching), None, None, None))
        else:
            total = sum(values, Decimal(0)).quantize(Decimal("0.01"))
            mean = float(total / len(values))
            figures.append((name, len(matching), len(values), total, mean))
    return figures


def read_back(outcome: Outcome) -> list[tuple[Any, ...]]:
    return [
        (name, matches, values, None if total is None else Decimal(total), mean)
        for name, matches, values, total, mean in rows_of(outcome)
    ]


@given(ours=st.sets(st.integers(0, 40), min_size=1), theirs=rows, minimum=st.integers(1, 4))
@settings(max_examples=25)
def test_figures_are_those_of_plain_loops(
    ours: set[int], theirs: dict[int, tuple[str | None, str | None]], minimum: int
) -> None:
    columns = {
        name: [row[place] for row in theirs.values()]
        for place, name in enumerate(("sugar", "iron"))
    }
    tables = (Table(keys=keys(*ours)), Table(keys=keys(*theirs), columns=columns))

    outcomes, _ = run(SERVICE, tables, (0, 1), columns=["sugar", "iron"], minimum=minimum)

    expected = by_loops(ours, theirs, minimum)
    assert [read_back(outcome) for outcome in outcomes] == [expected] * 2
    released = len([row for row in expected if row[2] is not None])
    assert outcomes[0].summary == {"own_rows": len(ours), "released_columns": released}


def test_only_who_receives_gets_figures() -> None:
    for receiver in (0, 1):
        outcomes, _ = run(SERVICE, (HOSPITAL, LABORATORY), (receiver,), **BOTH)

        assert outcomes[1 - receiver] == Outcome()
        assert rows_of(outcomes[receiver]) == [
            ("sugar", 2, 2, "-2.25", -1.125),
            ("iron", 2, 1, "1.00", 1.0),
        ]


def test_below_the_minimum_nothing_is_said_of_any_value() -> None:
    outcomes, recorded = run(SERVICE, (HOSPITAL, LABORATORY), (0, 1), columns=["sugar"], minimum=3)

    assert [rows_of(outcome) for outcome in outcomes] == [[], []]
    other = Table(keys=LABORATORY.keys, columns={"sugar": ["0"] * 4})
    _, recorded_of_other = run(SERVICE, (HOSPITAL, other), (0, 1), columns=["sugar"], minimum=3)
    assert recorded[1].sent == recorded_of_other[1].sent


def test_rows_that_fill_up_count_as_nothing() -> None:
    padded = Table(keys=LABORATORY.keys, columns=LABORATORY.columns, most_rows=60)

    outcomes, _ = run(SERVICE, (Table(keys=HOSPITAL.keys, most_rows=9), padded), **BOTH)

    assert rows_of(outcomes[0])[0] == ("sugar", 2, 2, "-2.25", -1.125)


def test_sizes_of_messages_are_those_of_tables_and_of_what_is_released() -> None:
    def sizes(theirs: Table) -> list[list[int]]:
        _, recorded = run(SERVICE, (HOSPITAL, theirs), (0, 1), **BOTH)
        return [[len(message) for message in end.sent] for end in recorded]

    others = Table(keys=keys(2, 4, 5, 6), columns={"sugar": ["1"] * 4, "iron": ["2"] * 4})
    assert sizes(LABORATORY) == sizes(others)


def test_noise_is_spread_as_the_budget_says() -> None:
    """At ε = 1 over three figures: of scale 3 in counts, of 3 · 2 · 600 hundredths in sums."""
    tables = (
        Table(keys=keys(*range(60))),
        Table(keys=keys(*range(60)), columns={"sugar": ["5"] * 60}),
    )
    asked: dict[str, Any] = {"columns": ["sugar"], "minimum": 1, "bounds": ["6"]}

    blurred = [run(SERVICE, tables, (0, 1), epsilon="1", **asked)[0] for _ in range(4)]

    rows = [row for outcomes in blurred for outcome in outcomes for row in rows_of(outcome)]
    assert len({row[3] for row in rows}) > 2
    assert all(abs(row[2] - 60) < 150 for row in rows)
    assert all(abs(Decimal(row[3]) - 300) < 1800 for row in rows)
    assert all(row[1] == 60 for outcomes in blurred for row in rows_of(outcomes[0]))
    assert len({row[1] for outcomes in blurred for row in rows_of(outcomes[1])}) > 1


def test_whether_the_minimum_is_reached_holds_noise_too() -> None:
    """At ε = 0.03 over three figures noise has scale 100: 60 keys reach 60 every other time."""
    many = tuple(range(60))
    tables = (
        Table(keys=keys(*many)),
        Table(keys=keys(*many), columns={"sugar": ["5"] * 60}),
    )
    asked: dict[str, Any] = {"columns": ["sugar"], "minimum": 60, "bounds": ["6"]}

    seen: set[bool] = set()
    for _ in range(40):  # by chance alike in all once in 2^39
        outcomes, _ = run(SERVICE, tables, (0,), epsilon="0.03", **asked)
        seen.add(bool(rows_of(outcomes[0])))
        if len(seen) == 2:
            break

    assert seen == {True, False}


def test_values_beyond_the_bound_are_cut_off() -> None:
    far = Table(keys=keys(1, 2, 3), columns={"sugar": ["1000000", "-9000000", "2000000"]})
    terms: dict[str, Any] = {"columns": ["sugar"], "minimum": 1, "epsilon": "100", "bounds": ["10"]}

    outcomes, _ = run(SERVICE, (HOSPITAL, far), **terms)

    for row in rows_of(outcomes[0]):  # noise of scale 0.6 hides no million
        assert row[3] is None or abs(Decimal(row[3]) - 10) < 1000


def test_noise_is_discrete_laplace() -> None:
    """E|X| = 2 a / (1 - a²) with a = e^(-1/scale), and X is even about 0 [GRS09]."""
    drawn = np.array([laplace.draw(3.0) for _ in range(4000)], float)
    ratio = np.exp(-1 / 3)
    assert abs(np.abs(drawn).mean() - 2 * ratio / (1 - ratio**2)) < 0.4  # 8 standard deviations
    assert abs(drawn.mean()) < 0.6


@pytest.mark.parametrize(
    ("changes", "blame"),
    [
        ({"columns": ["salt"]}, "has no column salt"),
        ({"columns": ["id"]}, "the column id of laboratory is VARCHAR: only numbers add up"),
        ({"columns": ["sugar", "sugar"]}, "the column sugar is named twice"),
        ({"epsilon": "1"}, "0 bounds are given where 1 are needed"),
        ({"bounds": ["1"]}, "1 bounds are given where 0 are needed"),
        ({"epsilon": "1", "bounds": ["0.001"]}, "the bound 0.001 has more than 2 digits"),
        ({"epsilon": "0.00001", "bounds": ["1000000000000"]}, "would not fit beside the sums"),
    ],
)
def test_contracts_that_make_no_sense_are_refused(changes: dict[str, Any], blame: str) -> None:
    asked = {"columns": ["sugar"], **changes}
    with pytest.raises(ConfigError, match=blame):
        SERVICE.require(terms_of(SERVICE, (HOSPITAL, LABORATORY), (0,), **asked))


def test_columns_that_their_owner_does_not_allow_are_not_added_up() -> None:
    made = terms_of(SERVICE, (HOSPITAL, LABORATORY), (0,), columns=["sugar"])
    held = made.parties[1].dataset
    assert held is not None
    silent = replace(made.parties[1], dataset=replace(held, payload=("iron",)))

    with pytest.raises(ConfigError, match="laboratory does not allow the column sugar to be added"):
        SERVICE.require(replace(made, parties=(made.parties[0], silent)))


def test_nobody_to_receive_is_refused() -> None:
    with pytest.raises(ConfigError, match="nobody receives the sums"):
        SERVICE.require(terms_of(SERVICE, (HOSPITAL, LABORATORY), (), columns=["sugar"]))


def test_numbers_that_could_wrap_around_are_refused_by_name() -> None:
    large = Table(keys=keys(1, 2), columns={"sugar": ["40000000000000000"] * 2})
    with pytest.raises(ConfigError, match="the column sugar add up to more than can be shared"):
        run(SERVICE, (HOSPITAL, large), columns=["sugar"])


def select(selected: list[bool], values: list[list[int]]) -> list[int]:
    left, right = ends()
    held = np.array(values, np.int64).view(np.uint64)
    ours, theirs = both(
        selected_sum.selector(
            Channel(left), np.array(selected), held.shape[1], b"d", Seeded(1), Silent()
        ),
        selected_sum.holder(Channel(right), held, b"d", Seeded(2), Silent()),
    )
    return list((ours + theirs).view(np.int64).tolist())


@given(data=st.data(), rows=st.integers(1, 300), columns=st.integers(1, 5))
@settings(max_examples=15)
def test_selected_sums_are_those_of_the_rows_selected(
    data: st.DataObject, rows: int, columns: int
) -> None:
    seed = data.draw(st.integers(0, 2**32))
    drawn = np.random.default_rng(seed)
    selected = drawn.random(rows) < data.draw(st.floats(0, 1))
    values = drawn.integers(-(2**50), 2**50, (rows, columns))

    assert select(selected.tolist(), values.tolist()) == values[selected].sum(axis=0).tolist()


def test_a_run_of_several_chunks_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selected_sum, "CHUNK_ROWS", 128)
    values = [[number, -number] for number in range(500)]
    assert select([True, False] * 250, values) == [sum(range(0, 500, 2)), -sum(range(0, 500, 2))]


@pytest.mark.parametrize(("columns", "rows"), [(8, 1 << 18), (64, 1 << 17)])
def test_chunks_are_of_whole_blocks_and_their_corrections_fit_into_a_message(
    columns: int, rows: int
) -> None:
    pieces = selected_sum.chunks(rows, columns)

    assert [piece.start for piece in pieces[1:]] == [piece.stop for piece in pieces[:-1]]
    assert (pieces[0].start, pieces[-1].stop) == (0, rows)
    largest = max(piece.stop - piece.start for piece in pieces)
    assert largest % 128 == 0
    encode(selected_sum.Corrections(np.zeros(largest * columns, np.uint64)))


WIDTH = 3


async def holding(channel: Channel, **changes: Any) -> None:
    """Do as the holder of four rows of three columns, but send other corrections."""
    await selected_sum.holder(
        channel, np.zeros((4, changes.get("width", WIDTH)), np.uint64), b"d", Seeded(2), Silent()
    )


async def selecting(channel: Channel, **changes: Any) -> None:
    await selected_sum.selector(
        *(channel, np.ones(changes.get("rows", 4), np.bool_), WIDTH, b"d", Seeded(1), Silent())
    )


def test_who_sends_sums_of_another_shape_is_blamed() -> None:
    left, right = ends()
    with pytest.raises(PeerProtocolError, match="its corrections are not as many as agreed"):
        both(selecting(Channel(left)), holding(Channel(right), width=2))
    left, right = ends()
    with pytest.raises(PeerProtocolError):
        both(selecting(Channel(left), rows=129), holding(Channel(right)))


class Altering:
    """A channel that changes the shape of some messages before they are sent."""

    def __init__(self, channel: Channel, kind: type[Any], changed: Any) -> None:
        self._channel, self._kind, self._changed = channel, kind, changed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    async def send(self, message: object) -> None:
        await self._channel.send(self._changed if isinstance(message, self._kind) else message)


@pytest.mark.parametrize(
    ("liar", "kind", "changed", "blame"),
    [
        (0, Enough, Enough(np.ones(0, np.bool_)), "it does not tell of each column"),
        (1, SumShares, SumShares(np.ones(0, np.uint64)), "its shares are not as many as agreed"),
        (0, SumShares, SumShares(np.ones(1, np.uint64)), "its shares are not as many as agreed"),
        (0, MatchCount, MatchCount((1 << 62) + 5), "as many keys cannot match as it says"),
        (0, MatchCount, MatchCount(1 << 62), "as many keys cannot match as it says"),
    ],
)
def test_who_tells_of_another_shape_is_blamed(
    liar: int, kind: type[Any], changed: Any, blame: str
) -> None:
    terms = terms_of(SERVICE, (HOSPITAL, LABORATORY), (0, 1), **BOTH)
    parties = [
        task_of(end, table, terms)
        for end, table in zip(pair(), (HOSPITAL, LABORATORY), strict=True)
    ]
    channels = parties[liar].session.channels
    channels[1 - liar] = Altering(channels[1 - liar], kind, changed)  # type: ignore
    with pytest.raises(PeerProtocolError, match=f"party {liar}: {blame}"):
        both(*(run_one(SERVICE, party) for party in parties))


def test_each_column_that_a_contract_may_name_has_a_sum_and_a_count_of_its_values() -> None:
    assert 2 * sum_terms.MOST_COLUMNS <= selected_sum.MOST_COLUMNS
