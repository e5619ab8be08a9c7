"""The pairing protocol, both roles by hand, and each way that somebody may cheat."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from appliance.api import peer_pb2 as pb
from appliance.identity.keys import FileKey
from appliance.peering import pake
from appliance.peering.errors import PairingBroken, WrongCode
from appliance.peering.introduction import Introduction
from appliance.peering.pake import Circumstances, Half, Keys, Proof, Role

LEAF = bytes(32)


def noon() -> datetime:
    return datetime(2026, 1, 1, 12, tzinfo=UTC)


def introduction(name: str) -> Introduction:
    return Introduction(name=name, address="127.0.0.1:1", version="0.1.0", clock=noon())


def exchange(
    *, codes: tuple[bytes, bytes] = (b"w", b"w"), leaves: tuple[bytes, bytes] = (LEAF, LEAF)
) -> tuple[Keys, Keys]:
    """Return the keys of the invitee and of the inviter."""
    invitee, inviter = Half(Role.INVITEE, codes[0]), Half(Role.INVITER, codes[1])
    shared = invitee.finish(inviter.message), inviter.finish(invitee.message)
    seen = [
        Circumstances(
            invitation=1,
            leaf_hash=leaf,
            attempt=bytes(16),
            invitee_message=invitee.message,
            inviter_message=inviter.message,
        )
        for leaf in leaves
    ]
    return Keys.derive(shared[0], seen[0]), Keys.derive(shared[1], seen[1])


class Pair:
    """Two identities."""

    def __init__(self, folder: Path) -> None:
        self.invitee = FileKey.open_or_make(folder / "invitee", now=noon)
        self.inviter = FileKey.open_or_make(folder / "inviter", now=noon)

    def prove_invitee(self, keys: Keys) -> tuple[Proof, pake.Identity]:
        return pake.prove(keys, Role.INVITEE, self.invitee, introduction("laboratory"), None)

    def prove_inviter(self, keys: Keys, heard: Proof) -> tuple[Proof, pake.Identity]:
        return pake.prove(keys, Role.INVITER, self.inviter, introduction("hospital"), heard)


@pytest.fixture
def two(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_both_learn_who_the_other_is_and_see_the_same_words(two: Pair) -> None:
    theirs, ours = exchange()

    proof, invitee = two.prove_invitee(theirs)
    heard = pake.verify(ours, Role.INVITEE, proof, None)
    answer, inviter = two.prove_inviter(ours, proof)
    answered = pake.verify(theirs, Role.INVITER, answer, proof)

    assert (heard.node_id, heard.introduction.name) == (two.invitee.node_id, "laboratory")
    assert (answered.node_id, answered.introduction.name) == (two.inviter.node_id, "hospital")
    assert pake.bond(theirs, invitee, answered) == pake.bond(ours, heard, inviter)
    assert len(pake.bond(theirs, invitee, answered).authentication_string.split()) == 6


def test_the_words_change_with_each_identity_and_each_run(two: Pair, tmp_path: Path) -> None:
    keys, _ = exchange()
    again, _ = exchange()
    proof, invitee = two.prove_invitee(keys)
    _, inviter = two.prove_inviter(keys, proof)
    _, other = pake.prove(
        keys, Role.INVITER, FileKey.open_or_make(tmp_path, now=noon), introduction("x"), proof
    )
    renamed = replace(inviter, said=introduction("hospitaal").to_proto().SerializeToString())

    strings = {
        pake.bond(keys, invitee, inviter).authentication_string,
        pake.bond(keys, invitee, other).authentication_string,
        pake.bond(keys, invitee, renamed).authentication_string,
        pake.bond(keys, inviter, invitee).authentication_string,
        pake.bond(again, invitee, inviter).authentication_string,
    }
    assert len(strings) == 5


def test_a_wrong_code_proves_nothing(two: Pair) -> None:
    theirs, ours = exchange(codes=(b"wrong", b"w"))

    with pytest.raises(WrongCode):
        pake.verify(ours, Role.INVITEE, two.prove_invitee(theirs)[0], None)


def test_whoever_sees_another_tls_certificate_proves_nothing(two: Pair) -> None:
    theirs, ours = exchange(leaves=(bytes(32), b"\x01" * 32))

    with pytest.raises(WrongCode):
        pake.verify(ours, Role.INVITEE, two.prove_invitee(theirs)[0], None)


def test_a_proof_cannot_be_reflected(two: Pair) -> None:
    theirs, ours = exchange()
    proof, _ = two.prove_invitee(theirs)

    with pytest.raises(WrongCode):
        pake.verify(theirs, Role.INVITER, proof, proof)
    with pytest.raises(WrongCode):
        pake.verify(ours, Role.INVITER, proof, None)


def test_an_answer_is_good_for_the_proof_that_it_answers_alone(two: Pair) -> None:
    theirs, ours = exchange()
    first, _ = two.prove_invitee(theirs)
    second, _ = pake.prove(theirs, Role.INVITEE, two.invitee, introduction("other"), None)
    answer, _ = two.prove_inviter(ours, first)

    with pytest.raises(WrongCode):
        pake.verify(theirs, Role.INVITER, answer, second)


@pytest.mark.parametrize("part", ["sealed", "mac"])
@pytest.mark.parametrize("place", [0, -1])
def test_a_proof_with_one_bit_changed_proves_nothing(two: Pair, part: str, place: int) -> None:
    theirs, ours = exchange()
    proof, _ = two.prove_invitee(theirs)
    changed = bytearray(getattr(proof, part))
    changed[place] ^= 1
    forged = replace(proof, **{part: bytes(changed)})

    with pytest.raises(WrongCode):
        pake.verify(ours, Role.INVITEE, forged, None)


def test_an_empty_proof_proves_nothing(two: Pair) -> None:
    _, ours = exchange()

    with pytest.raises(WrongCode):
        pake.verify(ours, Role.INVITEE, Proof(sealed=b"", mac=b""), None)


def sealed_by_hand(keys: Keys, message: bytes) -> Proof:
    sealed = ChaCha20Poly1305(keys.seals[Role.INVITEE]).encrypt(bytes(12), message, keys.exchange)
    return Proof(sealed=sealed, mac=pake._mac(keys, Role.INVITEE, sealed, None))


def test_whoever_has_the_code_still_cannot_take_anothers_identity(two: Pair) -> None:
    theirs, ours = exchange()
    said = introduction("x").to_proto().SerializeToString()
    stolen = two.inviter.certificate_der
    for signature in (
        b"",
        two.invitee.sign(pake._signed(theirs, Role.INVITEE, stolen, said)),
        two.inviter.sign(pake._signed(theirs, Role.INVITER, stolen, said)),
        two.inviter.sign(pake._signed(exchange()[0], Role.INVITEE, stolen, said)),
    ):
        message = pb.PairingIdentity(certificate=stolen, introduction=said, signature=signature)
        with pytest.raises(PairingBroken):
            pake.verify(
                ours, Role.INVITEE, sealed_by_hand(theirs, message.SerializeToString()), None
            )


@pytest.mark.parametrize("name", ["", "a/b", "x" * 65, "a\nb", "hos‮latip"])
def test_whoever_has_the_code_still_keeps_to_the_limits(two: Pair, name: str) -> None:
    theirs, ours = exchange()
    said = pb.Introduction(
        name=name, version="1", lowest_interface=1, highest_interface=1
    ).SerializeToString()
    certificate = two.invitee.certificate_der
    message = pb.PairingIdentity(
        certificate=certificate,
        introduction=said,
        signature=two.invitee.sign(pake._signed(theirs, Role.INVITEE, certificate, said)),
    )

    with pytest.raises(PairingBroken):
        pake.verify(ours, Role.INVITEE, sealed_by_hand(theirs, message.SerializeToString()), None)


@pytest.mark.parametrize("message", [b"", b"junk", b"\xff" * 100])
def test_a_sealed_message_that_is_none_is_the_others_fault(two: Pair, message: bytes) -> None:
    theirs, ours = exchange()

    with pytest.raises(PairingBroken):
        pake.verify(ours, Role.INVITEE, sealed_by_hand(theirs, message), None)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"A",
        b"A" + bytes(31),
        b"A" + bytes(32),
        b"A\x01" + bytes(31),
        b"A" + b"\xff" * 32,
        b"B" + bytes(32),
        b"S" + bytes(32),
        bytes(34),
    ],
)
def test_a_key_exchange_message_that_is_none_is_the_others_fault(message: bytes) -> None:
    with pytest.raises(PairingBroken):
        Half(Role.INVITER, b"w").finish(message)


def test_our_own_key_exchange_message_cannot_be_reflected() -> None:
    half = Half(Role.INVITER, b"w")

    with pytest.raises(PairingBroken):
        half.finish(b"A" + half.message[1:])


def test_no_key_shows_in_a_repr() -> None:
    keys, _ = exchange()

    for secret in (*keys.seals.values(), *keys.macs.values(), keys.words):
        assert repr(secret) not in repr(keys)
        assert secret.hex() not in repr(keys)


def test_sizes_do_not_depend_on_the_code(two: Pair) -> None:
    sizes = set()
    for code in (b"w", b"abandon-ability-able-about", b"zoo-zoo-zoo-zoo"):
        theirs, _ = exchange(codes=(code, code))
        half = Half(Role.INVITEE, code)
        sealed = two.prove_invitee(theirs)[0].sealed
        sizes.add((len(half.message), len(sealed) // 8))  # a DER signature varies by some bytes

    assert len({size for size, _ in sizes}) == 1
    assert max(size for _, size in sizes) - min(size for _, size in sizes) <= 1
