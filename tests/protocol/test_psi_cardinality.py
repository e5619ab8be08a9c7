"""psi.cardinality: the number of keys in common, and nothing else."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.channel import Channel
from services.errors import ConfigError, PeerProtocolError
from services.primitives.group import Curve25519
from services.psi.agreement import agree
from services.psi.cardinality import SERVICE
from services.psi.messages import Blinded, MatchCount, Reblinded
from services.service import Outcome
from services.transport.loopback import pair
from tests.conversation import both, keys_of
from tests.protocol.counting import Table, keys, rows_of, run, run_one, task_of, terms_of

HOSPITAL, LABORATORY = Table(keys=keys(1, 2, 3)), Table(keys=keys(3, 9, 1, 7))
numbers = st.sets(st.integers(0, 60), min_size=1)


@given(ours=numbers, theirs=numbers)
@settings(max_examples=20)
def test_the_number_is_that_of_the_sets(ours: set[int], theirs: set[int]) -> None:
    tables = (Table(keys=keys(*ours)), Table(keys=keys(*theirs)))

    outcomes, _ = run(SERVICE, tables, (0, 1))

    assert [rows_of(outcome) for outcome in outcomes] == [[(len(ours & theirs),)]] * 2


def test_only_who_receives_gets_it() -> None:
    (hospital, laboratory), _ = run(SERVICE, (HOSPITAL, LABORATORY), (1,))

    assert hospital == Outcome()
    assert rows_of(laboratory) == [(2,)]
    assert laboratory.summary == {"own_rows": 4}


def test_padding_counts_as_nothing() -> None:
    padded = Table(keys=keys(1, 2, 3), most_rows=50)

    (hospital, _), _ = run(SERVICE, (padded, LABORATORY))

    assert rows_of(hospital) == [(2,)]


def test_noise_is_for_the_other_party_alone() -> None:
    told = set()
    for _ in range(6):
        (hospital, laboratory), _ = run(SERVICE, (HOSPITAL, LABORATORY), (0, 1), epsilon="0.01")
        assert rows_of(hospital) == [(2,)]
        told.add(rows_of(laboratory)[0][0])
    assert len(told) > 1  # six times the same has a chance below 10^-10


def test_sizes_of_messages_are_those_of_the_sets() -> None:
    def sizes(ours: Table, theirs: Table) -> list[list[int]]:
        _, ends = run(SERVICE, (ours, theirs), (0, 1))
        return [[len(message) for message in end.sent] for end in ends]

    disjoint = Table(keys=keys(21, 22, 23))
    assert sizes(HOSPITAL, LABORATORY) == sizes(disjoint, LABORATORY)


@pytest.mark.parametrize(
    ("receivers", "parameters", "blame"),
    [
        ((), {}, "nobody receives"),
        ((0,), {"epsilon": "0"}, "greater than 0"),
        ((0, 1), {"epsilon": "1e-18"}, "so much noise would leave nothing"),
        ((0, 1), {"epsilon": "1e-400"}, "no more than 18 decimal places"),
    ],
)
def test_contracts_that_make_no_sense_are_refused(
    receivers: tuple[int, ...], parameters: dict[str, Any], blame: str
) -> None:
    with pytest.raises((ConfigError, ValueError), match=blame):
        SERVICE.require(terms_of(SERVICE, (HOSPITAL, LABORATORY), receivers, **parameters))


def test_a_key_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="rows 1 and 3 have the same key"):
        run(SERVICE, (Table(keys=keys(1, 2, 1)), LABORATORY))


async def settle(channel: Channel, table: Table, task: Any) -> None:
    await agree(
        *(channel, task.session, task.rng),
        service=SERVICE.name,
        version=SERVICE.version,
        counts=[3, 4],
    )


def blamed(cheat: Any, rank: int) -> str:
    """Return what the honest party of this rank says of a peer that does ``cheat``."""
    terms = terms_of(SERVICE, (HOSPITAL, LABORATORY), (0, 1))
    ends = pair()
    tables = (HOSPITAL, LABORATORY)
    honest = run_one(SERVICE, task_of(ends[rank], tables[rank], terms))
    theirs = task_of(ends[1 - rank], tables[1 - rank], terms)

    async def peer() -> None:
        channel = theirs.session.channels[rank]
        await settle(channel, tables[1 - rank], theirs)
        await cheat(channel)

    with pytest.raises(PeerProtocolError) as caught:
        both(honest, peer())
    return str(caught.value)


GROUP = Curve25519(b"a test")


async def elements(count: int) -> Any:
    words = [b"%d" % number for number in range(count)]
    return await GROUP.hash(keys_of(words), np.arange(count, dtype=np.int64))


def test_a_sender_whose_set_or_whose_answer_changes_size_is_blamed() -> None:
    async def short(channel: Channel) -> None:
        await channel.send(Blinded(await elements(3)))

    async def short_answer(channel: Channel) -> None:
        await channel.send(Blinded(await elements(4)))
        await channel.send(Reblinded(await elements(2)))

    async def repeats(channel: Channel) -> None:
        await channel.send(Blinded((await elements(2)).repeat(2, axis=0)))
        await channel.send(Reblinded(await elements(3)))

    assert "its blinded set is not as large as agreed" in blamed(short, 0)
    assert "a reblinded set changed size" in blamed(short_answer, 0)
    assert "its set holds an element twice" in blamed(repeats, 0)


def test_a_receiver_that_repeats_elements_is_blamed() -> None:
    async def repeats(channel: Channel) -> None:
        await channel.send(Blinded((await elements(1)).repeat(3, axis=0)))

    assert "its set holds an element twice" in blamed(repeats, 1)


@pytest.mark.parametrize("found", [-1, 4, 1 << 40])
def test_a_receiver_that_tells_of_an_impossible_number_is_blamed(found: int) -> None:
    async def tells(channel: Channel) -> None:
        await channel.send(Blinded(await elements(3)))
        await channel.receive(Blinded, rows=4)
        await channel.receive(Reblinded, rows=3)
        await channel.send(MatchCount(found + (1 << 62)))

    assert "as many keys cannot match as it says" in blamed(tells, 1)
