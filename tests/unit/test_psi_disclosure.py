"""What jobs of the family psi say that parties learn, where that is easily said too little of."""

from dataclasses import replace
from typing import Any

import pytest

from services.kernels.okvs_shape import Shape
from services.psi import cardinality, sums
from services.psi.disclosure import disclose
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
SHOP = replace(BANK, name="shop", role="sender")


def told(learner: str, *, shop: PartyTerms = SHOP, **parameters: Any) -> str:
    made = Terms(parties=(BANK, shop), parameters=IntersectParameters.model_validate(parameters))
    rank = [party.name for party in made.parties].index(learner)
    return "\n".join(str(one) for one in disclose(made) if one.learner == rank)


@pytest.mark.parametrize(
    ("columns", "says"), [(("balance",), True), (("id",), False), (("balance", "id"), False)]
)
def test_nobody_is_said_to_learn_no_other_keys_who_gets_them(
    columns: tuple[str, ...], says: bool
) -> None:
    sentence = "bank learns nothing of the keys of shop that it does not hold itself"
    assert (sentence in told("bank", join="full", right_columns=columns)) == says
    assert sentence in told("bank", join="inner", right_columns=columns)


def test_a_bound_is_said_not_to_hide_the_rows_that_an_outer_join_gives() -> None:
    assert SHOP.dataset is not None
    bound = replace(SHOP, dataset=replace(SHOP.dataset, is_bound=True))

    assert "work out how many rows shop has" in told("bank", shop=bound, join="right")
    assert "work out" not in told("bank", shop=bound, join="inner")
    assert "work out" not in told("bank", join="right")


def test_how_many_keys_a_liar_may_test_is_said_of_either_party_that_learns() -> None:
    asked: dict[str, Any] = {"security": "malicious", "partitions": 64}

    rows = Shape.of(166).rows  # 166 are the keys that a partition of 64 is filled up to
    assert f"bank does not keep to the protocol, it may test {64 * rows} k" in told("bank", **asked)
    assert f"shop does not keep to the protocol, it may test {64 * 166} k" in told("shop", **asked)
    alone = replace(SHOP, receives=())
    assert "may test" not in told("shop", shop=alone, **asked)


def figures_told(service: Any, learner: int, receivers: tuple[int, ...], **asked: Any) -> str:
    tables = (Table(keys=keys(1, 2)), Table(keys=keys(2, 3), columns={"sugar": ["1", "2"]}))
    made = terms_of(service, tables, receivers, **asked)
    return "\n".join(str(one) for one in service.disclose(made) if one.learner == learner)


SUM: dict[str, Any] = {"columns": ["sugar"], "minimum": 5}
NOISE: dict[str, Any] = {**SUM, "epsilon": "1", "bounds": ["9"]}


def test_who_counts_is_said_to_be_able_to_test_one_key() -> None:
    for service, asked in ((cardinality.SERVICE, {}), (sums.SERVICE, SUM), (sums.SERVICE, NOISE)):
        assert "a key that it guesses" in figures_told(service, 0, (0, 1), **asked)
    assert "a key that it guesses" in figures_told(cardinality.SERVICE, 1, (0, 1))
    assert "guesses" not in figures_told(cardinality.SERVICE, 1, (0, 1), epsilon="1")


def test_a_sender_that_receives_sums_is_said_to_learn_how_many_match_and_what_it_can_do() -> None:
    said = figures_told(sums.SERVICE, 1, (0, 1), **SUM)

    assert "laboratory learns how many keys match, if at least 5 do" in said
    assert "one fewer than 5" in said
    assert "which of its rows match" in said
    alone = figures_told(sums.SERVICE, 1, (0,), **SUM)
    assert "how many keys match" not in alone
    assert "which of its rows match" not in alone


def test_noise_is_said_to_be_in_all_that_the_sender_learns() -> None:
    for receivers in ((0,), (0, 1)):
        said = figures_told(sums.SERVICE, 1, receivers, **NOISE)
        assert "all that laboratory learns of what matches holds noise: ε = 1 in all" in said
        assert "guesses" not in said
    assert "the number of keys that match has none" in figures_told(sums.SERVICE, 0, (0,), **NOISE)


def test_rows_behind_a_bound_are_said_to_be_as_many_at_the_most() -> None:
    assert BANK.dataset is not None
    made = Terms(
        parties=(replace(BANK, dataset=replace(BANK.dataset, is_bound=True)), SHOP),
        parameters=IntersectParameters(),
    )
    said = "\n".join(map(str, disclose(made)))

    assert "bank learns which of its own up to 5000 rows" in said
    assert "shop learns that bank brings at most 5000 rows" in said
