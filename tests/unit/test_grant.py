"""Grants: one canonical document, and exactly what it says."""

from dataclasses import replace
from typing import Any

import pytest

from appliance.grants.cover import Asked, AskedColumn, require_covers
from appliance.grants.errors import GrantMalformed, GrantRefused
from appliance.grants.grant import (
    MOST_GRANT_BYTES,
    Grant,
    GrantedColumn,
    make_grant_id,
    parse_grant,
    write_grant,
)
from services.demand import ColumnUse
from tests.unit.contract_doubles import MemoryKey

OWNER, PEER, OTHER = (MemoryKey().node_id for _ in range(3))
DAY = 24 * 3600 * 1000
ISSUED = 1_000_000
JOB = "a" * 26


def grant(**changes: Any) -> Grant:
    plain: dict[str, Any] = {
        "id": make_grant_id(),
        "grantor": OWNER.text,
        "grantees": (PEER.text,),
        "dataset": "patients",
        "fingerprint": "print",
        "service": "test.join",
        "columns": (
            GrantedColumn(name="id", uses=(ColumnUse.JOIN_KEY,)),
            GrantedColumn(name="age", uses=(ColumnUse.JOIN_PAYLOAD,), shown_to=(PEER.text,)),
        ),
        "uses": 1,
        "job": None,
        "issued": ISSUED,
        "expires": ISSUED + DAY,
        "policy": "digest",
    }
    return Grant(**plain | changes)


def asked(**changes: Any) -> Asked:
    plain: dict[str, Any] = {
        "job": JOB,
        "owner": OWNER,
        "others": frozenset({PEER}),
        "dataset": "patients",
        "fingerprint": "print",
        "service": "test.join",
        "columns": {
            "id": AskedColumn(uses=frozenset({ColumnUse.JOIN_KEY}), shown_to=frozenset()),
            "age": AskedColumn(
                uses=frozenset({ColumnUse.JOIN_PAYLOAD}), shown_to=frozenset({PEER})
            ),
        },
    }
    return Asked(**plain | changes)


def test_a_grant_is_read_back_from_its_bytes() -> None:
    for made in (grant(), grant(job=JOB), grant(uses=7)):
        assert parse_grant(write_grant(made)) == made


@pytest.mark.parametrize(
    "changes",
    [
        {"grantees": (OWNER.text,)},
        {"grantees": (PEER.text, PEER.text)},
        {"grantees": ()},
        {"uses": 0},
        {"uses": 2, "job": JOB},
        {"expires": ISSUED},
        {"columns": (GrantedColumn(name="id", uses=(ColumnUse.JOIN_KEY,)),) * 2},
        {"columns": (GrantedColumn(name="id", uses=(ColumnUse.PLAIN,), shown_to=(OTHER.text,)),)},
    ],
)
def test_a_grant_that_contradicts_itself_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        grant(**changes)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        write_grant(grant()).replace(b'"uses":1', b'"uses": 1'),
        write_grant(grant()).replace(b'"uses":1', b'"uses":true'),
        write_grant(grant()).replace(b'"service":', b'"also":1,"service":'),
        write_grant(grant()).replace(b"join-key", b"join-kye"),
        b" " * (MOST_GRANT_BYTES + 1),
    ],
)
def test_bytes_that_are_no_grant_in_canonical_form_are_refused(data: bytes) -> None:
    with pytest.raises(GrantMalformed):
        parse_grant(data)


def test_a_grant_covers_what_it_says_and_what_shows_less() -> None:
    require_covers(grant(), asked(), ISSUED)
    require_covers(grant(), asked(), ISSUED + DAY - 1)
    require_covers(grant(job=JOB), asked(), ISSUED)
    only_added_up = AskedColumn(uses=frozenset({ColumnUse.AGGREGATED}), shown_to=frozenset())
    require_covers(grant(), asked(columns={"age": only_added_up}), ISSUED)
    require_covers(grant(grantees=(PEER.text, OTHER.text)), asked(), ISSUED)


def more_columns(**columns: AskedColumn) -> dict[str, AskedColumn]:
    return {**asked().columns, **columns}


TO_NOBODY: frozenset[Any] = frozenset()
MORE: list[tuple[dict[str, Any], str]] = [
    ({"owner": OTHER}, "not of"),
    ({"others": frozenset({PEER, OTHER})}, "not granted to"),
    ({"dataset": "visits"}, "for the dataset patients"),
    ({"fingerprint": "another"}, "has changed"),
    ({"service": "psi.sum"}, "is for test.join"),
    (
        {"columns": more_columns(sex=AskedColumn(uses=TO_NOBODY, shown_to=TO_NOBODY))},
        "the column sex",
    ),
    (
        {
            "columns": more_columns(
                id=AskedColumn(uses=frozenset({ColumnUse.PLAIN}), shown_to=TO_NOBODY)
            )
        },
        "the column id as plain",
    ),
    (
        {
            "columns": more_columns(
                id=AskedColumn(uses=frozenset({ColumnUse.JOIN_KEY}), shown_to=frozenset({PEER}))
            )
        },
        "see the column id",
    ),
]


@pytest.mark.parametrize(("changes", "why"), MORE)
def test_what_goes_beyond_a_grant_is_named(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(GrantRefused, match=why):
        require_covers(grant(), asked(**changes), ISSUED)


def test_a_grant_is_over_at_the_moment_that_it_names() -> None:
    with pytest.raises(GrantRefused, match="expired"):
        require_covers(grant(), asked(), ISSUED + DAY)


def test_a_grant_for_one_job_is_for_no_other() -> None:
    with pytest.raises(GrantRefused, match="alone"):
        require_covers(grant(job=JOB), replace(asked(), job="b" * 26), ISSUED)
