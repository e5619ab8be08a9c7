"""psi.intersect as a whole: joins, payloads, repeated keys, partitions, and starting again."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services import wire
from services.channel import Channel
from services.errors import ConfigError, PeerLost
from services.psi.gifts import columns_of
from services.psi.intersect import SERVICE
from services.psi.outcome import indicator_of
from services.psi.parameters import IntersectParameters
from services.service import (
    Column,
    DatasetTerms,
    Joined,
    Outcome,
    PartyTerms,
    Selection,
    Task,
    Terms,
)
from services.session import Party, Session
from services.transport.loopback import Loopback, pair
from tests.conversation import Recorded, both
from tests.doubles import MemoryScratch, Seeded, Watched
from tests.tables import TableInMemory, values_of

NAMES = ("hospital", "laboratory")
COLUMNS = (("ward", "age"), ("ward", "sugar"))
Row = tuple[int, tuple[str | None, ...]]


@dataclass(frozen=True, kw_only=True)
class Side:
    """A party's table: of each row its key, and a value of each of the party's columns."""

    keys: tuple[bytes, ...]
    values: tuple[tuple[str | None, ...], ...]
    receives: bool = True
    most_rows: int | None = None
    scratch: MemoryScratch = field(default_factory=MemoryScratch)

    @property
    def row_count(self) -> int:
        return self.most_rows or len(self.keys)


def terms_of(sides: Sequence[Side], parameters: IntersectParameters) -> Terms:
    receivers = tuple(rank for rank, side in enumerate(sides) if side.receives)
    roles = SERVICE.assign(receivers, 2)
    parties = tuple(
        PartyTerms(
            name=NAMES[rank],
            role=roles[rank],
            dataset=DatasetTerms(
                name="table",
                columns=tuple(Column(name=name, type="VARCHAR") for name in ("id", *COLUMNS[rank])),
                key=("id",),
                normal_form=(),
                row_count=side.row_count,
                is_bound=side.most_rows is not None,
                payload=COLUMNS[rank],
            ),
            receives=("intersection",) if side.receives else (),
        )
        for rank, side in enumerate(sides)
    )
    return Terms(parties=parties, parameters=parameters)


def task_of(end: Any, rank: int, side: Side, terms: Terms, seed: int = 1) -> Task:
    columns = {name: [row[n] for row in side.values] for n, name in enumerate(COLUMNS[rank])}
    return Task(
        session=Session(
            session_id=bytes(32),
            rank=rank,
            parties=tuple(Party(rank=n, name=name) for n, name in enumerate(NAMES)),
            channels={1 - rank: Channel(end)},
        ),
        terms=terms,
        inputs=TableInMemory(side.keys, columns),
        scratch=side.scratch,
        rng=Seeded(seed + rank),
        progress=Watched(),
    )


def run(sides: Sequence[Side], parameters: IntersectParameters) -> list[Outcome]:
    terms = terms_of(sides, parameters)
    SERVICE.require(terms)
    ends = pair()
    tasks = [task_of(ends[rank], rank, sides[rank], terms) for rank in (0, 1)]
    return list(both(_run(tasks[0]), _run(tasks[1])))


async def _run(task: Task) -> Outcome:
    return await SERVICE.run(task)


def rows_of(outcome: Outcome) -> list[Row]:
    """Return what an output holds, sorted: our row or -1, and the peer's values beside it."""
    output = outcome.outputs["intersection"]
    if isinstance(output, Selection):
        return sorted([(row, ()) for row in output.rows.tolist()], key=repr)
    assert isinstance(output, Joined)
    found: list[Row] = []
    for part in output.parts:
        columns = [values_of(texts) for texts in part.texts]
        assert all(len(column) == len(part.rows) for column in columns)
        values = zip(*columns, strict=True) if columns else [()] * len(part.rows)
        found += zip(part.rows.tolist(), values, strict=True)
    return sorted(found, key=repr)


def expected(sides: Sequence[Side], own: int, parameters: IntersectParameters) -> list[Row]:
    """Return the same by plain loops."""
    ours, theirs = sides[own], sides[1 - own]
    names = (parameters.left_columns, parameters.right_columns)[1 - own]
    places = [COLUMNS[1 - own].index(name) for name in names]
    partners: dict[bytes, list[tuple[str | None, ...]]] = {}
    for key, values in zip(theirs.keys, theirs.values, strict=True):
        partners.setdefault(key, []).append(tuple(values[place] for place in places))
    found: list[Row] = []
    if parameters.join == "difference":
        found += [(row, ()) for row, key in enumerate(ours.keys) if key not in partners]
        return sorted(found, key=repr)
    for row, key in enumerate(ours.keys):
        given = partners.get(key, [])
        is_by_all = names and parameters.duplicates == "all"
        found += [(row, values) for values in (given if is_by_all else given[:1])]
    keeps_theirs = parameters.join in (("left", "full"), ("right", "full"))[1 - own]
    if keeps_theirs:
        alone = (given for key, given in partners.items() if key not in ours.keys)
        found += [(-1, values) for given in alone for values in given]
    return sorted(found, key=repr)


