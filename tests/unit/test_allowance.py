import pytest

from appliance.peering.allowance import Allowance, Allowances


def test_a_burst_is_granted_at_once_and_the_rest_by_and_by() -> None:
    allowance = Allowance(per_second=2, burst=3)

    waits = [allowance.take(100.0) for _ in range(5)]

    assert waits == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert allowance.wait_seconds(100.0) == pytest.approx(1.5)
    assert allowance.wait_seconds(101.5) == 0.0


def test_what_is_not_used_is_saved_up_to_the_burst_alone() -> None:
    allowance = Allowance(per_second=2, burst=3)
    for _ in range(3):
        allowance.take(0.0)

    assert [allowance.take(1e6) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_a_clock_that_goes_back_grants_nothing() -> None:
    allowance = Allowance(per_second=1, burst=1)
    allowance.take(50.0)

    assert allowance.wait_seconds(10.0) == 1.0


def test_each_has_an_allowance_of_its_own_and_few_are_remembered() -> None:
    allowances = Allowances(per_second=1, burst=1)
    allowances.of("first").take(0.0)

    assert allowances.of("second").wait_seconds(0.0) == 0.0
    assert allowances.of("first").wait_seconds(0.0) == 1.0
    for number in range(1024):
        allowances.of(number)
    assert allowances.of("first").wait_seconds(0.0) == 0.0
