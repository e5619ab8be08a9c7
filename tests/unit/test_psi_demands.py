"""What jobs of the family psi ask of each party's dataset, for policies to judge."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from services.demand import ColumnUse, Demand
from services.psi import cardinality, intersect, sums
from services.psi.parameters import IntersectParameters
from services.service import Column, DatasetTerms, PartyTerms, Terms
from tests.protocol.counting import Table, keys, terms_of

BANK = PartyTerms(
    name="bank",
    role="receiver",
    dataset=DatasetTerms(
        name="customers",
        columns=(Column(name="id", type="VARCHAR"), Column(name="balance", type="BIGINT")),
        key=("id",),
        normal_form=(),
        row_count=5000,
        payload=("id", "balance"),
    ),
    receives=("intersection",),
)
assert BANK.dataset is not None
SHOP = replace(BANK, name="shop", role="sender", dataset=replace(BANK.dataset, row_count=70))
SILENT = replace(SHOP, receives=())
BANK_RANK, SHOP_RANK = 0, 1


def asked_of(rank: int, *, shop: PartyTerms = SHOP, **parameters: Any) -> Demand:
    made = Terms(parties=(BANK, shop), parameters=IntersectParameters.model_validate(parameters))
    return intersect.SERVICE.demand(made, rank)


def uses(demand: Demand) -> dict[str, set[ColumnUse]]:
    return {name: set(column.uses) for name, column in demand.columns.items()}


def test_an_intersection_asks_of_columns_only_the_key_and_those_that_are_given() -> None:
    assert uses(asked_of(SHOP_RANK)) == {"id": {ColumnUse.JOIN_KEY}}
    given = asked_of(SHOP_RANK, right_columns=("balance",))
    assert uses(given) == {"id": {ColumnUse.JOIN_KEY}, "balance": {ColumnUse.JOIN_PAYLOAD}}
    assert given.columns["balance"].shown_to == {BANK_RANK}
    assert not given.columns["id"].shown_to
    assert uses(asked_of(BANK_RANK, right_columns=("balance",))) == {"id": {ColumnUse.JOIN_KEY}}


def test_a_key_that_is_given_serves_both_uses() -> None:
    given = asked_of(SHOP_RANK, right_columns=("id",)).columns["id"]
    assert given.uses == {ColumnUse.JOIN_KEY, ColumnUse.JOIN_PAYLOAD}
    assert given.shown_to == {BANK_RANK}


@pytest.mark.parametrize(("join", "is_plain"), [("inner", False), ("left", False), ("right", True)])
def test_columns_of_rows_that_match_none_are_shown_plainly(join: str, is_plain: bool) -> None:
    given = asked_of(SHOP_RANK, join=join, right_columns=("balance",))
    use = ColumnUse.PLAIN if is_plain else ColumnUse.JOIN_PAYLOAD
    assert given.columns["balance"].uses == {use}


@pytest.mark.parametrize(
    ("parameters", "of_bank"),
    [({}, 70), ({"join": "left"}, 5000), ({"join": "right"}, 70), ({"duplicates": "all"}, 5000)],
)
def test_as_many_rows_come_as_may_match_or_all(parameters: dict[str, Any], of_bank: int) -> None:
    assert asked_of(BANK_RANK, **parameters).largest_result == of_bank
    assert asked_of(SHOP_RANK, **parameters).largest_result == 70


def test_nothing_is_told_of_the_table_of_who_alone_receives() -> None:
    asked = asked_of(BANK_RANK, shop=SILENT)
    assert (asked.smallest_group, asked.largest_result, asked.told_exactly) == (None, 0, ())
    assert asked_of(BANK_RANK).smallest_group == 1
    assert asked_of(SHOP_RANK, shop=SILENT).told_exactly == ("which keys match",)


def figures(service: Any, rank: int, receivers: tuple[int, ...], **asked: Any) -> Demand:
    tables = (Table(keys=keys(1, 2)), Table(keys=keys(2, 3), columns={"sugar": ["1", "2"]}))
    demand: Demand = service.demand(terms_of(service, tables, receivers, **asked), rank)
    return demand


def test_a_count_is_exact_for_who_counts_and_has_noise_for_the_other() -> None:
    noisy = {"epsilon": "0.5"}
    assert figures(cardinality.SERVICE, 1, (0, 1), **noisy).epsilon is None
    assert figures(cardinality.SERVICE, 1, (0, 1), **noisy).told_exactly == ("how many keys match",)
    assert figures(cardinality.SERVICE, 0, (0, 1), **noisy).epsilon == Decimal("0.5")
    assert not figures(cardinality.SERVICE, 0, (0, 1), **noisy).told_exactly
    assert figures(cardinality.SERVICE, 0, (0, 1)).told_exactly
    assert not figures(cardinality.SERVICE, 0, (0,)).told_exactly
    assert figures(cardinality.SERVICE, 0, (0, 1)).smallest_intersection == 0


SUM: dict[str, Any] = {"columns": ["sugar"], "minimum": 5}
NOISE: dict[str, Any] = {**SUM, "epsilon": "1", "bounds": ["9"]}


def test_columns_that_are_added_up_are_aggregated_over_the_minimum_at_least() -> None:
    asked = figures(sums.SERVICE, 1, (0,), **SUM)
    assert {ColumnUse.AGGREGATED} in uses(asked).values()
    assert asked.smallest_group == 5
    assert asked.smallest_intersection == 0  # the receiver counts, however few match
    assert not any(column.shown_to for column in asked.columns.values())
    assert figures(sums.SERVICE, 0, (0, 1), **SUM).smallest_intersection == 5


def test_noise_in_sums_is_spent_on_both_tables_and_never_covers_the_count() -> None:
    of_sender, of_receiver = (figures(sums.SERVICE, rank, (0, 1), **NOISE) for rank in (1, 0))
    assert of_sender.epsilon == of_receiver.epsilon == Decimal(1)
    assert of_sender.told_exactly == ("how many keys match",)
    assert not of_receiver.told_exactly
    assert len(figures(sums.SERVICE, 1, (0, 1), **SUM).told_exactly) == 2


def test_a_use_implies_those_that_show_no_more() -> None:
    assert ColumnUse.AGGREGATED in ColumnUse.JOIN_PAYLOAD.implied
    assert ColumnUse.TRAINING_FEATURE not in ColumnUse.JOIN_PAYLOAD.implied
    assert ColumnUse.PLAIN.implied == set(ColumnUse)
    for use in ColumnUse:
        assert all(one.implied <= use.implied for one in use.implied)
