"""A second opinion on policies: slow, and written from the prose of what a policy means alone.

Each rule is the set of those who offend against it. It reads the document as it was written, with
no default filled in, and shares no code with what it checks.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any

from appliance.policies.facts import Request, Standing

Offence = tuple[str, ...]

EVERYTHING = {
    *("join-key", "compared", "aggregated", "group-key"),
    *("join-payload", "plain", "training-feature", "label"),
}
ALLOWS_ALSO = {
    "group-key": {"compared"},
    "join-payload": {"group-key", "aggregated", "compared"},
    "plain": EVERYTHING,
}
TO_RECEIVERS = {"join-payload", "plain"}


def offences(
    policy: Mapping[str, Any] | None, asks: Request, before: Standing, milliseconds: int
) -> set[Offence]:
    """Return who or what offends against each rule, as (the rule's word, the offender…)."""
    if policy is None:
        return {("no-policy",)}
    found = {
        **_about_the_parties(policy, asks),
        **_about_time(policy, asks, milliseconds),
        **_about_columns(policy, asks),
        **_about_amounts(policy, asks, before),
    }
    return {(rule, *offender) for rule, offenders in found.items() for offender in offenders}


def _about_the_parties(policy: Mapping[str, Any], asks: Request) -> dict[str, set[Offence]]:
    security = policy.get("security", {})
    least = security.get("smallest_version")
    return {
        "peer": {
            (one.name,)
            for one in asks.peers
            if not any(one.node.text == named for named in policy.get("peers", []))
        },
        "service": {(one,) for one in {asks.service} - {*policy.get("services", [])}},
        "adversary": {
            (asks.service,)
            for wanted in [security.get("adversary", "malicious")]
            if (wanted, asks.adversary.value) == ("malicious", "semi-honest")
        },
        "attestation": {
            (one.name,)
            for one in asks.peers
            if security.get("attested_peers", False) and not one.is_attested
        },
        "version": {
            (one.name,)
            for one in asks.peers
            if least is not None and not _comes_not_before(one.version, least)
        },
    }


def _comes_not_before(version: str, least: str) -> bool:
    parts = version.split(".")
    if not all(part and set(part) <= set("0123456789") for part in parts):
        return False
    for ours, theirs in zip_longest(map(int, parts), map(int, least.split(".")), fillvalue=0):
        if ours != theirs:
            return ours > theirs
    return True


def _about_time(
    policy: Mapping[str, Any], asks: Request, milliseconds: int
) -> dict[str, set[Offence]]:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    now = start + timedelta(milliseconds=milliseconds)
    last_begin = start + timedelta(milliseconds=asks.expires_milliseconds)
    return {
        "not-begun": {() for begin in [policy.get("valid_from")] if begin and begin > now},
        "no-end": {() for end in [policy.get("valid_until")] if not end},
        "ended": {() for end in [policy.get("valid_until")] if end and not now < end},
        "expiry": {() for end in [policy.get("valid_until")] if end and end < last_begin},
    }


def _words(said: Any) -> set[str]:
    """Return the uses that a column's rule names, however it is written."""
    uses = said["uses"] if isinstance(said, dict) else said
    return ({uses} if isinstance(uses, str) else set(uses)) - {"never"}


def _about_columns(policy: Mapping[str, Any], asks: Request) -> dict[str, set[Offence]]:
    said = policy.get("columns", {})
    named = {name: _words(rule) for name, rule in said.items()}
    receivers = {
        name: set(rule["receivers"]) if isinstance(rule, dict) and "receivers" in rule else set()
        for name, rule in said.items()
    }
    nodes = {one.rank: one.node.text for one in asks.peers}
    names = {one.rank: one.name for one in asks.peers}
    usable = {name for name in asks.demand.columns if named.get(name)}
    wanted = {(name, use.value) for name in usable for use in asks.demand.columns[name].uses}
    granted = {(name, word) for name in usable for word in named[name]} | {
        (name, also)
        for name in usable
        for word in named[name]
        for also in ALLOWS_ALSO.get(word, set())
        if word not in TO_RECEIVERS or set(nodes.values()) <= receivers[name]
    }
    shown = {
        (name, rank)
        for name in usable
        for column in [asks.demand.columns[name]]
        for rank in column.shown_to
        or (nodes if {use.value for use in column.uses} & TO_RECEIVERS else set())
        if rank != asks.rank
    }
    return {
        "no-column": {(name,) for name in asks.demand.columns if name not in asks.columns},
        "column": {(name,) for name in asks.demand.columns if name not in usable},
        "use": {(name, word) for name, word in wanted - granted},
        "receiver": {
            (name, names.get(rank, f"party {rank}"))
            for name, rank in shown
            if nodes.get(rank) not in receivers[name]
        },
    }


def _about_amounts(
    policy: Mapping[str, Any], asks: Request, before: Standing
) -> dict[str, set[Offence]]:
    demand = asks.demand
    exactly = {
        *(("said", words) for words in demand.told_exactly),
        *(("rows", str(count)) for count in range(min(demand.largest_result, 1))),
        *(("shown", name) for name, column in demand.columns.items() if column.shown_to),
        *(
            ("shown", name)
            for name, column in demand.columns.items()
            if {use.value for use in column.uses} & TO_RECEIVERS
        ),
    }
    figures = {("group",)} if demand.smallest_group is not None else set()
    noisy = {("noise",)} if demand.epsilon is not None else set()
    group, most = policy.get("smallest_group", 10), policy.get("largest_result", 0)
    matches = policy.get("smallest_intersection", 10)
    daily = [policy["uses_per_day"]] if "uses_per_day" in policy else []
    spends = [(policy["budget"], before.spent_after)] if "budget" in policy and noisy else []
    return {
        "smallest-group": {() for _ in figures if group > (demand.smallest_group or 0)},
        "smallest-intersection": {
            () for _ in exactly | figures | noisy if matches > demand.smallest_intersection
        },
        "largest-result": {() for rows in [demand.largest_result] if rows > most},
        "noise": {() for _ in exactly | figures if "budget" in policy and not noisy},
        "exact-figures": {
            ()
            for _ in exactly
            for budget, _ in spends
            if budget.get("exact_figures", False) is not True
        },
        "epsilon": {() for budget, after in spends if not after.epsilon <= budget["epsilon"]},
        "delta": {() for budget, after in spends if not after.delta <= budget.get("delta", 0)},
        "uses": {() for all_uses in [policy.get("uses", 0)] if before.uses + 1 > all_uses},
        "uses-per-day": {() for a_day in daily if before.uses_of_day + 1 > a_day},
    }
