"""Each rule, on both sides of its boundary, and what a decision says."""

from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Any

import pytest

from appliance.policies.decide import _CHECKS, Allowed, Refused, decide
from appliance.policies.policy import Policy
from appliance.policies.rules import SENTENCES, Rule
from appliance.policies.values import POLICY_TYPE
from services.demand import ColumnUse
from tests.unit.policy_cases import BESIDES, CASES, budget
from tests.unit.policy_doubles import (
    CLINIC,
    CLINIC_ID,
    NOISY,
    NOW,
    REQUEST,
    SHOP,
    SHOP_ID,
    Case,
    case,
    column,
    demand,
    peer,
    refused,
    standing,
)

NAME = {"uses": "join-payload", "receivers": [SHOP_ID]}
SHOWN_TO_ALL = {"uses": "plain", "receivers": [SHOP_ID, CLINIC_ID]}
MATRIX = [(rule, *pair) for rule, pairs in CASES.items() for pair in pairs]


@pytest.mark.parametrize(("rule", "over", "within"), MATRIX)
def test_a_rule_refuses_on_one_side_of_its_boundary_alone(
    rule: Rule, over: Case, within: Case
) -> None:
    found = set(refused(over.decided()))

    assert rule in found
    assert found - {rule} <= BESIDES.get(rule, set())
    assert within.decided() == Allowed(version=7, approvals=1)


def test_every_rule_is_tried_but_that_of_no_policy() -> None:
    assert {*CASES} | {Rule.NO_POLICY} == {*Rule}


def test_without_a_policy_nothing_is_allowed() -> None:
    found = decide(REQUEST, None, standing(), NOW)

    assert refused(found) == [Rule.NO_POLICY]


def test_an_empty_policy_allows_nothing() -> None:
    found = decide(REQUEST, Policy(type=POLICY_TYPE), standing(), NOW)

    assert {*refused(found)} == {
        *(Rule.PEER, Rule.SERVICE, Rule.NO_END, Rule.COLUMN, Rule.GROUP, Rule.INTERSECTION),
        *(Rule.RESULT, Rule.USES),
    }


def test_rules_are_judged_in_the_order_in_which_they_are_listed() -> None:
    assert [Rule.NO_POLICY, *_CHECKS] == [*Rule] == [*SENTENCES]


def test_all_that_is_wrong_is_told_at_once_in_order_and_the_first_is_the_verdict() -> None:
    wrong = case(
        before=standing(uses=3, uses_of_day=2),
        service="sql.query",
        peers=(SHOP, peer(2, "stranger")),
        demand=column("diagnosis", ColumnUse.LABEL),
    )

    found = wrong.decided()

    assert isinstance(found, Refused)
    assert found.rule is Rule.PEER
    assert found.version == 7
    assert refused(found) == [*(Rule.PEER, Rule.SERVICE, Rule.COLUMN, Rule.USES, Rule.USES_PER_DAY)]


@pytest.mark.parametrize("rule", CASES)
def test_each_refusal_says_what_is_wrong_and_the_remedy(rule: Rule) -> None:
    for over, _ in CASES[rule]:
        found = over.decided()
        assert isinstance(found, Refused)
        for refusal in found.refusals:
            assert "patients" in str(refusal)
            assert not str(refusal).endswith(".")
            assert refusal.remedy


def test_the_facts_of_a_refusal_are_values_that_a_translation_can_place() -> None:
    found = case(demand=demand(smallest_group=4)).decided()

    assert isinstance(found, Refused)
    assert found.rule.value == "smallest-group"
    assert found.refusals[0].values == {"dataset": "patients", "asked": 4, "smallest": 5}


@pytest.mark.parametrize("approvals", [0, 1, 2])
def test_a_contract_that_is_allowed_needs_as_many_people_as_are_said(approvals: int) -> None:
    found = case({"approvals": approvals}).decided()

    assert found == Allowed(version=7, approvals=approvals)


def allows_balance(rule: object, use: ColumnUse, *peers: Any) -> bool:
    """Whether a column with this rule may be used so in a contract with these peers."""
    columns = {"id": "join-key", "name": NAME, "balance": rule}
    found = case({"columns": columns}, peers=peers, demand=column("balance", use)).decided()
    return isinstance(found, Allowed)


def test_a_use_implies_those_that_show_no_more() -> None:
    assert allows_balance("group-key", ColumnUse.COMPARED, SHOP)
    assert not allows_balance("compared", ColumnUse.GROUP_KEY, SHOP)
    assert not allows_balance("training-feature", ColumnUse.LABEL, SHOP)


@pytest.mark.parametrize("use", [ColumnUse.AGGREGATED, ColumnUse.GROUP_KEY, ColumnUse.COMPARED])
def test_what_is_shown_to_some_implies_nothing_for_a_contract_with_others(use: ColumnUse) -> None:
    assert allows_balance(NAME, use, SHOP)
    assert not allows_balance(NAME, use, SHOP, CLINIC)
    assert allows_balance(SHOWN_TO_ALL, use, SHOP, CLINIC)


def test_a_peer_is_known_by_its_node_id_and_never_by_its_name() -> None:
    impostor = replace(SHOP, node=peer(1, "impostor").node)

    assert refused(case(peers=(impostor,)).decided()) == [Rule.PEER, Rule.RECEIVER]


def test_a_running_job_keeps_its_place_under_a_policy_with_as_many_uses_as_were_counted() -> None:
    stricter = {"uses": 2, "uses_per_day": 2}

    found = [case(stricter, standing(uses=before)).decided() for before in range(3)]

    assert [refused(one) for one in found] == [[], [], [Rule.USES]]


def test_budgets_are_compared_exactly_whatever_the_precision_of_the_context() -> None:
    just_over = standing(epsilon=Decimal("1.000000000000000001"))

    with localcontext() as context:
        context.prec = 3
        found = case(budget(), just_over, demand=NOISY).decided()

    assert isinstance(found, Refused)
    assert found.rule is Rule.EPSILON
    assert "1.000000000000000001" in str(found.refusals[0])