values = st.one_of(st.none(), st.text(max_size=5))
tables = st.lists(
    st.tuples(st.sampled_from([b"%d" % n for n in range(12)]), st.tuples(values, values)),
    min_size=1,
    max_size=24,
).map(lambda rows: Side(keys=tuple(r[0] for r in rows), values=tuple(r[1] for r in rows)))


@settings(max_examples=60)
@given(data=st.data())
def test_joins_are_those_of_plain_loops(data: st.DataObject) -> None:
    left, right = data.draw(tables), data.draw(tables)
    join = data.draw(st.sampled_from(["inner", "left", "right", "full", "difference"]))
    columns = st.sampled_from([(), ("ward",)]) if join != "difference" else st.just(())
    parameters = IntersectParameters.model_validate(
        {
            "protocol": data.draw(st.sampled_from(["auto", "ecdh", "rr22"])),
            "join": join,
            "left_columns": data.draw(columns),
            "right_columns": data.draw(columns),
            "duplicates": data.draw(st.sampled_from(["first", "all"])),
            "partitions": data.draw(st.integers(1, 3)),
        }
    )

    outcomes = run((left, right), parameters)

    for own in (0, 1):
        assert rows_of(outcomes[own]) == expected((left, right), own, parameters)
        output = outcomes[own].outputs["intersection"]
        if isinstance(output, Joined):
            is_kept = join in (("left", "full"), ("right", "full"))[own]
            assert output.is_outer == is_kept
            assert output.indicator == ("" if join == "inner" else "matched")


@settings(max_examples=30)
@given(left=tables, right=tables, malicious=st.booleans(), partitions=st.integers(1, 3))
def test_a_sender_gives_columns_without_learning_which_rows_match(
    left: Side, right: Side, malicious: bool, partitions: int
) -> None:
    sides = (left, replace(right, receives=False))
    parameters = IntersectParameters(
        security="malicious" if malicious else "semi-honest",
        join="inner",
        right_columns=("sugar", "ward"),
        duplicates="first",
        partitions=partitions,
    )

    outcomes = run(sides, parameters)

    assert rows_of(outcomes[0]) == expected(sides, 0, parameters)
    assert outcomes[1] == Outcome()
    output = outcomes[0].outputs["intersection"]
    assert isinstance(output, Joined)
    assert [column.name for column in output.columns] == ["sugar", "laboratory.ward"]


def distinct(count: int, start: int = 0, **changes: Any) -> Side:
    keys = tuple(b"%d" % n for n in range(start, start + count))
    return Side(keys=keys, values=tuple((f"w{n}", None) for n in range(count)), **changes)


def test_a_repeated_key_is_refused_with_its_rows_unless_the_contract_bears_it() -> None:
    twice = Side(keys=(b"a", b"b", b"a"), values=((None, None),) * 3)

    with pytest.raises(ConfigError, match="rows 1 and 3 have the same key"):
        run((twice, distinct(2)), IntersectParameters())


def outcome_rows(left: Sequence[bytes], right: Sequence[bytes], **asked: Any) -> list[Row]:
    """Return the left party's matching rows."""
    sides = [Side(keys=tuple(keys), values=((None, None),) * len(keys)) for keys in (left, right)]
    return rows_of(run(sides, IntersectParameters.model_validate(asked))[0])


@pytest.mark.parametrize("protocol", ["ecdh", "rr22"])
def test_keys_of_any_bytes_and_length_are_told_apart(protocol: str) -> None:
    keys = [b"", b"\0", b"\0\0", b"a\0b", b"a", b"x" * (1 << 20), b"x" * (1 << 20) + b"\0", b"1"]

    rows = outcome_rows(keys, [keys[1], keys[3], keys[5], b"1.0", b"01"], protocol=protocol)

    assert [row for row, _ in rows] == [1, 3, 5]


@pytest.mark.parametrize("protocol", ["ecdh", "rr22"])
@pytest.mark.parametrize(("left", "right", "matching"), [([b"a"], [b"a"], 1), ([b"a"], [b"b"], 0)])
def test_sets_of_one_row(protocol: str, left: Any, right: Any, matching: int) -> None:
    assert len(outcome_rows(left, right, protocol=protocol)) == matching


@pytest.mark.parametrize("partitions", [1, 2])
@pytest.mark.parametrize("protocol", ["ecdh", "rr22"])
def test_an_empty_table_behind_a_bound_matches_none(protocol: str, partitions: int) -> None:
    empty = Side(keys=(), values=(), most_rows=50)
    asked = {"protocol": protocol, "partitions": partitions}

    outcomes = run((distinct(3), empty), IntersectParameters.model_validate(asked))

    assert [rows_of(outcome) for outcome in outcomes] == [[], []]


