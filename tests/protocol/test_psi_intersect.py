from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from services.channel import Channel
from services.errors import ConfigError, PeerProtocolError
from services.psi.agreement import Agreement
from services.psi.intersect import SERVICE
from services.service import Outcome, Selection, Task, Terms
from services.session import Party, Session
from services.transport.loopback import Loopback, pair
from tests.conversation import both
from tests.doubles import MemoryScratch, Seeded, Watched
from tests.tables import TableInMemory
from tests.unit.test_psi_intersect import HOSPITAL, LABORATORY, dataset

HOSPITAL_KEYS = [b"p1", b"p2", b"p3"]
LABORATORY_KEYS = [b"p3", b"p9", b"p1", b"p7"]


def contract(*, is_shared: bool = False, protocol: str = "ecdh") -> Terms:
    receives = ("intersection",) if is_shared else ()
    hospital = replace(HOSPITAL, dataset=dataset(len(HOSPITAL_KEYS)))
    laboratory = replace(LABORATORY, dataset=dataset(len(LABORATORY_KEYS)), receives=receives)
    parameters = SERVICE.parameters.model_validate({"protocol": protocol})
    return Terms(parties=(hospital, laboratory), parameters=parameters)


def task(end: Loopback, words: list[bytes], terms: Terms, session_id: bytes = bytes(32)) -> Task:
    rank = 1 - end.peer
    return Task(
        session=Session(
            session_id=session_id,
            rank=rank,
            parties=(Party(rank=0, name="hospital"), Party(rank=1, name="laboratory")),
            channels={end.peer: Channel(end)},
        ),
        terms=terms,
        inputs=TableInMemory(words),
        scratch=MemoryScratch(),
        rng=Seeded(rank),
        progress=Watched(),
    )


def run_both(terms: Terms) -> tuple[Outcome, Outcome]:
    left, right = pair()
    hospital = task(left, HOSPITAL_KEYS, terms)
    laboratory = task(right, LABORATORY_KEYS, terms)
    return both(_run(hospital), _run(laboratory))


async def _run(given: Task) -> Outcome:
    return await SERVICE.run(given)


def rows_of(outcome: Outcome) -> list[int]:
    selection = outcome.outputs["intersection"]
    assert isinstance(selection, Selection)
    return list(selection.rows)


def test_only_the_named_receiver_gets_an_output() -> None:
    hospital, laboratory = run_both(contract())

    assert rows_of(hospital) == [0, 2]
    assert hospital.summary == {"intersection_rows": 2, "own_rows": 3}
    assert laboratory == Outcome()


@pytest.mark.parametrize("protocol", ["ecdh", "rr22"])
def test_both_get_their_own_rows_if_both_receive(protocol: str) -> None:
    hospital, laboratory = run_both(contract(is_shared=True, protocol=protocol))

    assert rows_of(hospital) == [0, 2]
    assert rows_of(laboratory) == [0, 2]
    assert laboratory.summary == {"intersection_rows": 2, "own_rows": 4}


def test_the_stages_passed_are_those_declared() -> None:
    left, right = pair()
    hospital = task(left, HOSPITAL_KEYS, contract())
    laboratory = task(right, LABORATORY_KEYS, contract())

    both(_run(hospital), _run(laboratory))

    for given in (hospital, laboratory):
        assert isinstance(given.progress, Watched)
        names = [name for name, _, _ in given.progress.stages]
        assert names == [stage.name for stage in SERVICE.stages]
        assert all(done == total for _, total, done in given.progress.stages)


def test_parties_that_hold_unlike_contracts_blame_each_other_before_any_key_is_sent() -> None:
    left, right = pair()
    hospital = task(left, HOSPITAL_KEYS, contract())
    laboratory = task(right, LABORATORY_KEYS, contract(), session_id=bytes([1] * 32))

    with pytest.raises(PeerProtocolError, match="it runs another contract"):
        both(_run(hospital), _run(laboratory))


def changed(**changes: Any) -> Callable[[Channel], Coroutine[Any, Any, None]]:
    """Return a peer that echoes our Agreement, as if it were its own, with these changes."""

    async def peer(channel: Channel) -> None:
        ours = await channel.receive(Agreement)
        fields = {name: getattr(ours, name) for name in ("session", "version", "finished", "nonce")}
        fields |= {"rows": 0, **changes}
        await channel.send(Agreement(**fields))

    return peer


UNFIT_AGREEMENTS = [
    ({"session": bytes(32), "rows": 4}, "it runs another contract"),
    ({"version": 9, "rows": 4}, "it runs version 9 of psi.intersect"),
    ({"rows": 5}, "it brings 5 rows, the contract says"),
]


@pytest.mark.parametrize(("changes", "blame"), UNFIT_AGREEMENTS)
def test_receiver_blames_a_sender_that_agrees_to_something_else(
    changes: dict[str, Any], blame: str
) -> None:
    left, right = pair()
    hospital = task(left, HOSPITAL_KEYS, contract())

    with pytest.raises(PeerProtocolError, match=f"party 1: {blame}"):
        both(_run(hospital), changed(**changes)(Channel(right)))


@pytest.mark.parametrize(("changes", "blame"), UNFIT_AGREEMENTS)
def test_sender_blames_a_receiver_that_agrees_to_something_else(
    changes: dict[str, Any], blame: str
) -> None:
    left, right = pair()
    laboratory = task(right, LABORATORY_KEYS, contract())
    if "rows" in changes and len(changes) > 1:
        changes = {**changes, "rows": len(HOSPITAL_KEYS)}

    with pytest.raises(PeerProtocolError, match=f"party 0: {blame}"):
        both(changed(**changes)(Channel(left)), _run(laboratory))


def test_a_dataset_that_is_not_as_large_as_signed_is_not_used() -> None:
    left, right = pair()
    hospital = task(left, HOSPITAL_KEYS[:2], contract())
    laboratory = task(right, LABORATORY_KEYS, contract())

    with pytest.raises(ConfigError, match="the dataset has 2 rows, the contract says 3"):
        both(_run(hospital), _run(laboratory))
