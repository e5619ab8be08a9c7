"""Checkpoints: a ledger's size and root, signed as C2SP's tlog-checkpoint and signed-note say.

A note is a text and lines of signatures over it. A node's key is named by the origin of its own
ledger, also where it countersigns another's. As identity keys are ECDSA P-256, signatures are of
the type 0x02 that c2sp.org/signed-note assigns to ECDSA: DER, over SHA-256; its key id is the
beginning of the hash of the DER public key, without name and type. A countersignature is such a
line too: c2sp.org/tlog-cosignature has timestamped ones for Ed25519 and ML-DSA alone. The text
begins with the origin, so no signature on it passes for one of a contract or a certificate.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, replace
from typing import Final

from appliance.identity.errors import SignatureInvalid
from appliance.identity.keys import IdentityKey, verify_signature
from appliance.identity.node_id import NodeId
from appliance.ledger.errors import CheckpointMalformed, CheckpointUnsigned
from appliance.ledger.merkle import HASH_BYTES

MOST_NOTE_BYTES: Final = 32 * 1024
MOST_SIGNATURES: Final = 65
"""One node's own and that of the most peers that a job can have."""
MOST_SIZE: Final = 2**53 - 1
_KEY_ID_BYTES: Final = 4
_MOST_NAME_CHARACTERS: Final = 256
_ORIGIN_BEGINS: Final = "coffer.internal/ledger/"
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a ledger was when it had a certain size."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{_encoded(self.root)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureLine:
    """One signature on a note, and which key it says it is by."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """The line as notes have it."""
        return f"— {self.name} {_encoded(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A checkpoint with signatures, none of them verified by being here."""

    checkpoint: Checkpoint
    signatures: tuple[SignatureLine, ...]

    @property
    def text(self) -> str:
        """The note in its one form."""
        return f"{self.checkpoint.body}\n{''.join(line.text for line in self.signatures)}"

    def with_line(self, line: SignatureLine) -> "Note":
        """Return the note with one signature more."""
        return replace(self, signatures=(*self.signatures, line))

    def only_by(self, name: str) -> "Note":
        """Return the note without the signatures of others."""
        return replace(self, signatures=tuple(one for one in self.signatures if one.name == name))


def origin_of(node_id: NodeId) -> str:
    """Return what names a node's ledger, and the node's key in notes. Nothing resolves it."""
    return _ORIGIN_BEGINS + node_id.text


def key_id_of(public_der: bytes) -> bytes:
    """Return the id of a key in notes."""
    return hashlib.sha256(public_der).digest()[:_KEY_ID_BYTES]


def sign_checkpoint(size: int, root: bytes, key: IdentityKey) -> Note:
    """Return our own checkpoint, signed."""
    checkpoint = Checkpoint(origin=origin_of(key.node_id), size=size, root=root)
    return Note(checkpoint=checkpoint, signatures=(countersign(checkpoint, key),))


def countersign(checkpoint: Checkpoint, key: IdentityKey) -> SignatureLine:
    """Return our signature on a checkpoint, whosever it is."""
    return SignatureLine(
        name=origin_of(key.node_id),
        key_id=key_id_of(key.public_der),
        signature=key.sign(checkpoint.body.encode()),
    )


def verify_checkpoint(note: Note, node_id: NodeId, public_der: bytes) -> None:
    """Return if the note is of this node's ledger, and signed by it.

    Raises: CheckpointUnsigned, SignatureInvalid.
    """
    if note.checkpoint.origin != origin_of(node_id):
        raise CheckpointUnsigned(f"the checkpoint is not of the ledger of {node_id.short}")
    verify_countersigned(note, node_id, public_der)


def verify_countersigned(note: Note, node_id: NodeId, public_der: bytes) -> None:
    """Return if this node has signed the note, whosever it is.

    Raises: CheckpointUnsigned, SignatureInvalid.
    """
    verify_named(note, origin_of(node_id), public_der)


def verify_named(note: Note, name: str, public_der: bytes) -> None:
    """Return if the key of this name has signed the note.

    Raises: CheckpointUnsigned, SignatureInvalid.
    """
    wanted = (name, key_id_of(public_der))
    found = [line for line in note.signatures if (line.name, line.key_id) == wanted]
    if not found:
        raise CheckpointUnsigned(f"the checkpoint is not signed by {_shown(name)}")
    try:
        verify_signature(public_der, note.checkpoint.body.encode(), found[0].signature)
    except SignatureInvalid:
        raise SignatureInvalid(
            f"the signature of {_shown(name)} on the checkpoint does not verify"
        ) from None


def parse_note(text: str) -> Note:
    """Read a note whose text is a checkpoint without extension lines, in its one form.

    Raises: CheckpointMalformed, which names the fault; nothing is verified yet.
    """
    _require(len(text.encode(errors="replace")) <= MOST_NOTE_BYTES, "the checkpoint is too long")
    body, blank, lines = text.rpartition("\n\n")
    _require(bool(blank), "the checkpoint has no blank line before its signatures")
    _require(lines.endswith("\n"), "the checkpoint does not end with a whole line")
    signatures = tuple(parse_signature_line(line) for line in lines[:-1].split("\n"))
    _require(len(signatures) <= MOST_SIGNATURES, "the checkpoint has too many signatures")
    named = {(line.name, line.key_id) for line in signatures}
    _require(len(named) == len(signatures), "a key has signed the checkpoint twice")
    return Note(checkpoint=_parse_body(body), signatures=signatures)


def parse_signature_line(line: str) -> SignatureLine:
    """Read a signature line without its end; CheckpointMalformed if it is none."""
    dash, _, named = line.partition(" ")
    name, _, encoded = named.partition(" ")
    _require(dash == "—" and bool(encoded), "a signature line is not a dash, a name and base64")
    is_name = name.isprintable() and not any(one == "+" or one.isspace() for one in name)
    _require(0 < len(name) <= _MOST_NAME_CHARACTERS and is_name, "a signature's name is none")
    data = _decoded(encoded, "a signature")
    _require(len(data) > _KEY_ID_BYTES, "a signature is too short")
    return SignatureLine(name=name, key_id=data[:_KEY_ID_BYTES], signature=data[_KEY_ID_BYTES:])


def _parse_body(body: str) -> Checkpoint:
    lines = body.split("\n")
    _require(len(lines) == 3, "the checkpoint's text has not three lines")
    origin, size, encoded = lines
    is_origin = 0 < len(origin) <= _MOST_NAME_CHARACTERS and origin.isprintable()
    _require(is_origin, "the checkpoint's origin is none")
    _require(bool(_SIZE.fullmatch(size)), "the checkpoint's size is not a plain number")
    _require(int(size) <= MOST_SIZE, "the checkpoint's size is too large")
    root = _decoded(encoded, "the checkpoint's root")
    _require(len(root) == HASH_BYTES, "the checkpoint's root is not a hash")
    return Checkpoint(origin=origin, size=int(size), root=root)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise CheckpointMalformed(what)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decoded(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CheckpointMalformed(f"{what} is not base64") from None
    _require(_encoded(data) == text, f"{what} is not base64 in its one form")
    return data


def _shown(name: str) -> str:
    """Return the part of a name that people know a node by."""
    return name.removeprefix(_ORIGIN_BEGINS).partition("-")[0]
