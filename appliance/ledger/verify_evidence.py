"""Verify evidence from a Coffer node's ledger: with Python and openssl alone, without Coffer.

    python3 verify_evidence.py BUNDLE [--node ID] [--peer ID]... [--against CHECKPOINT] [--json]

BUNDLE is the folder that this program lies in, or the tar of it. It proves that the node signed a
ledger that has these entries, and that the peers saw that ledger; of a job, if the contract is
there, that the entries are of this contract, and who has signed it. Whose keys these are, it cannot
know: compare the ids below with those that the organisations tell you, or give them with --node
and --peer. That there are no other entries, it does not prove. --against takes a checkpoint of the
same ledger that you got from somebody else: then it proves too that the node did not rewrite what
it had signed there.
"""

import argparse
import base64
import binascii
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

MOST_FILE_BYTES = 1 << 20
MOST_BUNDLE_BYTES = 64 << 20
LAST_MILLISECOND = 253_402_300_799_999  # of the year 9999
PROOF_FORMAT = "c2sp.org/tlog-proof@v1"
CONTRACT = "contract.dsse.json"
CONTRACT_TYPE = "application/vnd.coffer.contract+json"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Fault(Exception):
    """What is wrong with the evidence."""


class Note(NamedTuple):
    """A checkpoint (c2sp.org/tlog-checkpoint): what was signed, and the lines of signatures."""

    body: str
    origin: str
    size: int
    root: bytes
    lines: Sequence[str]


def require(condition: bool, what: str) -> None:
    """Return if the condition holds, else raise Fault."""
    if not condition:
        raise Fault(what)


class Found(NamedTuple):
    """What good evidence shows."""

    node: str
    peers: Sequence[str]
    size: int
    lines: Sequence[str]


def main() -> int:
    """Verify what the command line names; 0 if all is well, 1 at the first fault."""
    parser = argparse.ArgumentParser(description="Verify evidence from a Coffer node's ledger.")
    parser.add_argument("bundle", type=Path, help="the folder or tar")
    parser.add_argument("--node", help="the id of the node whose ledger it is")
    parser.add_argument("--peer", action="append", default=[], help="who must have countersigned")
    parser.add_argument("--against", type=Path, help="a checkpoint that you hold of that ledger")
    parser.add_argument("--json", action="store_true", help="say it as JSON")
    options = parser.parse_args()
    told: dict[str, Any] = {"verified": False}
    try:
        found = verify(options)
        said = "\n".join(found.lines)
        told = {"verified": True, "node": found.node, "peers": found.peers, "size": found.size}
    except (Fault, OSError, UnicodeDecodeError, RecursionError, tarfile.TarError) as fault:
        said = f"fault: {fault}"
    print(json.dumps(told | {"said": said}) if options.json else said)
    return 0 if told["verified"] else 1


def verify(options: argparse.Namespace) -> Found:
    """Return what the evidence shows, all of it verified; Fault for the first thing wrong."""
    files = read_bundle(options.bundle)
    evidence = read_evidence(files)
    node, peers = evidence["node"], evidence["peers"]
    require(options.node in (None, node), "it is the evidence of another node")
    for peer in options.peer:
        require(peer in peers, f"it has no signature of {peer}")
    note = verify_checkpoint(files, evidence)
    entries = [verify_entry(files, evidence, index, note) for index in evidence["entries"]]
    if options.against is not None:
        verify_against(files, node, note, options.against.read_text("utf-8"))
    contract = verify_contract(files, evidence, entries) if "signers" in evidence else None
    lines = [f"node  {node}", *(f"peer  {peer}" for peer in peers)]
    signed = "signed by all of them" if peers else "signed by it alone"
    lines.append(f"its ledger of {note.size} entries, {signed}, has these {len(entries)}:")
    lines += map(described, entries)
    if contract is not None:
        lines += contract
    elif "job" in evidence:
        lines.append("the contract itself is not here: of it, the entries have the digest alone")
    return Found(node, peers, note.size, lines)


def described(entry: Any) -> str:
    """Return an entry as a line for people."""
    at = datetime.fromtimestamp(entry["at"] / 1000, timezone.utc)  # noqa: UP017 - also before 3.11
    said = json.dumps(entry["facts"], ensure_ascii=True, sort_keys=True)
    kind = shown(entry["kind"]).strip('"')
    return f"{entry['index']:>9}  {at:%Y-%m-%d %H:%M:%S}  {kind}  {said}"


