"""Merkle trees of RFC 9162: the known answers of transparency-dev/merkle, and its corruptions.

From proof/verify_test.go of https://github.com/transparency-dev/merkle (Apache-2.0), the same as
those of certificate-transparency-go: eight leaves, the root after each, proofs of inclusion (leaf
from 1) and of consistency. Each wrong variant that its tests make of a proof is made here too.
"""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from appliance.ledger.errors import ProofWrong
from appliance.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    hash_leaf,
    prove_consistency,
    prove_inclusions,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.ledger_doubles import Tree

LEAVES: Final = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS: Final = [
    bytes.fromhex(text)
    for text in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
N96: Final = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
N5F: Final = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
N6B: Final = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
NBC: Final = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NCA: Final = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
ND3: Final = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
NFA: Final = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
N6E: Final = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
N0E: Final = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NB0: Final = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"
INCLUSION: Final = [
    (1, 1, ()),
    (1, 8, (N96, N5F, N6B)),
    (6, 8, (NBC, NCA, ND3)),
    (3, 3, (NFA,)),
    (2, 5, (N6E, N5F, NBC)),
]
CONSISTENCY: Final = [
    (1, 1, ()),
    (1, 8, (N96, N5F, N6B)),
    (6, 8, (N0E, NCA, ND3)),
    (2, 5, (N5F, NBC)),
    (6, 7, (N0E, NB0, ND3)),
]
SOME_HASH: Final = bytes.fromhex("abacaba0" + "00" * 20 + "0060061e00123456")
TREE: Final = Tree(LEAVES)


def hashes(proof: tuple[str, ...]) -> list[bytes]:
    return [bytes.fromhex(text) for text in proof]


def test_an_empty_tree_has_the_hash_of_nothing_as_its_root() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Frontier(size=0, hashes=()).root == root_of(TREE.read, 0) == EMPTY_ROOT


def test_roots_of_each_size_are_the_known_ones() -> None:
    grown, roots = Frontier(size=0, hashes=()), []
    for leaf in LEAVES:
        grown, _ = grown.with_leaf(hash_leaf(leaf))
        roots.append(grown.root)

    assert roots == ROOTS
    assert [root_of(TREE.read, size) for size in range(1, 9)] == ROOTS


@pytest.mark.parametrize(("leaf", "size", "proof"), INCLUSION)
def test_inclusion_is_proven_as_known(leaf: int, size: int, proof: tuple[str, ...]) -> None:
    assert prove_inclusions(TREE.read, [leaf - 1], size) == [hashes(proof)]


@pytest.mark.parametrize(("first", "second", "proof"), CONSISTENCY)
def test_consistency_is_proven_as_known(first: int, second: int, proof: tuple[str, ...]) -> None:
    assert prove_consistency(TREE.read, first, second) == hashes(proof)


def wrong_proofs(proof: list[bytes], *roots: bytes) -> Iterator[list[bytes]]:
    """Yield the proof with something added before or behind, cut, exchanged, or a bit flipped."""
    for one in (b"", *roots):
        yield [*proof, one]
        yield [one, *proof]
    for place, one in enumerate(proof):
        yield [*proof[:place], bytes([one[0] ^ 8]) + one[1:], *proof[place + 1 :]]
    yield from ([proof[:-1]] if proof else [])
    yield from ([[proof[0], SOME_HASH, *proof[1:]]] if len(proof) > 1 else [])


@pytest.mark.parametrize(("leaf", "size", "proof"), INCLUSION)
def test_only_the_very_proof_of_inclusion_verifies(
    leaf: int, size: int, proof: tuple[str, ...]
) -> None:
    root, path = ROOTS[size - 1], hashes(proof)
    good: dict[str, Any] = {
        "index": leaf - 1,
        "size": size,
        "leaf_hash": hash_leaf(LEAVES[leaf - 1]),
        "proof": path,
        "root": root,
    }
    verify_inclusion(**good)
    wrong: list[dict[str, Any]] = [{"index": leaf}, {"index": leaf - 1 ^ 2}, {"index": leaf - 2}]
    wrong += [{"size": size * 2}, {"size": size // 2}, {"leaf_hash": b"WrongLeaf"}]
    wrong += [{"root": EMPTY_ROOT}, {"root": SOME_HASH}]
    wrong += [{"proof": other} for other in wrong_proofs(path, root)]

    for changes in wrong:
        with pytest.raises(ProofWrong):
            verify_inclusion(**good | changes)


@pytest.mark.parametrize(("first", "second", "proof"), CONSISTENCY[1:])
def test_only_the_very_proof_of_consistency_verifies(
    first: int, second: int, proof: tuple[str, ...]
) -> None:
    old, new, path = ROOTS[first - 1], ROOTS[second - 1], hashes(proof)
    good: dict[str, Any] = {
        "first": first,
        "second": second,
        "first_root": old,
        "second_root": new,
        "proof": path,
    }
    verify_consistency(**good)
    wrong: list[dict[str, Any]] = [{"first": first - 1}, {"first": first + 1}, {"first": first ^ 2}]
    wrong += [{"second": second * 2}, {"second": second // 2}, {"proof": []}]
    wrong += [{"first_root": b"WrongRoot"}, {"second_root": b"WrongRoot"}]
    wrong += [{"first_root": new, "second_root": old}]
    wrong += [{"proof": other} for other in wrong_proofs(path, old, new, path[0])]

    for changes in wrong:
        with pytest.raises(ProofWrong):
            verify_consistency(**good | changes)


@pytest.mark.parametrize(
    ("first", "second", "old", "new", "proof"),
    [
        (0, 0, b"1", b"2", []),
        (1, 1, b"1", b"2", []),
        (1, 0, b"1", b"2", []),
        (2, 1, b"1", b"2", []),
        (1, 2, b"1", b"2", []),
        (0, 0, EMPTY_ROOT, b"2", []),
        (1, 1, EMPTY_ROOT, b"2", []),
        (0, 0, EMPTY_ROOT, EMPTY_ROOT, [EMPTY_ROOT]),
        (0, 1, EMPTY_ROOT, EMPTY_ROOT, [EMPTY_ROOT]),
        (1, 1, EMPTY_ROOT, EMPTY_ROOT, [EMPTY_ROOT]),
    ],
)
def test_sizes_that_need_no_proof_are_verified_too(
    first: int, second: int, old: bytes, new: bytes, proof: list[bytes]
) -> None:
    with pytest.raises(ProofWrong):
        verify_consistency(first=first, second=second, first_root=old, second_root=new, proof=proof)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (1, 1)])
def test_what_needs_no_proof_passes_without_one(first: int, second: int) -> None:
    verify_consistency(first=first, second=second, first_root=b"1", second_root=b"1", proof=[])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 0), (2, 1), (-1, 1)])
def test_an_entry_beyond_the_tree_is_in_none(index: int, size: int) -> None:
    with pytest.raises(ProofWrong):
        verify_inclusion(index=index, size=size, leaf_hash=SOME_HASH, proof=[], root=EMPTY_ROOT)
