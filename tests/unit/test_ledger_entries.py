"""Entries are one canonical form, closed for each kind, and too small for data."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from appliance.ledger.entries import (
    MOST_ENTRY_BYTES,
    AccountHolder,
    Actor,
    Entry,
    LocalUser,
    NodeItself,
    OperatorFromAfar,
    PeerNode,
    parse_entry,
    write_entry,
)
from appliance.ledger.errors import EntryMalformed, EntryTooLong
from appliance.ledger.facts import (
    FACTS,
    BudgetSpent,
    DatasetRemoved,
    Facts,
    JobDisclosed,
    JobStarted,
    Kind,
    LoginFailed,
    NodeStarted,
)
from tests.unit.contract_doubles import MemoryKey
from tests.unit.ledger_doubles import DIGEST, JOB

NODE = MemoryKey().node_id.text
PLAIN: dict[str, Any] = {
    "account": "auditor",
    "accelerator_milliseconds": 0,
    "address": "192.0.2.1",
    "authority": DIGEST,
    "before": "analyst",
    "operator": NODE,
    "policy_version": 3,
    "principal": "uid:1000",
    "scope": "read-jobs",
    "token": "nightly",
    "approver": "auditor",
    "attempt": 1,
    "bytes_received": 2,
    "bytes_sent": 3,
    "change": "role",
    "cpu_milliseconds": 4,
    "dataset": "patients",
    "decision": "refused",
    "delta": "1e-9",
    "digest": DIGEST,
    "epsilon": "0.25",
    "expires": 5,
    "fingerprint": "salted",
    "format": "coffer.ledger/1",
    "grant": "grant-1",
    "left": 6,
    "method": "password",
    "name": "hospital",
    "node": NODE,
    "call": "Machine/Restart",
    "outcome": "failed",
    "parties": [NODE],
    "peer": NODE,
    "reason": "unfit",
    "role": "auditor",
    "root": DIGEST,
    "rounds": 7,
    "rows_offered": 8,
    "rows_used": 9,
    "rule": "smallest group",
    "sentence": "the group is too small",
    "service": "psi.intersect",
    "size": 10,
    "statements": ["you learn nothing", "they learn how many"],
    "total_delta": "0",
    "total_epsilon": "1.5",
    "up_to": 11,
    "use": 12,
    "uses": 13,
    "version": 14,
    "wall_milliseconds": 15,
}


def facts_of(kind: Kind) -> Facts:
    """Return facts in which every field is set."""
    fields = {name: PLAIN[name] for name in FACTS[kind].model_fields}
    if kind is Kind.NODE_STARTED:
        fields["version"] = "0.1.0"
    if kind is Kind.OPERATOR_CHANGED:
        fields["change"] = "enrolled"
    return FACTS[kind].model_validate(fields)


def entry(kind: Kind, facts: Facts, actor: Actor | None = None) -> Entry:
    return Entry(
        index=7, at=1_796_000_000_000, kind=kind, actor=actor or NodeItself(), job=JOB, facts=facts
    )


DATA = write_entry(entry(Kind.JOB_STARTED, JobStarted(attempt=2), LocalUser(uid=1000)))


def test_an_entry_is_canonical_json() -> None:
    assert DATA == (
        b'{"actor":{"uid":1000,"who":"local"},"at":1796000000000,"facts":{"attempt":2},"index":7,'
        b'"job":"aaaaaaaaaaaaaaaaaaaaaaaaaa","kind":"job.started","type":"coffer.ledger-entry/1"}'
    )


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_is_read_as_it_was_written(kind: Kind) -> None:
    written = entry(kind, facts_of(kind))

    read = parse_entry(write_entry(written))

    assert read == written
    assert type(read.facts) is FACTS[kind]


@pytest.mark.parametrize("kind", Kind)
def test_no_kind_takes_what_it_does_not_know(kind: Kind) -> None:
    plain = json.loads(write_entry(entry(kind, facts_of(kind))))
    plain["facts"]["rows"] = "secret"

    with pytest.raises(EntryMalformed):
        parse_entry(json.dumps(plain, separators=(",", ":"), sort_keys=True).encode())


@pytest.mark.parametrize(
    "actor",
    [
        NodeItself(),
        LocalUser(uid=0),
        OperatorFromAfar(id=NODE),
        AccountHolder(name="wang.li", role="security-administrator"),
        PeerNode(node=NODE),
    ],
)
def test_each_actor_is_read_as_it_was_written(actor: Actor) -> None:
    written = entry(Kind.JOB_STARTED, JobStarted(attempt=1), actor)

    assert parse_entry(write_entry(written)).actor == actor


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"attempt":2', b'"attempt": 2'),
        (b'"attempt":2', b'"attempt":2.0'),
        (b'"attempt":2', b'"attempt":"2"'),
        (b'"attempt":2', b'"attempt":-1'),
        (b'"attempt":2', b'"attempt":9007199254740992'),
        (b'"attempt":2', b'"attempt":2,"attempt":2'),
        (b'"attempt":2', b'"attempt":2,"keys":[]'),
        (b'{"attempt":2}', b"[]"),
        (b'{"attempt":2}', b"null"),
        (b"job.started", b"job.begun"),
        (b"job.started", b"job.ended"),
        (b"ledger-entry/1", b"ledger-entry/2"),
        (b'"index":7', b'"index":null'),
        (b'"job":"aa', b'"job":"AA'),
        (b'"who":"local"', b'"who":"root"'),
        (b'"uid":1000,', b""),
        (b"aaaa", b"\xff\xfe"),
    ],
)
def test_anything_but_the_one_form_is_refused(old: bytes, new: bytes) -> None:
    assert old in DATA

    with pytest.raises(EntryMalformed):
        parse_entry(DATA.replace(old, new, 1))


def test_the_fault_is_named_without_repeating_what_is_foreign() -> None:
    foreign = DATA.replace(b'"attempt":2', b'"attempt":2,"\xe2\x80\xae' + b"x" * 200 + b'":1')

    with pytest.raises(EntryMalformed) as caught:
        parse_entry(foreign)

    assert "x" * 100 not in caught.value.what
    assert caught.value.what.isascii()


def test_a_record_that_is_too_long_is_not_written() -> None:
    facts = JobDisclosed(digest=DIGEST, statements=("x" * 512,) * 16)

    with pytest.raises(EntryTooLong, match="8192"):
        write_entry(entry(Kind.JOB_DISCLOSED, facts))


def test_bytes_that_are_too_many_are_not_read() -> None:
    with pytest.raises(EntryMalformed, match="at most 8192"):
        parse_entry(b" " * (MOST_ENTRY_BYTES + 1))


def test_facts_of_another_kind_are_refused() -> None:
    with pytest.raises(ValidationError):
        entry(Kind.JOB_STARTED, DatasetRemoved(dataset="patients"))


def test_every_kind_has_facts_and_no_facts_have_an_open_field() -> None:
    assert set(FACTS) == set(Kind)
    for facts in FACTS.values():
        assert facts.model_config["extra"] == "forbid"
        assert '"object"' not in json.dumps(facts.model_json_schema()["properties"])


@pytest.mark.parametrize("text", ["1,5", "1.", ".5", "01", "-1", "nan", "1e9", "+1", "1e-0"])
def test_a_budget_is_an_exact_decimal(text: str) -> None:
    with pytest.raises(ValidationError):
        BudgetSpent(
            dataset="patients",
            peer=NODE,
            epsilon=text,
            delta="0",
            total_epsilon="0",
            total_delta="0",
        )


def test_what_cannot_be_printed_is_refused() -> None:
    with pytest.raises(ValidationError):
        NodeStarted(version="0.1\n0")


def test_a_failed_login_need_not_repeat_what_was_typed() -> None:
    assert LoginFailed(reason="unknown-account").account is None
    with pytest.raises(ValidationError):
        LoginFailed(account="Correct Horse", reason="unknown-account")
