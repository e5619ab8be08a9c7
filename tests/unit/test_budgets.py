"""Spent privacy: exact, composed, kept for ever."""

import asyncio
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from appliance.budgets import budgets
from appliance.budgets.accountant import NOTHING, Spend, compose
from appliance.store.database import Store
from tests.unit.contract_doubles import MemoryKey

PEER, OTHER = MemoryKey().node_id, MemoryKey().node_id
amounts = st.decimals(min_value="1e-9", max_value=3, places=9)


def of(epsilon: str, delta: str = "0") -> Spend:
    return Spend(epsilon=Decimal(epsilon), delta=Decimal(delta))


@given(st.lists(amounts, max_size=30))
def test_without_a_delta_losses_add_up_to_the_last_digit(epsilons: list[Decimal]) -> None:
    found = compose([Spend(epsilon=one) for one in epsilons], Decimal(0))

    assert found == Spend(epsilon=sum(epsilons, Decimal(0)))


@given(st.lists(amounts, min_size=2, max_size=300), st.floats(1e-12, 1e-3))
def test_with_a_delta_losses_stay_below_both_bounds(epsilons: list[Decimal], delta: float) -> None:
    found = compose([Spend(epsilon=one) for one in epsilons], Decimal(delta))

    rho = sum(float(one) ** 2 / 2 for one in epsilons)
    by_theorem = rho + 2 * math.sqrt(rho * math.log(1 / delta))  # [BS16, proposition 1.3]
    assert found.epsilon <= sum(epsilons, Decimal(0))
    assert float(found.epsilon) <= by_theorem * (1 + 1e-9)
    assert found.delta in (Decimal(0), Decimal(delta))


def test_many_small_losses_cost_less_with_a_delta_than_they_add_up_to() -> None:
    found = compose([of("0.01")] * 1000, Decimal("1e-6"))

    assert Decimal("1.0") < found.epsilon < Decimal("1.8")  # they add up to 10
    assert found.delta == Decimal("1e-6")


def test_deltas_add_up_and_what_is_left_of_the_limit_serves() -> None:
    assert compose([of("1", "1e-6"), of("1", "1e-6")], Decimal("1e-6")) == of("2", "2e-6")
    left = compose([of("0.01", "1e-9")] * 1000, Decimal("2e-6"))
    assert left.epsilon < 2
    assert compose([of("1", "1e-6")], Decimal("1")) == of("1", "1e-6")
    assert compose([], Decimal("1")) == NOTHING


@pytest.fixture
def do(tmp_path: Path) -> Any:
    """Return what does some work in one transaction of a real database."""
    store = Store.open(tmp_path)

    def run(work: Callable[[Session], Any]) -> Any:
        return asyncio.run(store.run(work))

    yield run
    store.close()


def test_a_job_spends_once_whatever_happens_and_toward_each_peer(do: Any) -> None:
    for _ in range(2):
        do(lambda s: budgets.set_aside(s, "visits", "a", [PEER], of("0.1"), 1))
    do(lambda s: budgets.set_aside(s, "visits", "b", [PEER, OTHER], of("0.2"), 2))
    do(lambda s: budgets.set_aside(s, "patients", "b", [OTHER], of("5"), 2))

    assert do(lambda s: budgets.spent(s, "visits")) == of("0.5")
    assert do(lambda s: budgets.spent(s, "visits", peer=OTHER)) == of("0.2")
    assert do(lambda s: budgets.spent(s, "visits", before=(2, "b"))) == of("0.1")
    assert do(lambda s: budgets.spent(s, "visits", before=(1, "a"))) == NOTHING
    assert do(lambda s: budgets.spent(s, "visits", asked=of("0.000000001"))) == of("0.500000001")
    assert do(lambda s: budgets.spent(s, "nothing")) == NOTHING


def test_a_loss_comes_back_if_the_job_ends_before_it_has_begun_and_never_after(do: Any) -> None:
    for job in "ab":
        do(lambda s, job=job: budgets.set_aside(s, "visits", job, [PEER], of("0.1"), 1))
    do(lambda s: budgets.begin(s, "a", 5))
    for job in "ab":
        do(lambda s, job=job: budgets.give_back(s, job))

    assert do(lambda s: budgets.spent(s, "visits")) == of("0.1")
    do(lambda s: budgets.begin(s, "a", 9))
    assert do(lambda s: budgets.spent(s, "visits")) == of("0.1")


def test_what_is_undone_is_not_spent_and_what_is_done_is_there_after_a_restart(
    tmp_path: Path,
) -> None:
    store = Store.open(tmp_path)

    def breaks(session: Session) -> None:
        budgets.set_aside(session, "visits", "a", [PEER], of("1"), 1)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        asyncio.run(store.run(breaks))
    asyncio.run(store.run(lambda s: budgets.set_aside(s, "visits", "b", [PEER], of("0.25"), 1)))
    store.close()

    again = Store.open(tmp_path)
    assert asyncio.run(again.run(lambda s: budgets.spent(s, "visits"))) == of("0.25")
    again.close()
