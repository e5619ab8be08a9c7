"""Of each rule contracts that it refuses, each beside the nearest that it lets pass."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from appliance.policies.facts import ContractPeer
from appliance.policies.rules import Rule
from services.demand import ColumnUse, Demand
from services.service import Adversary
from tests.unit.policy_doubles import (
    BEGIN,
    BUDGET,
    CLINIC,
    CLINIC_ID,
    CLINIC_RANK,
    DAY,
    END,
    NOISY,
    OURS,
    REQUEST,
    SHOP,
    SHOP_ID,
    SHOP_RANK,
    SILENT,
    Case,
    case,
    column,
    demand,
    milliseconds,
    peer,
    standing,
)

LAST = milliseconds(END)
SHOWN = ColumnUse.JOIN_PAYLOAD
LEAST = Decimal("0.000000001")
LAWFUL: dict[str, Any] = {"adversary": Adversary.SEMI_HONEST}
UNKNOWN = replace(CLINIC, is_attested=False)
COLUMNS = REQUEST.columns
GIVEN_NOISE = column("name", SHOWN, shown_to={SHOP_RANK}, of=NOISY)
EXACT_NOISE = demand(NOISY, told_exactly=("how many",))


def security(**said: Any) -> dict[str, Any]:
    return {"security": said}


def budget(**changes: Any) -> dict[str, Any]:
    return {"budget": BUDGET | changes}


def spent(epsilon: Decimal | str = "0", delta: Decimal | str = "0") -> Any:
    return standing(epsilon=Decimal(epsilon), delta=Decimal(delta))


def matching(smallest: int) -> Demand:
    return demand(smallest_intersection=smallest)


def running(version: str) -> ContractPeer:
    return replace(SHOP, version=version)


CASES: dict[Rule, list[tuple[Case, Case]]] = {
    Rule.PEER: [
        (case({"peers": [SHOP_ID]}), case({"peers": [CLINIC_ID, SHOP_ID]})),
        (case({"peers": [SHOP_ID]}), case({"peers": [SHOP_ID]}, peers=(SHOP,))),
        (case(peers=(SHOP, CLINIC, peer(3, "stranger"))), case(peers=(CLINIC, SHOP))),
    ],
    Rule.SERVICE: [
        (case(service="psi.sums"), case(service="psi.sum")),
        (case({"services": []}), case({"services": ["psi.sum"]})),
    ],
    Rule.NOT_BEGUN: [
        (case(now=milliseconds(BEGIN) - 1), case(now=milliseconds(BEGIN))),
        (
            case({"valid_from": BEGIN + timedelta(microseconds=1)}, now=milliseconds(BEGIN)),
            case({"valid_from": None}, now=0),
        ),
    ],
    Rule.NO_END: [(case({"valid_until": None}), case())],
    Rule.ENDED: [
        (case(now=LAST, expires_milliseconds=0), case(now=LAST - 1, expires_milliseconds=0)),
        (case(now=LAST + DAY), case(now=LAST - DAY)),
    ],
    Rule.EXPIRY: [
        (case(expires_milliseconds=LAST + 1), case(expires_milliseconds=LAST)),
        (case(expires_milliseconds=2**53 - 1), case(expires_milliseconds=LAST - 1)),
    ],
    Rule.ADVERSARY: [
        (case(**LAWFUL), case(security(adversary="semi-honest"), **LAWFUL)),
        (case(security(adversary="malicious"), **LAWFUL), case(security(adversary="semi-honest"))),
    ],
    Rule.ATTESTATION: [
        (
            case(peers=(SHOP, UNKNOWN)),
            case(security(attested_peers=False), peers=(SHOP, UNKNOWN)),
        )
    ],
    Rule.VERSION: [
        (
            case(peers=(SHOP, replace(CLINIC, version=old))),
            case(peers=(replace(SHOP, version=new),)),
        )
        for old, new in [
            ("0.2.99", "0.3"),
            ("0.2", "0.3.0.0"),
            ("0", "0.10"),
            ("", "1"),
            ("0.3.dev1", "20261101.000000"),
            ("0.3\n", "0.3.1"),
            ("٠.٣", "00.03"),
        ]
    ],
    Rule.NO_COLUMN: [
        (case(columns=COLUMNS - {"balance"}), case(columns=COLUMNS - {"diagnosis"})),
    ],
    Rule.COLUMN: [
        (
            case(demand=column("age", ColumnUse.COMPARED), columns=COLUMNS | {"age"}),
            case(columns=COLUMNS | {"age"}),
        ),
        (case(demand=column("diagnosis", ColumnUse.COMPARED)), case()),
    ],
    Rule.USE: [
        (case(demand=column("balance", use)), case(demand=column("balance", ColumnUse.AGGREGATED)))
        for use in ColumnUse
        if use is not ColumnUse.AGGREGATED
    ],
    Rule.RECEIVER: [
        (
            case(demand=column("name", SHOWN, shown_to={SHOP_RANK, CLINIC_RANK})),
            case(demand=column("name", SHOWN, shown_to={SHOP_RANK, OURS})),
        ),
        (case(demand=column("name", SHOWN, shown_to={3})), case()),
        (case(demand=column("balance", ColumnUse.AGGREGATED, shown_to={SHOP_RANK})), case()),
        (case(demand=column("name", SHOWN)), case(demand=column("name", SHOWN), peers=(SHOP,))),
    ],
    Rule.GROUP: [
        (case(demand=demand(smallest_group=4)), case(demand=demand(smallest_group=5))),
        (case(demand=demand(smallest_group=0)), case(demand=demand(smallest_group=None))),
    ],
    Rule.INTERSECTION: [
        (
            case(demand=demand(smallest_intersection=5)),
            case(demand=demand(smallest_intersection=6)),
        ),
        (
            case(demand=demand(NOISY, smallest_intersection=0, smallest_group=None)),
            case(demand=SILENT),
        ),
        (case(demand=demand(SILENT, told_exactly=("that",))), case(demand=SILENT)),
        (
            case(demand=demand(SILENT, largest_result=1)),
            case({"smallest_intersection": 0}, demand=demand(SILENT, largest_result=1)),
        ),
    ],
    Rule.RESULT: [
        (case(demand=demand(largest_result=101)), case(demand=demand(largest_result=100))),
        (
            case({"largest_result": 0}, demand=demand(largest_result=1)),
            case({"largest_result": 0}, demand=demand(largest_result=0)),
        ),
    ],
    Rule.NOISE: [
        (case(budget()), case()),
        (case(budget(exact_figures=True)), case(budget(), demand=SILENT)),
        (
            case(budget(), demand=demand(SILENT, smallest_group=9, smallest_intersection=9)),
            case(budget(), demand=demand(NOISY, smallest_group=9)),
        ),
    ],
    Rule.EXACT: [
        (case(budget(), demand=EXACT_NOISE), case(budget(exact_figures=True), demand=EXACT_NOISE)),
        (case(budget(), demand=demand(NOISY, largest_result=1)), case(budget(), demand=NOISY)),
        (case(budget(), demand=GIVEN_NOISE), case(demand=GIVEN_NOISE)),
    ],
    Rule.EPSILON: [
        (
            case(budget(), spent(1 + LEAST), demand=NOISY),
            case(budget(), spent("1.0"), demand=NOISY),
        ),
        (
            case(budget(epsilon=0), spent(LEAST), demand=NOISY),
            case(None, spent(LEAST), demand=NOISY),
        ),
        (
            case(budget(), spent("1." + "0" * 60 + "1"), demand=NOISY),
            case(budget(), spent("2"), demand=SILENT),
        ),
    ],
    Rule.DELTA: [
        (
            case(budget(), spent("1", "0.000001000000001"), demand=NOISY),
            case(budget(), spent("1", "0.000001"), demand=NOISY),
        ),
        (
            case(budget(delta=0), spent("1", "1e-18"), demand=NOISY),
            case(budget(delta=0), spent("1"), demand=NOISY),
        ),
    ],
    Rule.USES: [
        (case(before=standing(uses=3)), case(before=standing(uses=2))),
        (case({"uses": 0, "uses_per_day": 0}), case({"uses": 1, "uses_per_day": 1})),
    ],
    Rule.USES_PER_DAY: [
        (case(before=standing(uses=2, uses_of_day=2)), case(before=standing(2, uses_of_day=1))),
        (
            case(before=standing(uses=2, uses_of_day=2)),
            case({"uses_per_day": None}, standing(uses=2, uses_of_day=2)),
        ),
    ],
}
# What else refuses: who may not be shown a column receives nothing of it; the first day's uses.
BESIDES: dict[Rule, set[Rule]] = {
    Rule.USE: {Rule.RECEIVER},
    Rule.USES: {Rule.USES_PER_DAY},
}
