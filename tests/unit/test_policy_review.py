"""What a policy's owner is told to look at again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from appliance.policies.document import parse_policy
from appliance.policies.policy import Policy
from appliance.policies.review import SENTENCES, Doubt, review
from appliance.policies.values import POLICY_TYPE
from services.registry import SERVICES
from tests.unit.policy_doubles import (
    BUDGET,
    NOW,
    REQUEST,
    SHOP_ID,
    examples_of_the_page,
    milliseconds,
    policy,
)

KEY = {"id": "join-key"}
SHOWN = {"uses": "join-payload", "receivers": [SHOP_ID]}


def told(now: int = NOW, **changes: Any) -> list[str]:
    """Return what is told of the policy of all tests, with these changes."""
    return [str(one) for one in review(policy(**changes), REQUEST.columns, SERVICES, now)]


def test_a_policy_that_has_an_effect_throughout_is_left_alone() -> None:
    assert told() == []
    assert told(columns=KEY, services=["psi.sum"], budget=BUDGET) == []


@pytest.mark.parametrize(
    ("key", "nothing"),
    [("peers", []), ("services", []), ("valid_until", None), ("uses", 0), ("columns", {})],
)
def test_what_keeps_a_policy_from_allowing_anything_is_told(key: str, nothing: Any) -> None:
    changes: dict[str, Any] = {"columns": KEY, "uses_per_day": None} | {key: nothing}

    found = told(**changes)

    assert found == [f"nothing is allowed, as {key} is not said"]


def test_columns_that_are_all_never_used_allow_nothing() -> None:
    assert told(columns={"id": "never"}) == ["nothing is allowed, as columns is not said"]


def test_a_window_that_has_ended_is_told_to_the_millisecond() -> None:
    end = milliseconds(datetime(2027, 4, 1, tzinfo=UTC))

    assert told(end) == ["the policy has ended already, at 2027-04-01T00:00:00+00:00"]
    assert told(end - 1) == []


@pytest.mark.parametrize(
    ("changes", "what", "remedy"),
    [
        ({"services": ["psi.smu", "psi.sum"], "columns": KEY}, '"psi.smu"', '"psi.sum"?'),
        ({"services": ["psi.sum", "x"], "columns": KEY}, 'no service "x"', "take it out"),
        ({"columns": KEY | {"balnce": "aggregated"}}, 'no column "balnce"', '"balance"?'),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest_that_is(
    changes: dict[str, Any], what: str, remedy: str
) -> None:
    (found,) = review(policy(**changes), REQUEST.columns, SERVICES, NOW)

    assert what in str(found)
    assert remedy in found.remedy


def test_a_use_that_no_allowed_service_makes_is_told() -> None:
    assert told(services=["psi.cardinality"], columns=KEY | {"balance": "aggregated"}) == [
        'no service that is allowed uses a column as aggregated, as column "balance" may be'
    ]
    assert len(told(columns=KEY | {"balance": ["label", "training-feature"]})) == 2


def test_a_use_that_only_implies_what_a_service_makes_has_an_effect() -> None:
    assert told(services=["psi.sum"], columns=KEY | {"name": SHOWN}) == []


def test_columns_that_may_be_shown_while_no_row_may_be_are_told() -> None:
    assert told(columns=KEY | {"name": SHOWN}, largest_result=0) == [
        'column "name" may be shown row by row, and largest_result is 0'
    ]


def test_a_service_that_a_budget_always_refuses_is_told() -> None:
    assert told(budget=BUDGET) == [
        "psi.intersect can have no noise, so the budget refuses it always"
    ]


def test_each_doubt_has_its_sentence_in_order() -> None:
    assert [*SENTENCES] == [*Doubt]
    assert all(one.template and one.remedy for one in SENTENCES.values())


def test_an_empty_policy_is_told_all_that_it_lacks() -> None:
    found = review(Policy(type=POLICY_TYPE), (), SERVICES, NOW)

    assert {one.doubt for one in found} == {Doubt.ALLOWS_NOTHING}
    assert len(found) == 5


def test_nobody_doubts_the_examples_of_the_owners_page() -> None:
    columns = ("customer_id", "balance", "remarks", "segment")
    for example in examples_of_the_page():
        found = review(parse_policy(example), columns, SERVICES, NOW)
        assert [one.doubt for one in found] == []
