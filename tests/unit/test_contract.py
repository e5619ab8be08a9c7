"""Contracts: one canonical form, and nothing else is a contract."""

import json
from typing import Any

import pytest
import rfc8785

from appliance.contracts.contract import (
    MOST_CONTRACT_BYTES,
    digest_of,
    make_job_id,
    parse_contract,
    write_contract,
)
from appliance.contracts.errors import (
    ContractMalformed,
    ParametersInvalid,
    ServiceUnknown,
    ServiceVersionDiffers,
)
from appliance.contracts.terms import get_service, terms_of
from services.psi.intersect import SERVICE
from tests.unit.contract_doubles import MemoryKey, contract, party

NODES = [MemoryKey().node_id for _ in range(3)]


def plain() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(write_contract(contract(NODES)))
    return made


def canonical(**changes: Any) -> bytes:
    return rfc8785.dumps(plain() | changes)


def test_a_contract_is_read_back_from_its_bytes() -> None:
    made = contract(NODES, parameters={"protocol": "ecdh", "depth": 3, "rate": 0.5})
    assert parse_contract(write_contract(made)) == made


def test_the_digest_changes_with_any_byte() -> None:
    data = write_contract(contract(NODES))
    assert digest_of(data) != digest_of(data.replace(b"node-1", b"node-7"))


def test_job_ids_are_26_letters_and_digits_and_never_the_same() -> None:
    ids = {make_job_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(one) for one in ids} == {26}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        json.dumps(plain()).encode(),
        canonical()[:-1],
        canonical() + b"\n",
        b" " + canonical(),
        canonical(type="coffer.contract/2"),
        canonical(extra=1),
        canonical(id="../../../../etc/passwd0000"),
        canonical(id="A" * 26),
        canonical(parties=[]),
        canonical(parties=plain()["parties"][:1]),
        canonical(parties=[plain()["parties"][0]] * 2),
        canonical(parties=[plain()["parties"][0]] * 65),
        canonical(proposer=3),
        canonical(proposer=-1),
        canonical(proposer="0"),
        canonical(created=2_000_000_000, expires=1_000_000_000),
        canonical(expires=1_000_000 + 8 * 24 * 3_600_000),
        canonical(limits={"grace_seconds": 0, "most_seconds": 60}),
        canonical(limits={"grace_seconds": 60, "most_seconds": 10**9}),
        canonical(limits={"grace_seconds": 60}),
        canonical(service={"name": "psi intersect", "version": 1}),
        canonical(parameters=["a"]),
        canonical().replace(b'"parameters":{}', b'"parameters":{"a":1.0}'),
        canonical().replace(b'"parameters":{}', b'"parameters":{"a":1,"a":1}'),
        canonical().replace(b'"parameters":{}', b'"parameters":{"a":NaN}'),
        canonical().replace(b'"parameters":{}', b'"parameters":{"a":"\\ud800"}'),
        canonical().replace(b'"parameters":{}', b'"parameters":{"a":99999999999999999999}'),
        canonical().replace(
            b'"parameters":{}', b'"parameters":' + b'{"a":' * 5000 + b"1" + b"}" * 5000
        ),
        canonical().replace(b'"node-1"', b'"\\u001b[2J"'),
        canonical().replace(NODES[0].text.encode(), b"HOSPITAL"),
        canonical(parameters={"a": "b" * MOST_CONTRACT_BYTES}),
    ],
)
def test_anything_but_canonical_bytes_is_refused(data: bytes) -> None:
    with pytest.raises(ContractMalformed):
        parse_contract(data)


def test_a_contract_too_large_is_not_written() -> None:
    with pytest.raises(ContractMalformed, match="at most 65536"):
        write_contract(contract(NODES, parameters={"a": "b" * MOST_CONTRACT_BYTES}))


def test_a_node_knows_its_rank() -> None:
    made = contract(NODES)
    assert [made.rank_of(node) for node in NODES] == [0, 1, 2]
    assert made.rank_of(MemoryKey().node_id) is None


def test_a_contract_for_an_unknown_service_or_version_is_refused() -> None:
    with pytest.raises(ServiceUnknown, match=r"test\.join"):
        get_service(contract(NODES), {SERVICE.name: SERVICE})
    newer = contract(NODES, service={"name": SERVICE.name, "version": SERVICE.version + 1})
    with pytest.raises(ServiceVersionDiffers, match=f"version {SERVICE.version + 1}"):
        get_service(newer, {SERVICE.name: SERVICE})


def test_parameters_are_checked_by_the_service() -> None:
    with pytest.raises(ParametersInvalid, match="parameter depth"):
        terms_of(contract(NODES, parameters={"depth": 3}), SERVICE)


def test_terms_bear_this_nodes_own_names_for_the_parties() -> None:
    made = contract(NODES, parties=tuple(party(node, "impostor-" + node.short) for node in NODES))

    terms = terms_of(made, SERVICE, {NODES[1]: "laboratory"})

    assert terms.parties[1].name == "laboratory"
    assert terms.parties[0].name == "impostor-" + NODES[0].short
