"""The policies of the owners' page allow what is said there, of contracts of real services."""

import json
from dataclasses import replace
from typing import Any

from appliance.policies.decide import decide
from appliance.policies.document import parse_policy, pin_peers
from appliance.policies.facts import Request
from appliance.policies.rules import Rule
from services.psi import intersect, sums
from services.service import Column, DatasetTerms, PartyTerms, Service, Terms
from tests.unit.policy_doubles import (
    NOW,
    REQUEST,
    examples_of_the_page,
    node_of,
    peer,
    refused,
    standing,
)

SUMS, ROWS = examples_of_the_page()
HOSPITAL = peer(1, "hospital-b")
KNOWN = {name: node_of(name) for name in ("hospital-b", "insurer")}
NAMES = ("customer_id", "balance", "segment", "remarks")
CUSTOMERS = DatasetTerms(
    name="customers",
    columns=tuple(Column(name=name, type="BIGINT") for name in NAMES),
    key=("customer_id",),
    normal_form=(),
    row_count=5000,
    payload=NAMES,
)
BANK = PartyTerms(name="bank", role="sender", dataset=CUSTOMERS, receives=())


def asks(service: Service, **parameters: Any) -> Request:
    """Return what a contract with the hospital, which alone receives, asks of the bank."""
    receiver = replace(BANK, name="hospital-b", role="receiver", receives=service.outputs[:1])
    made = service.parameters.model_validate_json(json.dumps(parameters))
    terms = Terms(parties=(BANK, receiver), parameters=made)
    service.check(terms)
    return replace(
        REQUEST,
        columns=frozenset(NAMES),
        service=service.name,
        adversary=service.adversary_of(terms),
        peers=(HOSPITAL,),
        demand=service.demand(terms, 0),
    )


def rules(example: str, request: Request) -> list[Rule]:
    return refused(decide(request, pin_peers(parse_policy(example), KNOWN), standing(), NOW))


def test_sums_with_noise_over_enough_rows_are_allowed() -> None:
    figures = {"columns": ("balance",), "minimum": 20, "epsilon": "0.5", "bounds": ("100",)}

    assert rules(SUMS, asks(sums.SERVICE, **figures)) == []
    assert rules(SUMS, asks(sums.SERVICE, **figures | {"minimum": 19})) == [Rule.GROUP]
    assert rules(SUMS, asks(sums.SERVICE, columns=("balance",), minimum=20)) == [Rule.NOISE]
    assert Rule.COLUMN in rules(SUMS, asks(sums.SERVICE, **figures | {"columns": ("remarks",)}))


def test_matching_rows_and_their_segments_are_allowed() -> None:
    safe = {"security": "malicious", "protocol": "rr22"}

    assert rules(ROWS, asks(intersect.SERVICE, **safe, left_columns=("segment",))) == []
    assert rules(ROWS, asks(intersect.SERVICE, left_columns=("segment",))) == [Rule.ADVERSARY]
    assert rules(ROWS, asks(intersect.SERVICE, **safe, left_columns=("balance",))) == [Rule.COLUMN]
    assert rules(SUMS, asks(intersect.SERVICE, **safe))[0] is Rule.SERVICE
