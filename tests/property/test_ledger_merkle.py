"""The ledger's tree agrees with the RFC's own recursive definitions (RFC 9162, section 2.1)."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.ledger.errors import ProofWrong
from appliance.ledger.merkle import (
    EMPTY_ROOT,
    hash_leaf,
    prove_consistency,
    prove_inclusions,
    read_frontier,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.ledger_doubles import Tree

MOST = 70
LEAVES = [b"%d" % number for number in range(MOST)]
TREE = Tree(LEAVES)
SIZES = st.integers(0, MOST)


def split(count: int) -> int:
    """Return the largest power of two smaller than the count, as the RFC says it."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def mth(leaves: Sequence[bytes]) -> bytes:
    """Section 2.1.1."""
    if len(leaves) == 0:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], is_whole: bool) -> list[bytes]:
    """Section 2.1.4.1."""
    if m == len(leaves):
        return [] if is_whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], is_whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


@given(SIZES)
def test_the_root_of_each_size_is_that_of_the_definition(size: int) -> None:
    assert root_of(TREE.read, size) == mth(LEAVES[:size])
    assert read_frontier(TREE.read, size).root == mth(LEAVES[:size])


@given(SIZES, SIZES)
def test_a_tree_that_is_read_again_grows_as_one_that_was_never_let_go(a: int, b: int) -> None:
    first, second = sorted((a, b))

    grown = read_frontier(TREE.read, first)
    for leaf in LEAVES[first:second]:
        grown, made = grown.with_leaf(hash_leaf(leaf))
        assert {node.place: node.hash for node in made}.items() <= TREE.hashes.items()

    assert grown == read_frontier(TREE.read, second)


@given(st.integers(1, MOST), st.data())
def test_inclusion_is_proven_as_defined_and_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaf = hash_leaf(LEAVES[index])

    (proof,) = prove_inclusions(TREE.read, [index], size)

    assert proof == path(index, LEAVES[:size])
    root = mth(LEAVES[:size])
    verify_inclusion(index=index, size=size, leaf_hash=leaf, proof=proof, root=root)


@given(st.integers(1, MOST), st.data())
def test_consistency_is_proven_as_defined_and_verifies(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second))
    old, new = mth(LEAVES[:first]), mth(LEAVES[:second])

    proof = prove_consistency(TREE.read, first, second)

    assert proof == subproof(first, LEAVES[:second], True)
    verify_consistency(first=first, second=second, first_root=old, second_root=new, proof=proof)


@given(st.integers(1, MOST), st.data())
def test_no_proof_puts_an_entry_in_two_places(size: int, data: st.DataObject) -> None:
    index, other = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    (proof,) = prove_inclusions(TREE.read, [index], size)
    leaf, root = hash_leaf(LEAVES[index]), mth(LEAVES[:size])

    if index != other:
        with pytest.raises(ProofWrong):
            verify_inclusion(index=other, size=size, leaf_hash=leaf, proof=proof, root=root)


@given(st.integers(2, MOST), st.data())
def test_no_tree_with_another_entry_below_is_consistent(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second - 1))
    changed = data.draw(st.integers(0, first - 1))
    forked = Tree([*LEAVES[:changed], b"forged", *LEAVES[changed + 1 :]])

    with pytest.raises(ProofWrong):
        verify_consistency(
            first=first,
            second=second,
            first_root=mth(LEAVES[:first]),
            second_root=root_of(forked.read, second),
            proof=prove_consistency(forked.read, first, second),
        )


@given(
    st.integers(0, 2**53),
    st.integers(0, 2**53),
    st.lists(st.binary(max_size=33), max_size=60),
    st.binary(min_size=32, max_size=32),
)
def test_junk_proves_nothing(a: int, b: int, proof: list[bytes], root: bytes) -> None:
    with pytest.raises(ProofWrong):
        verify_inclusion(index=a, size=b, leaf_hash=root, proof=proof, root=EMPTY_ROOT)
    if a not in (0, b):
        with pytest.raises(ProofWrong):
            verify_consistency(
                first=a, second=b, first_root=root, second_root=EMPTY_ROOT, proof=proof
            )


@given(st.integers(1, MOST), st.data())
def test_proofs_are_read_at_once(size: int, data: st.DataObject) -> None:
    indexes = data.draw(st.lists(st.integers(0, size - 1), max_size=9))
    TREE.asked = 0

    proofs = prove_inclusions(TREE.read, indexes, size)

    assert TREE.asked == 1
    assert proofs == [path(index, LEAVES[:size]) for index in indexes]
