"""Signatures on contracts: only a party's pinned key, and only over these very bytes."""

import json

import pytest

from appliance.contracts.contract import CONTRACT as DOCUMENT
from appliance.contracts.contract import write_contract
from appliance.contracts.envelope import (
    parse_base64,
    parse_envelope,
    sign,
    verify,
    write_envelope,
)
from appliance.contracts.errors import ContractUnsigned, EnvelopeMalformed
from appliance.contracts.signatures import require_signed_by_all
from appliance.identity.errors import SignatureInvalid
from appliance.identity.keys import verify_signature
from tests.unit.contract_doubles import MemoryKey, contract

KEYS = [MemoryKey() for _ in range(3)]
CONTRACT = contract([key.node_id for key in KEYS])
DATA = write_contract(CONTRACT)
SIGNATURES = {key.node_id: sign(DATA, DOCUMENT, key) for key in KEYS}
PINS = {key.node_id: key.public_der for key in KEYS}


def test_a_contract_that_all_parties_signed_passes() -> None:
    require_signed_by_all(CONTRACT, DATA, SIGNATURES, PINS)


def test_signatures_are_over_the_dsse_encoding() -> None:
    encoded = b"DSSEv1 %d %b %d %b" % (
        len(DOCUMENT.media_type),
        DOCUMENT.media_type.encode(),
        len(DATA),
        DATA,
    )
    verify_signature(KEYS[0].public_der, encoded, SIGNATURES[KEYS[0].node_id])


def test_a_contract_that_differs_by_one_byte_from_what_was_signed_names_every_party() -> None:
    changed = DATA.replace(b'"row_count":100', b'"row_count":101', 1)
    with pytest.raises(ContractUnsigned, match="node-0, node-1, node-2"):
        require_signed_by_all(CONTRACT, changed, SIGNATURES, PINS)


def test_a_missing_signature_names_the_party() -> None:
    some = {key.node_id: SIGNATURES[key.node_id] for key in KEYS[:2]}
    with pytest.raises(ContractUnsigned, match="not signed by node-2"):
        require_signed_by_all(CONTRACT, DATA, some, PINS)


def test_a_signature_by_another_party_names_the_party() -> None:
    forged = SIGNATURES | {KEYS[1].node_id: SIGNATURES[KEYS[2].node_id]}
    with pytest.raises(ContractUnsigned, match="not signed by node-1"):
        require_signed_by_all(CONTRACT, DATA, forged, PINS)


def test_a_party_whose_key_is_not_pinned_names_the_party() -> None:
    some = {key.node_id: key.public_der for key in KEYS[1:]}
    with pytest.raises(ContractUnsigned, match="not signed by node-0"):
        require_signed_by_all(CONTRACT, DATA, SIGNATURES, some)


def test_a_changed_key_does_not_verify() -> None:
    with pytest.raises(SignatureInvalid, match=KEYS[0].node_id.short):
        verify(DATA, DOCUMENT, KEYS[0].node_id, MemoryKey().public_der, SIGNATURES[KEYS[0].node_id])


@pytest.mark.parametrize("signature", [b"", b"\x00" * 64, b"\x30\x06\x02\x01\x00\x02\x01\x00"])
def test_a_malformed_signature_does_not_verify(signature: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        verify(DATA, DOCUMENT, KEYS[0].node_id, KEYS[0].public_der, signature)


def test_an_envelope_is_read_back_from_its_text() -> None:
    signed = parse_envelope(write_envelope(DATA, DOCUMENT, SIGNATURES), DOCUMENT)
    assert signed.data == DATA
    assert signed.signatures == {node.text: made for node, made in SIGNATURES.items()}


def envelope(**changes: object) -> str:
    plain = json.loads(
        write_envelope(DATA, DOCUMENT, {KEYS[0].node_id: SIGNATURES[KEYS[0].node_id]})
    )
    return json.dumps(plain | changes)


ONE = {"keyid": "a", "sig": "AAAA"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        envelope()[:-2],
        envelope(payloadType="application/json"),
        envelope(payload="not base64!"),
        envelope(payload="é"),
        envelope(payload=7),
        envelope(signatures=[ONE, ONE]),
        envelope(signatures=[ONE] * 65),
        envelope(signatures=[{"keyid": "a"}]),
        envelope(signatures=[{"keyid": "a", "sig": "*"}]),
        envelope(signatures=[{"keyid": "a", "sig": "A" * 4000}]),
        envelope(signatures=[{"keyid": "a" * 100, "sig": "AAAA"}]),
        envelope(also=1),
        envelope(payload="A" * 400_000),
    ],
)
def test_a_malformed_envelope_is_refused(text: str) -> None:
    with pytest.raises(EnvelopeMalformed):
        parse_envelope(text, DOCUMENT)


def test_a_signature_in_a_letter_must_be_base64() -> None:
    with pytest.raises(SignatureInvalid, match="base64"):
        parse_base64("é*")
