"""Signed notes of the type 0x02 (ECDSA): checkpoints of two real logs, by their keys.

From note/note_verifier_test.go of https://github.com/transparency-dev/formats (Apache-2.0):
Sigstore's Rekor and Google's log of Pixel 6, each a key in the form of a note's verifier key
(name, key id, type and DER public key) and a checkpoint that it signed.
"""

import base64
from typing import Final

import pytest

from appliance.identity.errors import SignatureInvalid
from appliance.ledger.checkpoint import key_id_of, parse_note, verify_named
from appliance.ledger.errors import CheckpointUnsigned

REKOR: Final = (
    "rekor.sigstore.dev",
    "c0d23d6a",
    "AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvF"
    "K/4sueRoVj//QP22Ni4Qt9DPfkWLc=",
    "Rekor\n798034\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\n\n"
    "— rekor.sigstore.dev wNI9ajBEAiARInWIWyCdyG27CO6LPnPekyw20qO0YJfoaPaowGp/XgIgc+qEHS3+GKVClgqq2"
    "0uDLet7MCoTURUCRdxwWBHHufk=\n",
)
PIXEL: Final = (
    "pixel6_transparency_log",
    "91c16e30",
    "AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN+4x0Jk1yTwvLFI9A4NDdGZcX0aiWVdWM5XJVy0M4VWD3AvyW5Q6Hs9A0"
    "mcDkpUoYgn+KKPNzFC0H3nN3q6JQ8=",
    "DEFAULT\n10\nbsWRucJU5xJPHb5eBdOm6+DM+VelCZBuvtI3sHERJ9Y=\n\n"
    "— pixel6_transparency_log kcFuMDBFAiEAhqMAP8P6qf6QxtUJhzMhbN+MbZ9dwfUHzGQJmffJHtoCIGD0cNe47dHW"
    "BoPwYdgBCepB06/+g5O1FmYjXl06owL4\n",
)


def public_der(material: str) -> bytes:
    data = base64.b64decode(material)
    assert data[0] == 2, "the type of ECDSA"
    return data[1:]


@pytest.mark.parametrize(("name", "key_id", "material", "text"), [REKOR, PIXEL])
def test_checkpoints_of_real_logs_verify(name: str, key_id: str, material: str, text: str) -> None:
    note = parse_note(text)

    assert note.text == text
    assert key_id_of(public_der(material)).hex() == key_id
    verify_named(note, name, public_der(material))


def test_their_sizes_are_what_they_signed() -> None:
    assert parse_note(REKOR[3]).checkpoint.size == 798034
    assert parse_note(PIXEL[3]).checkpoint.origin == "DEFAULT"


def test_the_same_key_by_another_name_has_not_signed() -> None:
    with pytest.raises(CheckpointUnsigned, match="not signed by bananas"):
        verify_named(parse_note(REKOR[3]), "bananas.sigstore.dev", public_der(REKOR[2]))


@pytest.mark.parametrize("old", ["798034", "f+7C"])
def test_another_text_does_not_verify(old: str) -> None:
    edited = REKOR[3].replace(old, {"798034": "798035", "f+7C": "f+7D"}[old])

    with pytest.raises(SignatureInvalid):
        verify_named(parse_note(edited), REKOR[0], public_der(REKOR[2]))
