"""Evidence: entries, and all that an outsider needs to verify that our ledger has them.

A bundle is a set of named files, the same bytes each time: entries as they were hashed, for each
a proof in C2SP's tlog-proof format (which has our checkpoint in it, with the peers' signatures),
the keys, and a program that needs Python and openssl alone (``verify_evidence.py``, never
imported by us). For whoever holds an older checkpoint of ours there are proofs that the ledger
only grew since. Of a job there is the contract too, as long as this node keeps it: entries have
only its digest.
"""

import base64
import io
import tarfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import rfc8785
from cryptography.hazmat.primitives import serialization
from sqlalchemy.orm import Session

from appliance.identity.node_id import NodeId
from appliance.ledger import store as table
from appliance.ledger.errors import CheckpointNotFound, EntryNotFound
from appliance.ledger.ledger import Ledger

PROGRAM: Final = "verify_evidence.py"
CONTRACT: Final = "contract.dsse.json"
MOST_EARLIER: Final = 64
_FORMAT: Final = "coffer.evidence/1"
_README: Final = b"""\
Evidence from the ledger of a Coffer node. To verify it, with Python 3 and openssl:

    python3 verify_evidence.py .

The program says which node's ledger it is and who countersigned it: compare these ids with those
that the organisations tell you by another way. It is short; read it, or write your own after
RFC 9162 (the proofs), c2sp.org/tlog-proof, c2sp.org/tlog-checkpoint, c2sp.org/signed-note and
DSSE (the contract of a job, github.com/secure-systems-lab/dsse).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedContract:
    """A job's contract: its DSSE envelope, and the public keys (DER) of who has signed it."""

    envelope: bytes
    keys: Mapping[NodeId, bytes]


def gather_job(
    session: Session,
    ledger: Ledger,
    job_id: str,
    keys: Mapping[NodeId, bytes],
    contract: SignedContract | None = None,
) -> dict[str, bytes]:
    """Return evidence of all entries of a job, as :func:`gather`, with the contract if given."""
    indexes = table.numbers_of_job(session, job_id)
    if not indexes:
        raise EntryNotFound(f"the ledger has no entry of the job {job_id}")
    if contract is None:
        return gather(session, ledger, indexes, keys, about={"job": job_id})
    about = {"job": job_id, "signers": sorted(node.text for node in contract.keys)}
    bundle = gather(session, ledger, indexes, keys, about=about)
    return bundle | {CONTRACT: contract.envelope} | _key_files(contract.keys)


def gather(
    session: Session,
    ledger: Ledger,
    indexes: Collection[int],
    keys: Mapping[NodeId, bytes],
    *,
    about: Mapping[str, str | Sequence[str]] = MappingProxyType({}),
) -> dict[str, bytes]:
    """Return the files of a bundle, under our newest checkpoint that all of these have signed.

    keys:  the public keys (DER) of this node and of the peers whose signatures are wanted.
    about: what the bundle says of itself besides.
    Raises: EntryNotFound, CheckpointNotFound.
    """
    contents = ledger.contents(session, indexes)
    peers = sorted(peer for peer in keys if peer != ledger.node_id)
    size = _newest_signed(session, peers, max(contents))
    note = ledger.countersigned(session, size).text
    bundle = {
        "README.txt": _README,
        PROGRAM: files("appliance.ledger").joinpath(PROGRAM).read_bytes(),
        "checkpoint.txt": note.encode(),
        "evidence.json": rfc8785.dumps(
            {
                "type": _FORMAT,
                "node": ledger.node_id.text,
                "peers": [peer.text for peer in peers],
                "entries": list(contents),
                **about,
            }
        ),
    }
    for index, proof in ledger.prove_inclusions(session, contents, size).items():
        lines = [f"c2sp.org/tlog-proof@v1\nindex {index}", *_encoded(proof)]
        bundle[f"entries/{index}.json"] = contents[index]
        bundle[f"entries/{index}.tlog-proof"] = "\n".join([*lines, "", note]).encode()
    for earlier in table.sizes_signed(session, (), size)[-MOST_EARLIER:]:
        grown = _encoded(ledger.prove_consistency(session, earlier, size))
        bundle[f"earlier/{earlier}.proof"] = "".join(f"{line}\n" for line in grown).encode()
    return bundle | _key_files(keys)


def tar_of(bundle: Mapping[str, bytes]) -> bytes:
    """Return a bundle as one tar, which tells nothing of when and where it was made."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(bundle.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def _newest_signed(session: Session, peers: Sequence[NodeId], index: int) -> int:
    """Return the size of our newest checkpoint that these peers have countersigned."""
    sizes = table.sizes_signed(session, peers)
    if not sizes or sizes[-1] <= index:
        names = " and ".join(peer.short for peer in peers)
        raise CheckpointNotFound(
            f"no checkpoint that covers entry {index} is countersigned by {names}"
            if peers
            else f"no checkpoint that covers entry {index} is signed",
            remedy="wait until they can be reached, as they sign after each job"
            ' ("coffer ledger checkpoint"); or take it without them: --alone',
        )
    return sizes[-1]


def _key_files(keys: Mapping[NodeId, bytes]) -> dict[str, bytes]:
    return {f"keys/{node.text}.pem": _pem(der) for node, der in keys.items()}


def _encoded(proof: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(one).decode("ascii") for one in proof]


def _pem(public_der: bytes) -> bytes:
    return serialization.load_der_public_key(public_der).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