def test_rows_of_one_key_come_in_an_order_that_is_not_the_tables() -> None:
    many = Side(keys=(b"0",) * 60, values=tuple((f"w{n}", None) for n in range(60)))

    outcomes = run(
        (distinct(1), many), IntersectParameters(duplicates="all", right_columns=("ward",))
    )

    output = outcomes[0].outputs["intersection"]
    assert isinstance(output, Joined)
    wards = [ward for part in output.parts for ward in values_of(part.texts[0])]
    assert sorted(wards, key=str) == sorted(f"w{n}" for n in range(60))
    assert wards != [f"w{n}" for n in range(60)]


@pytest.mark.parametrize(
    "asked", [{"left_columns": ("ward",)}, {"right_columns": ("ward",)}, {"join": "left"}]
)
def test_nobody_joins_by_what_a_party_that_may_lie_says_of_matches(asked: dict[str, Any]) -> None:
    parameters = IntersectParameters.model_validate({"security": "malicious", **asked})

    with pytest.raises(ConfigError, match="laboratory would join by what hospital says of matches"):
        run((distinct(3), distinct(3)), parameters)


def test_columns_are_named_apart_though_names_differ_in_case_alone() -> None:
    left, right = distinct(2), distinct(2)
    asked = IntersectParameters(join="left", right_columns=("ward", "sugar"))
    made = terms_of((left, right), asked)
    held = made.parties[0].dataset
    assert held is not None
    names = ("id", "WARD", "Laboratory.Ward", "Matched")
    shouted = replace(held, columns=tuple(Column(name=n, type="VARCHAR") for n in names))
    parties = (replace(made.parties[0], dataset=shouted), made.parties[1])
    terms = replace(made, parties=parties)

    assert [column.name for column in columns_of(terms, 1)] == ["laboratory.ward_", "sugar"]
    assert indicator_of(terms, 0) == "matched_"


def test_a_million_rows_of_one_key_match_with_the_one_that_has_it() -> None:
    rows = outcome_rows([b"same"] * 1_000_000, [b"same"], protocol="rr22", duplicates="all")

    assert len(rows) == 1_000_000


def test_a_row_whose_columns_do_not_fit_its_label_is_named() -> None:
    long = Side(keys=(b"a", b"b"), values=(("x", None), ("y" * 100, None)), receives=False)

    with pytest.raises(ConfigError, match="the columns of row 2 take 103 bytes"):
        run((distinct(2), long), IntersectParameters(right_columns=("ward",)))


@pytest.mark.parametrize("name", ["matched-1", "matched-2"])
def test_a_checkpoint_that_is_not_whole_is_not_used(name: str) -> None:
    sides = distinct(40), distinct(40, 20)
    parameters = IntersectParameters(partitions=3)
    before = run(sides, parameters)
    sides[0].scratch.files[name] = sides[0].scratch.files[name][:-1]

    after = run(sides, parameters)

    assert [rows_of(one) for one in after] == [rows_of(one) for one in before]


class Breaking:
    """A transport that breaks after some messages."""

    def __init__(self, end: Loopback, most: int) -> None:
        self._end = end
        self._left = most
        self.peer = end.peer

    async def send(self, parts: Sequence[wire.Part]) -> None:
        self._left -= 1
        if self._left < 0:
            await self._end.close()
            raise PeerLost(self.peer, "the link broke")
        await self._end.send(parts)

    async def receive(self, limit: int) -> memoryview:
        return await self._end.receive(limit)


@pytest.mark.parametrize("protocol", ["ecdh", "rr22"])
@pytest.mark.parametrize("breaker", [0, 1])
def test_a_run_that_broke_goes_on_from_its_last_finished_partition(
    breaker: int, protocol: str
) -> None:
    parameters = IntersectParameters.model_validate(
        {"protocol": protocol, "partitions": 9, "left_columns": ("age",)}
    )
    whole = [rows_of(one) for one in run((distinct(60), distinct(60, 30)), parameters)]
    sides = distinct(60), distinct(60, 30)
    terms = terms_of(sides, parameters)
    ends: list[Any] = list(pair())
    ends[breaker] = Breaking(ends[breaker], 12)
    tasks = [task_of(ends[rank], rank, sides[rank], terms) for rank in (0, 1)]
    with pytest.raises(PeerLost):
        both(_run(tasks[0]), _run(tasks[1]))
    finished = [sum(name.startswith("matched") for name in side.scratch.files) for side in sides]

    assert min(finished) >= 1
    assert [rows_of(one) for one in run(sides, parameters)] == whole


def test_what_is_finished_is_not_computed_again() -> None:
    sides = distinct(60), distinct(60, 30)
    parameters = IntersectParameters(partitions=4)
    run(sides, parameters)
    terms = terms_of(sides, parameters)
    ends = [Recorded(end) for end in pair()]
    tasks = [task_of(ends[rank], rank, sides[rank], terms) for rank in (0, 1)]

    outcomes = both(_run(tasks[0]), _run(tasks[1]))

    assert rows_of(outcomes[0]) == expected(sides, 0, parameters)
    assert [len(end.sent) for end in ends] == [1, 1]  # that they agree