def read_bundle(path: Path) -> dict[str, bytes]:
    """Return the files of a folder or tar by name."""
    if path.is_dir():
        found = [one for one in sorted(path.rglob("*")) if one.is_file()]
        for one in found:
            require(one.stat().st_size <= MOST_FILE_BYTES, f"{one} is too large")
        return {one.relative_to(path).as_posix(): one.read_bytes() for one in found}
    files, total = {}, 0
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            name = shown(member.name)
            require(member.isfile() and not member.issparse(), f"{name} is not a plain file")
            require(member.name not in files, f"{name} is there twice")
            total += member.size
            require(member.size <= MOST_FILE_BYTES, f"{name} is too large")
            require(total <= MOST_BUNDLE_BYTES, "the evidence is too large")
            content = archive.extractfile(member)
            files[member.name] = content.read() if content else b""
    return files


def read_file(files: dict[str, bytes], name: str) -> bytes:
    """Return a file that must be there."""
    require(name in files, f"{name} is missing")
    return files[name]


def read_json(files: dict[str, bytes], name: str) -> Any:
    """Return what a file of JSON holds."""
    try:
        return json.loads(read_file(files, name))
    except ValueError:
        raise Fault(f"{name} is not JSON") from None


def read_evidence(files: dict[str, bytes]) -> Any:
    """Return what the bundle says that it holds, and require that it holds that and no more."""
    evidence, malformed = read_json(files, "evidence.json"), "evidence.json is malformed"
    try:
        require(evidence["type"] == "coffer.evidence/1", "evidence.json is of another format")
        nodes, entries = [evidence["node"], *evidence["peers"]], evidence["entries"]
        nodes += evidence.get("signers", [])
        is_rising = bool(entries) and entries == sorted(set(entries)) and entries[0] >= 0
        is_of_job = isinstance(evidence.get("job", ""), str)
        is_of_job &= "job" in evidence or "signers" not in evidence
        require(is_of_job and all(isinstance(node, str) for node in nodes), malformed)
    except (KeyError, TypeError):
        raise Fault(malformed) from None
    require(is_rising, "evidence.json does not list entries in their order")
    known = {f"keys/{node}.pem" for node in nodes}
    known |= {f"entries/{index}{end}" for index in entries for end in (".json", ".tlog-proof")}
    known |= {CONTRACT} if "signers" in evidence else set()
    for name in files:
        is_known = name in known or name.partition("/")[0] not in ("entries", "keys", CONTRACT)
        require(is_known, f"{name} is not in evidence.json")
    return evidence


def verify_checkpoint(files: dict[str, bytes], evidence: Any) -> Note:
    """Return the checkpoint, of the node's ledger and signed by it and by all peers."""
    note = parse_note(read_file(files, "checkpoint.txt").decode("utf-8"))
    require(note.origin == origin_of(evidence["node"]), "the checkpoint is of another ledger")
    for node in [evidence["node"], *evidence["peers"]]:
        verify_signature(note, node, read_key(files, node))
    return note


def parse_note(text: str) -> Note:
    """Return a checkpoint, nothing of it verified."""
    body, blank, lines = text.rpartition("\n\n")
    parts = body.split("\n")
    is_whole = bool(blank) and lines.endswith("\n") and len(parts) == 3 and parts[1].isdecimal()
    require(is_whole, "the checkpoint is malformed")
    root = decoded(parts[2], "the root of the checkpoint")
    return Note(body + "\n", parts[0], int(parts[1]), root, lines[:-1].split("\n"))


def read_key(files: dict[str, bytes], node: str) -> bytes:
    """Return the public key (DER) of a node, whose id is its hash."""
    name = f"keys/{node}.pem"
    lines = read_file(files, name).decode("ascii", "replace").split("\n")
    der = decoded("".join(line for line in lines if not line.startswith("-----")), name)
    require(id_of(der) == node, f"{name} is not the key of that node")
    return der


def id_of(der: bytes) -> str:
    """Return the id of the node with a key: its hash in base32, a check character after each 13."""
    plain = base64.b32encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    checked = ""
    for begin in range(0, 52, 13):
        total = 0
        for place, letter in enumerate(plain[begin : begin + 13]):
            addend = ALPHABET.index(letter) * (2 if place % 2 else 1)
            total += addend // 32 + addend % 32
        checked += plain[begin : begin + 13] + ALPHABET[-total % 32]
    return "-".join(checked[begin : begin + 7] for begin in range(0, 56, 7))


def origin_of(node: str) -> str:
    """Return what names a node's ledger, and its key in signature lines."""
    return f"coffer.internal/ledger/{node}"


