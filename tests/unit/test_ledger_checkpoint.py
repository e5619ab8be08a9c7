"""Checkpoints: one form of text, and signatures by nobody but whoever is asked for."""

from dataclasses import replace
from typing import Any

import pytest

from appliance.identity.errors import SignatureInvalid
from appliance.ledger.checkpoint import (
    MOST_SIGNATURES,
    countersign,
    key_id_of,
    origin_of,
    parse_note,
    sign_checkpoint,
    verify_checkpoint,
    verify_countersigned,
)
from appliance.ledger.errors import CheckpointMalformed, CheckpointUnsigned
from tests.unit.contract_doubles import MemoryKey

OWN, PEER, STRANGER = (MemoryKey() for _ in range(3))
NOTE = sign_checkpoint(20852163, bytes(range(32)), OWN)
BOTH = NOTE.with_line(countersign(NOTE.checkpoint, PEER))


def test_a_checkpoint_is_the_text_that_the_format_says() -> None:
    lines = NOTE.text.split("\n")

    assert lines[:4] == [
        f"coffer.internal/ledger/{OWN.node_id.text}",
        "20852163",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "",
    ]
    assert lines[4].startswith(f"— coffer.internal/ledger/{OWN.node_id.text} ")
    assert lines[5:] == [""]


def test_a_checkpoint_verifies_under_its_own_key() -> None:
    verify_checkpoint(parse_note(NOTE.text), OWN.node_id, OWN.public_der)


def test_a_countersignature_verifies_beside_our_own() -> None:
    note = parse_note(BOTH.text)

    verify_checkpoint(note, OWN.node_id, OWN.public_der)
    verify_countersigned(note, PEER.node_id, PEER.public_der)


def test_a_missing_countersignature_is_named() -> None:
    with pytest.raises(CheckpointUnsigned, match=f"not signed by {PEER.node_id.short}"):
        verify_countersigned(NOTE, PEER.node_id, PEER.public_der)


def test_a_checkpoint_of_another_node_is_not_taken_for_its_countersigner_s() -> None:
    with pytest.raises(CheckpointUnsigned, match="not of the ledger of"):
        verify_checkpoint(BOTH, PEER.node_id, PEER.public_der)


def test_the_signature_of_a_key_that_only_bears_the_name_is_ignored() -> None:
    forged = countersign(NOTE.checkpoint, STRANGER)
    note = NOTE.with_line(replace(forged, name=origin_of(PEER.node_id)))

    with pytest.raises(CheckpointUnsigned):
        verify_countersigned(note, PEER.node_id, PEER.public_der)


def test_the_signature_of_another_key_with_that_id_does_not_verify() -> None:
    forged = countersign(NOTE.checkpoint, STRANGER)
    line = replace(forged, name=origin_of(PEER.node_id), key_id=key_id_of(PEER.public_der))

    with pytest.raises(SignatureInvalid, match=PEER.node_id.short):
        verify_countersigned(NOTE.with_line(line), PEER.node_id, PEER.public_der)


@pytest.mark.parametrize("changes", [{"size": 20852164}, {"root": bytes(32)}])
def test_an_edited_checkpoint_does_not_verify(changes: dict[str, Any]) -> None:
    edited = replace(NOTE, checkpoint=replace(NOTE.checkpoint, **changes))

    with pytest.raises(SignatureInvalid):
        verify_checkpoint(edited, OWN.node_id, OWN.public_der)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("\n20852163\n", "\n020852163\n", "not a plain number"),
        ("\n20852163\n", "\n+1\n", "not a plain number"),
        ("\n20852163\n", "\n²\n", "not a plain number"),
        ("\n20852163\n", "\n9007199254740992\n", "too large"),
        ("\n20852163\n", "\n", "three lines"),
        ("\n20852163\n", "\n20852163\nextension\n", "three lines"),
        ("coffer.internal", "coffer\tinternal", "origin is none"),
        ("Hh8=\n", "Hh8\n", "not base64"),
        ("Hh8=\n", "Hh9=\n", "one form"),
        ("AAECAwQF", "AAEC", "not a hash"),
        ("\n\n—", "\n—", "no blank line"),
        ("\n\n— ", "\n\n- ", "a dash, a name"),
        ("\n\n— ", "\n\n—  ", "name is none"),
    ],
)
def test_each_fault_of_a_checkpoint_is_named(old: str, new: str, fault: str) -> None:
    assert old in NOTE.text

    with pytest.raises(CheckpointMalformed, match=fault):
        parse_note(NOTE.text.replace(old, new, 1))


def test_a_checkpoint_without_its_last_line_end_is_cut() -> None:
    with pytest.raises(CheckpointMalformed, match="whole line"):
        parse_note(NOTE.text[:-1])


def test_a_key_signs_a_checkpoint_once() -> None:
    with pytest.raises(CheckpointMalformed, match="twice"):
        parse_note(NOTE.with_line(countersign(NOTE.checkpoint, OWN)).text)


def test_signatures_and_bytes_are_limited() -> None:
    line = NOTE.signatures[0]
    many = tuple(replace(line, name=f"key{n}") for n in range(MOST_SIGNATURES + 1))

    with pytest.raises(CheckpointMalformed, match="too many"):
        parse_note(replace(NOTE, signatures=many).text)
    with pytest.raises(CheckpointMalformed, match="too long"):
        parse_note("x" * 100_000)


def test_a_signature_of_nothing_is_too_short() -> None:
    with pytest.raises(CheckpointMalformed, match="too short"):
        parse_note(replace(NOTE, signatures=(replace(NOTE.signatures[0], signature=b""),)).text)
