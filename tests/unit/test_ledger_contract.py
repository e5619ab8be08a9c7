"""Evidence of a job has the contract as the parties signed it, for as long as the node keeps it."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from appliance.contracts.contract import CONTRACT, digest_of, write_contract
from appliance.contracts.envelope import sign, write_envelope
from appliance.ledger.evidence import SignedContract, gather_job
from appliance.ledger.facts import JobProposed, JobSigned, Kind
from tests.unit.contract_doubles import MemoryKey, contract, dataset, party
from tests.unit.ledger_doubles import JOB, LedgerNode
from tests.unit.test_ledger_evidence import Bundle, flip, verify, without

ENVELOPE: Final = "contract.dsse.json"


@dataclass
class World:
    """A node's evidence of a job that it and its peer have signed."""

    own: LedgerNode
    peer: LedgerNode
    data: bytes
    bundle: Bundle

    def gathered(self, envelope: SignedContract | None) -> Bundle:
        keys = {node.id: node.key.public_der for node in (self.own, self.peer)}
        return self.own.run(lambda s: gather_job(s, self.own.ledger, JOB, keys, envelope))

    def signed_by(self, *signers: LedgerNode) -> SignedContract:
        """Return the contract as signed by both, with the keys of these."""
        made = {one.id: sign(self.data, CONTRACT, one.key) for one in (self.own, self.peer)}
        keys = {one.id: one.key.public_der for one in signers}
        return SignedContract(
            envelope=write_envelope(self.data, CONTRACT, made).encode(), keys=keys
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("contract")
    own, peer = LedgerNode(folder / "own"), LedgerNode(folder / "peer")
    table = dataset("patients", payload=("id",))
    parties = (party(own.id, "hospital", dataset=table), party(peer.id, "lab", dataset=None))
    data = write_contract(contract([own.id, peer.id], id=JOB, parties=parties))
    nodes = (own.id.text, peer.id.text)
    digest = digest_of(data)
    proposed = JobProposed(digest=digest, service="test.join", parties=nodes)
    own.record(Kind.JOB_PROPOSED, proposed, JOB)
    for node in nodes:
        own.record(Kind.JOB_SIGNED, JobSigned(digest=digest, node=node), JOB)
    own.show(peer)
    world = World(own=own, peer=peer, data=data, bundle={})
    world.bundle = world.gathered(world.signed_by(own, peer))
    yield world
    own.close()
    peer.close()


def test_the_contract_is_said_with_who_signed_it(world: World, tmp_path: Path) -> None:
    status, said = verify(world.bundle, tmp_path / "bundle")

    assert status == 0, said
    lines = said[said.index("its contract") :].splitlines()
    assert lines == [
        f"its contract has the digest of entry 1, {digest_of(world.data)}:",
        'service  "test.join" version 1',
        f'party    "{world.own.id.text}": "hospital", signed by it',
        '  receives  ["intersection"]',
        '  dataset   "patients"',
        '  columns   [["id", "VARCHAR"]], key ["id"]',
        '  gives     ["id"]',
        f'party    "{world.peer.id.text}": "lab", signed by it',
        '  receives  ["intersection"]',
    ]


def test_evidence_without_the_contract_verifies_and_says_so(world: World, tmp_path: Path) -> None:
    status, said = verify(world.gathered(None), tmp_path / "bundle")

    assert status == 0, said
    assert said.endswith("is not here: of it, the entries have the digest alone\n")


def test_a_signature_whose_key_is_not_here_is_not_called_good(world: World, tmp_path: Path) -> None:
    status, said = verify(world.gathered(world.signed_by(world.own)), tmp_path / "bundle")

    assert status == 0, said
    assert '"hospital", signed by it\n' in said
    assert '"lab", its signature is not verified, as its key is not here\n' in said


def with_envelope(bundle: Bundle, change: Callable[[Any], None]) -> Bundle:
    envelope = json.loads(bundle[ENVELOPE])
    change(envelope)
    return bundle | {ENVELOPE: json.dumps(envelope).encode()}


def changed_contract(bundle: Bundle, world: World) -> Bundle:
    changed = world.data.replace(b"intersection", b"intersektion")
    return with_envelope(
        bundle, lambda envelope: envelope.update(payload=base64.b64encode(changed).decode())
    )


def contract_signed_anew(bundle: Bundle, world: World) -> Bundle:
    data = world.data.replace(b"intersection", b"intersektion")
    made = {one.id: sign(data, CONTRACT, one.key) for one in (world.own, world.peer)}
    return bundle | {ENVELOPE: write_envelope(data, CONTRACT, made).encode()}


def forged_signature(bundle: Bundle, world: World) -> Bundle:
    made = {
        world.own.id: sign(world.data, CONTRACT, world.own.key),
        world.peer.id: sign(world.data, CONTRACT, MemoryKey()),
    }
    return bundle | {ENVELOPE: write_envelope(world.data, CONTRACT, made).encode()}


def signature_of_another_type(bundle: Bundle, world: World) -> Bundle:
    made = {one.id: one.key.sign(world.data) for one in (world.own, world.peer)}
    return bundle | {ENVELOPE: write_envelope(world.data, CONTRACT, made).encode()}


def dropped_signature(bundle: Bundle, world: World) -> Bundle:
    made = {world.own.id: sign(world.data, CONTRACT, world.own.key)}
    return bundle | {ENVELOPE: write_envelope(world.data, CONTRACT, made).encode()}


def another_type(bundle: Bundle, world: World) -> Bundle:
    return flip(bundle, ENVELOPE, b"vnd.coffer.contract", b"vnd.coffer.grant")


def no_envelope(bundle: Bundle, world: World) -> Bundle:
    return without(bundle, ENVELOPE)


def malformed_envelope(bundle: Bundle, world: World) -> Bundle:
    return with_envelope(bundle, lambda envelope: envelope.update(signatures=[7]))


def unnamed_contract(bundle: Bundle, world: World) -> Bundle:
    said = json.loads(bundle["evidence.json"])
    del said["signers"]
    return bundle | {"evidence.json": json.dumps(said).encode()}


def named_stranger(bundle: Bundle, world: World) -> Bundle:
    said = json.loads(bundle["evidence.json"])
    said["signers"] = [{}]
    return bundle | {"evidence.json": json.dumps(said).encode()}


TAMPERED: Final[dict[Callable[[Bundle, World], Bundle], str]] = {
    changed_contract: "the contract is not the one of entry 1",
    contract_signed_anew: "the contract is not the one of entry 1",
    forged_signature: "the signature of {peer} on the contract does not verify",
    signature_of_another_type: "the signature of {own} on the contract does not verify",
    dropped_signature: 'the contract lacks the signature that entry 3 has, of "{peer}"',
    another_type: "contract.dsse.json holds no contract",
    no_envelope: "contract.dsse.json is missing",
    malformed_envelope: "contract.dsse.json is malformed",
    unnamed_contract: "contract.dsse.json is not in evidence.json",
    named_stranger: "evidence.json is malformed",
}


@pytest.mark.parametrize("tamper", TAMPERED)
def test_what_is_wrong_with_a_contract_is_named(
    tamper: Callable[[Bundle, World], Bundle], world: World, tmp_path: Path
) -> None:
    # Of two signatures that do not verify, the program comes upon that of the lower id first.
    status, said = verify(tamper(world.bundle, world), tmp_path / "bundle")

    first = min(world.own.id.text, world.peer.id.text)
    own = first if tamper is signature_of_another_type else world.own.id.text
    fault = TAMPERED[tamper].format(own=own, peer=world.peer.id.text)
    assert (status, said) == (1, f"fault: {fault}\n")