def verify_signature(note: Note, node: str, der: bytes) -> None:
    """Return if the node signed the checkpoint: c2sp.org/signed-note, type 0x02 (ECDSA)."""
    begin = f"— {origin_of(node)} "
    named = [line[len(begin) :] for line in note.lines if line.startswith(begin)]
    signatures = [decoded(one, "a signature") for one in named]
    key_id = hashlib.sha256(der).digest()[:4]
    ours = [one[4:] for one in signatures if one[:4] == key_id]
    require(len(ours) == 1, f"the checkpoint is not signed by {node}")
    is_right = is_signed(note.body.encode("utf-8"), ours[0], der)
    require(is_right, f"the signature of {node} does not verify")


def is_signed(data: bytes, made: bytes, der: bytes) -> bool:
    """Tell whether openssl finds that a signature (ECDSA, SHA-256) is by this key."""
    with tempfile.TemporaryDirectory() as folder:
        key, signature, body = (Path(folder) / name for name in ("key", "signature", "body"))
        encoded = base64.b64encode(der).decode()
        pem = "\n".join(encoded[begin : begin + 64] for begin in range(0, len(encoded), 64))
        key.write_text(f"-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n", "ascii")
        signature.write_bytes(made)
        body.write_bytes(data)
        command = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signature)]
        ran = subprocess.run([*command, str(body)], capture_output=True, check=False)  # noqa: S603
    return ran.returncode == 0


def verify_contract(files: dict[str, bytes], evidence: Any, entries: Sequence[Any]) -> list[str]:
    """Return lines on the contract, which is that of the entries and signed as they say."""
    data, signatures = read_envelope(files)
    digest = hashlib.sha256(data).hexdigest()
    proposed = [one for one in entries if one["kind"] == "job.proposed"]
    require(bool(proposed), "no entry is the proposal of the contract")
    for one in entries:
        if one["kind"] in ("job.proposed", "job.signed"):
            is_it = isinstance(one["facts"], dict) and one["facts"].get("digest") == digest
            require(is_it, f"the contract is not the one of entry {one['index']}")
        if one["kind"] == "job.signed":
            signer = one["facts"].get("node")
            lacks = f"the contract lacks the signature that entry {one['index']} has"
            require(signer in list(signatures), f"{lacks}, of {shown(signer)}")
    # What DSSE signs: the type and the bytes, each with its length.
    signed = b"DSSEv1 %d %s %d " % (len(CONTRACT_TYPE), CONTRACT_TYPE.encode(), len(data)) + data
    for node in evidence["signers"]:
        require(node in signatures, f"the contract is not signed by {node}")
        is_right = is_signed(signed, signatures[node], read_key(files, node))
        require(is_right, f"the signature of {node} on the contract does not verify")
    return [
        f"its contract has the digest of entry {proposed[0]['index']}, {digest}:",
        *described_contract(read_object(data), evidence["job"], evidence["signers"], signatures),
    ]


def read_envelope(files: dict[str, bytes]) -> tuple[bytes, dict[str, bytes]]:
    """Return the contract's bytes and the signatures by the id of the node, none verified."""
    envelope = read_json(files, CONTRACT)
    try:
        require(envelope["payloadType"] == CONTRACT_TYPE, f"{CONTRACT} holds no contract")
        data = decoded(envelope["payload"], CONTRACT)
        signatures = {one["keyid"]: decoded(one["sig"], CONTRACT) for one in envelope["signatures"]}
    except (KeyError, TypeError):
        raise Fault(f"{CONTRACT} is malformed") from None
    return data, signatures


def read_object(data: bytes) -> Any:
    """Return the contract, whose bytes are JSON."""
    try:
        return json.loads(data)
    except ValueError:
        raise Fault("the contract is not JSON") from None


def described_contract(
    contract: Any, job: str, signers: Sequence[str], signatures: Collection[str]
) -> list[str]:
    """Return a contract as lines for people: the service, and what each party brings and gets."""
    try:
        require(contract["id"] == job, "the contract is of another job")
        service = contract["service"]
        lines = [f"service  {shown(service['name'])} version {shown(service['version'])}"]
        for party in contract["parties"]:
            node, dataset = party["node"], party["dataset"]
            signed = "signed by it" if node in signers else "not signed by it"
            if node in signatures and node not in signers:
                signed = "its signature is not verified, as its key is not here"
            lines += [f"party    {shown(node)}: {shown(party['name'])}, {signed}"]
            lines += [f"  receives  {shown(party['receives'])}"]
            if dataset is not None:
                columns = [[column["name"], column["type"]] for column in dataset["columns"]]
                lines += [f"  dataset   {shown(dataset['name'])}"]
                lines += [f"  columns   {shown(columns)}, key {shown(dataset['key'])}"]
                lines += [f"  gives     {shown(dataset['payload'])}"]
    except (KeyError, TypeError):
        raise Fault("the contract is malformed") from None
    return lines


