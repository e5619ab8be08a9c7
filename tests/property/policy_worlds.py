"""Random policies, and contracts close to what they allow: at boundaries, and beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from appliance.policies.facts import ContractPeer, Request, Spent, Standing
from appliance.policies.values import POLICY_TYPE
from services.demand import ColumnDemand, ColumnUse, Demand
from services.service import Adversary
from tests.unit.policy_doubles import node_of

NAMES = ("shop", "clinic", "bank")
NODES = {name: node_of(name).text for name in (*NAMES, "stranger")}
SERVICES = ("psi.cardinality", "psi.intersect", "psi.sum")
COLUMNS = ("id", "balance", "segment", "age")
USES = tuple(ColumnUse)
SHOWN = ("join-payload", "plain")
VERSIONS = ("0.3", "0.3.0", "0.2.9", "1", "0.10", "", "0.3.dev1")
BEGIN = datetime(2027, 3, 1, tzinfo=UTC)
BEGIN_MILLISECONDS = 1_803_859_200_000
WINDOW = 1000
RARE = 0.06
AMOUNTS = (Decimal("0.999999999"), Decimal(1), Decimal("1.000000001"))

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class World:
    """A policy as a document, or none; a contract; what was used; and what time it is."""

    document: dict[str, Any] | None
    request: Request
    standing: Standing
    now: int


def some(rng: Random, items: Sequence[_Item], least: int = 0) -> list[_Item]:
    return rng.sample(items, rng.randint(least, len(items)))


def rarely(rng: Random) -> bool:
    return rng.random() < RARE


def near(rng: Random, limit: int, wrong: int) -> int:
    """Return a number at the limit, or rarely beyond it, by one, in the direction that is wrong."""
    return max(0, limit + wrong if rarely(rng) else limit - wrong * rng.randint(0, 1))


def world(rng: Random) -> World:
    document = policy(rng)
    request = contract(rng, document)
    budget = document.get("budget", {})
    uses, a_day = document.get("uses", 0), document.get("uses_per_day", 2)
    after = {
        "epsilon": budget.get("epsilon", Decimal(1)) * (rng.choice(AMOUNTS[: 2 + rarely(rng)])),
        "delta": budget.get("delta", Decimal(0)) + (Decimal("1e-9") if rarely(rng) else 0),
    }
    return World(
        document=None if rng.random() < RARE / 4 else document,
        request=request,
        standing=Standing(
            version=1,
            uses=near(rng, uses - 1, 1),
            uses_of_day=near(rng, a_day - 1, 1),
            spent=Spent(),
            spent_after=Spent(**after),
        ),
        now=near(rng, BEGIN_MILLISECONDS, -1) if rng.random() < 0.7 else last(rng),
    )


def last(rng: Random) -> int:
    return near(rng, BEGIN_MILLISECONDS + WINDOW - 1, 1)


def policy(rng: Random) -> dict[str, Any]:
    """Return a document that is read without an error, whose keys are sometimes left out."""
    peers = [NODES[name] for name in some(rng, NAMES, 1)]
    uses = rng.randint(0 if rarely(rng) else 1, 3)
    said: dict[str, Any] = {
        "type": POLICY_TYPE,
        "peers": peers,
        "services": some(rng, SERVICES, 1),
        "valid_from": BEGIN,
        "valid_until": BEGIN + timedelta(milliseconds=WINDOW),
        "uses": uses,
        "uses_per_day": rng.randint(0, uses) if rarely(rng) else uses,
        "approvals": rng.randint(0, 2),
        "smallest_group": rng.randint(0, 3),
        "smallest_intersection": rng.randint(0, 3),
        "largest_result": rng.randint(0, 3),
        "security": {
            "adversary": rng.choice(["semi-honest", "malicious"]),
            "attested_peers": rng.random() < 0.3,
        }
        | ({"smallest_version": "0.3"} if rng.random() < 0.5 else {}),
        "columns": {name: column(rng, peers) for name in COLUMNS if not rarely(rng)},
    }
    if rng.random() < 0.4:
        said["budget"] = {
            "epsilon": Decimal(rng.randint(0, 2)),
            "exact_figures": rng.random() < 0.7,
        }
        said["budget"] |= {"delta": Decimal("1e-6")} if rng.random() < 0.5 else {}
    left_out = [key for key in ("valid_from", "uses_per_day", "smallest_group") if rarely(rng)]
    left_out += ["valid_until"] if rarely(rng) else []
    return {key: value for key, value in said.items() if key not in left_out}


def column(rng: Random, peers: list[str]) -> Any:
    words = [use.value for use in rng.sample(USES, rng.randint(1, 3))]
    if rarely(rng):
        return "never"
    if not set(SHOWN) & set(words):
        return words[0] if len(words) == 1 else words
    receivers = peers if rng.random() < 0.7 else some(rng, peers, 1)
    return {"uses": words, "receivers": receivers}


def contract(rng: Random, document: dict[str, Any]) -> Request:
    """Return a contract that mostly keeps to the document, and departs from it here and there."""
    allowed = [name for name in NAMES if NODES[name] in document["peers"]]
    names = some(rng, allowed, 1) + (["stranger"] if rarely(rng) else [])
    security = document["security"]
    peers = tuple(
        ContractPeer(
            rank=rank,
            node=node_of(name),
            name=name,
            version=rng.choice(VERSIONS) if rng.random() < 3 * RARE else "0.3",
            is_attested=not rarely(rng) if security["attested_peers"] else rng.random() < 0.5,
        )
        for rank, name in enumerate(names, start=1)
    )
    is_lawful = rarely(rng) if security["adversary"] == "malicious" else rng.random() < 0.7
    missing = {rng.choice(COLUMNS)} if rarely(rng) else set()
    return Request(
        dataset="patients",
        rank=0,
        columns=frozenset(COLUMNS) - missing,
        service=rng.choice(SERVICES if rarely(rng) else document["services"]),
        adversary=Adversary.SEMI_HONEST if is_lawful else Adversary.MALICIOUS,
        peers=peers,
        demand=demand(rng, document, peers),
        expires_milliseconds=last(rng) + 1,
    )


def demand(rng: Random, document: dict[str, Any], peers: Sequence[ContractPeer]) -> Demand:
    columns = {
        name: column_demand(rng, document["columns"].get(name, "never"), peers)
        for name in some(rng, COLUMNS)
        if name in document["columns"] or rarely(rng)
    }
    group = near(rng, document.get("smallest_group", 10), -1)
    has_noise = rng.random() < (0.9 if "budget" in document else 0.2)
    tells = rng.random() < (0.9 if not has_noise else 0.4)
    return Demand(
        columns=columns,
        smallest_group=group if rng.random() < 0.6 else None,
        smallest_intersection=near(rng, document["smallest_intersection"], -1),
        largest_result=near(rng, document["largest_result"], 1) if rng.random() < 0.5 else 0,
        epsilon=Decimal("0.5") if has_noise else None,
        told_exactly=("which keys match",) if tells else (),
    )


def column_demand(rng: Random, rule: Any, peers: Sequence[ContractPeer]) -> ColumnDemand:
    words = rule["uses"] if isinstance(rule, dict) else [rule] if isinstance(rule, str) else rule
    uses = [ColumnUse(word) for word in words if word != "never"] or [rng.choice(USES)]
    chosen = [rng.choice(USES)] if rng.random() < 2 * RARE else some(rng, uses, 1)
    ranks = [
        one.rank
        for one in peers
        if isinstance(rule, dict) and (one.node.text in rule["receivers"] or rarely(rng))
    ]
    is_shown = any(use.value in SHOWN for use in chosen)
    ranks += [0] if rarely(rng) else []
    ranks += [9] if rng.random() < RARE / 4 else []
    shown_to = some(rng, ranks, min(1, len(ranks))) if is_shown or rarely(rng) else []
    return ColumnDemand(uses=frozenset(chosen), shown_to=frozenset(shown_to))