def shown(said: Any) -> str:
    """Return what somebody else said so that it cannot steer a terminal."""
    return json.dumps(said, ensure_ascii=True)


def verify_entry(files: dict[str, bytes], evidence: Any, index: int, note: Note) -> Any:
    """Return an entry that is in the ledger at its place."""
    name = f"entries/{index}"
    content = read_file(files, f"{name}.json")
    proof = read_file(files, f"{name}.tlog-proof").decode("utf-8")
    head, _, checkpoint = proof.partition("\n\n")
    require(checkpoint.encode() == files["checkpoint.txt"], f"{name} is proven for another ledger")
    lines = head.split("\n")
    require(lines[:2] == [PROOF_FORMAT, f"index {index}"], f"{name}.tlog-proof is of another entry")
    hashes = [decoded(line, f"{name}.tlog-proof") for line in lines[2:]]
    root = root_from_inclusion(index, note.size, leaf_hash(content), hashes)
    require(root == note.root, f"entry {index} is not what the ledger has there")
    entry = read_json(files, f"{name}.json")
    require_entry(entry, index)
    is_of_job = "job" not in evidence or entry.get("job") == evidence["job"]
    require(is_of_job, f"entry {index} is not of the job")
    return entry


def require_entry(entry: Any, index: int) -> None:
    """Return if this is an entry that can be shown: a ledger's owner may have signed anything."""
    is_entry = isinstance(entry, dict) and {"index", "at", "kind", "facts"} <= set(entry)
    require(is_entry, f"entry {index} is none")
    require(entry["index"] == index, f"entry {index} says that it is {shown(entry['index'])}")
    at = entry["at"]
    is_time = type(at) is int and 0 <= at <= LAST_MILLISECOND
    is_formed = is_time and isinstance(entry["kind"], str) and isinstance(entry["facts"], dict)
    require(is_formed, f"entry {index} is malformed")


def verify_against(files: dict[str, bytes], node: str, note: Note, text: str) -> None:
    """Return if the ledger only grew since an earlier checkpoint of it."""
    held = parse_note(text)
    require(held.origin == note.origin, "what you hold is a checkpoint of another ledger")
    verify_signature(held, node, read_key(files, node))
    require(held.size <= note.size, "what you hold is newer: ask for evidence as of then")
    if held.size == note.size:
        require(held.root == note.root, f"the ledger was forked: two of {held.size} entries")
        return
    name = f"earlier/{held.size}.proof"
    unproven = f"nothing here proves that the ledger begins with the {held.size} entries you hold"
    require(name in files, f"{unproven}: it was rewritten, or ask for evidence that proves it")
    lines = read_file(files, name).decode("ascii", "replace").splitlines()
    roots = roots_from_consistency(
        held.size, note.size, held.root, [decoded(line, name) for line in lines]
    )
    forked = f"the ledger was forked: its first {held.size} entries are not those that were signed"
    require(roots == (held.root, note.root), forked)


def decoded(text: str, what: str) -> bytes:
    """Return what base64 stands for."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Fault(f"{what} is not base64") from None


def leaf_hash(content: bytes) -> bytes:
    """Return the hash of an entry: RFC 9162, section 2.1.1."""
    return hashlib.sha256(b"\x00" + content).digest()


def joined(left: bytes, right: bytes) -> bytes:
    """Return the hash of a subtree of which these are the halves."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_from_inclusion(index: int, size: int, found: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that a proof leads to: RFC 9162, section 2.1.3.2."""
    require(0 <= index < size, f"entry {index} is beyond the end of the ledger")
    node, last = index, size - 1
    for sibling in proof:
        require(last > 0, f"the proof of entry {index} is too long")
        if node & 1 or node == last:
            found = joined(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = joined(found, sibling)
        node, last = node >> 1, last >> 1
    require(last == 0, f"the proof of entry {index} is too short")
    return found


def roots_from_consistency(
    first: int, second: int, first_root: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Return the two roots that a proof leads to: RFC 9162, section 2.1.4.2."""
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    require(0 < first < second and bool(path), "the proof that the ledger only grew is too short")
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        require(last > 0, "the proof that the ledger only grew is too long")
        if node & 1 or node == last:
            old, new = joined(sibling, old), joined(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = joined(new, sibling)
        node, last = node >> 1, last >> 1
    require(last == 0, "the proof that the ledger only grew is too short")
    return old, new


if __name__ == "__main__":
    sys.exit(main())
