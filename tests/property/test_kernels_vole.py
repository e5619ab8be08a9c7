"""The kernels behind silent VOLE, at every level that the processor offers, and their twins."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.kernels import code, correlation, cpu, ggm, ristretto
from services.kernels.blocks import Blocks, from_bytes
from services.kernels.reference import field128 as field
from services.kernels.reference import ristretto as reference
from services.kernels.reference import vole as twin
from services.kernels.reference.field128 import to_blocks, to_ints
from tests.doubles import Seeded

seeds = st.integers(0, 2**32)
few = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=cpu.levels(), autouse=True)
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    cpu.use_level(request.param)
    yield request.param
    cpu.use_level(cpu.levels()[-1])


def drawn(seed: int, *shape: int) -> Blocks:
    count = int(np.prod(shape))
    return from_bytes(Seeded(seed).draw(16 * count)).reshape(*shape, 2)


def siblings_of(sums: Blocks, points: list[int]) -> Blocks:
    """Return of each tree and level the sum of the nodes beside the way to the point."""
    depth = sums.shape[1]
    beside = [[1 - (point >> (depth - 1 - at) & 1) for at in range(depth)] for point in points]
    return np.stack(
        [[sums[i, at, side] for at, side in enumerate(sides)] for i, sides in enumerate(beside)]
    )


@few
@given(seed=seeds, leaves=st.integers(2, 300))
def test_trees_grow_as_in_the_twin(seed: int, leaves: int) -> None:
    roots = drawn(seed, 3)

    grown, sums, totals = ggm.expand(roots, leaves)

    for i, root in enumerate(to_ints(roots)):
        expected, expected_sums, total = twin.expand(root, leaves)
        assert to_ints(grown[i]) == expected
        assert to_ints(totals[i]) == [total]
        assert to_ints(sums[i]) == [each for pair in expected_sums for each in pair]


@few
@given(seed=seeds, leaves=st.integers(2, 300), data=st.data())
def test_all_leaves_but_one_come_from_the_sums_beside_the_way(
    seed: int, leaves: int, data: st.DataObject
) -> None:
    points = [data.draw(st.integers(0, leaves - 1)), 0, leaves - 1]
    grown, sums, totals = ggm.expand(drawn(seed, 3), leaves)
    added = drawn(seed + 1, 3)

    known = ggm.evaluate(
        np.array(points, np.int64), siblings_of(sums, points), totals ^ added, leaves
    )

    grown[np.arange(3), points] ^= added
    assert np.array_equal(known, grown)


@pytest.mark.parametrize("leaves", [3, 5, 11, 20])
def test_a_way_to_no_leaf_does_not_give_the_total(leaves: int) -> None:
    grown, sums, totals = ggm.expand(drawn(1, 1), leaves)
    depth = ggm.depth_of(leaves)
    for point in range(leaves, 2**depth):
        siblings = to_ints(siblings_of(sums, [point])[0])

        found, stumps = leaves_beside(point, siblings, leaves)

        assert found == to_ints(grown[0])  # who went there has all leaves …
        assert to_ints(totals)[0] not in (twin.total(found), twin.total(found) ^ twin.total(stumps))


def leaves_beside(point: int, siblings: list[int], leaves: int) -> tuple[list[int], list[int]]:
    """Return the leaves and the stumps that a way tells, though it may lead to no leaf."""
    depth = len(siblings)
    nodes: dict[int, int] = {}
    stumps = []
    for level, sibling in enumerate(siblings, 1):
        way, width = point >> (depth - level), -(-leaves // 2 ** (depth - level))
        grown = {2 * place: twin.children([node]) for place, node in nodes.items()}
        nodes = {first + side: pair[side] for first, pair in grown.items() for side in (0, 1)}
        beside = [node for place, node in nodes.items() if place % 2 != way % 2]
        if way // 2 < -(-width // 2):  # else it goes on below a stump, where nothing grows
            nodes[way ^ 1] = sibling ^ twin.total(beside)
        stumps += [node for place, node in nodes.items() if place >= width]
        nodes = {place: node for place, node in sorted(nodes.items()) if place < width}
    return list(nodes.values()), stumps


@settings(few, max_examples=6)
@given(seed=seeds, half=st.one_of(st.integers(32, 700), st.sampled_from([255, 256, 282, 538])))
def test_vectors_are_compressed_as_in_the_twin(seed: int, half: int) -> None:
    vector, sparse = drawn(seed, 2 * half), np.zeros((2 * half, 2), np.uint64)
    parts = next(count for count in (5, 4, 3, 2) if 2 * half % count == 0)
    points, values = np.arange(parts) * seed % (2 * half // parts), drawn(seed + 1, parts)
    sparse[np.arange(parts) * (2 * half // parts) + points] = values
    expected = twin.compress(to_ints(vector))

    alone = code.compress(vector.copy())
    both = code.compress_two(vector.copy(), points, values)

    assert to_ints(alone) == to_ints(both[0]) == expected
    assert np.array_equal(both[1], code.compress(sparse))


def test_compression_is_linear() -> None:
    left, right = drawn(1, 3000), drawn(2, 3000)

    summed = code.compress(left ^ right)

    assert np.array_equal(summed, code.compress(left) ^ code.compress(right))


def test_each_entry_of_the_second_half_reaches_about_all_outputs() -> None:
    # What the choice of the noise's weight counts on: no entry's word is light. With a first
    # half of its own at zero, a word of the second half has no more than n of 2 n places.
    n = 2048
    for entry in (0, 1, n // 2, n - 2, n - 1):
        unit = np.zeros((2 * n, 2), np.uint64)
        unit[n + entry, 0] = 1

        word = code.compress(unit)

        assert np.count_nonzero(word.any(axis=1)) > 0.99 * n


@few
@given(seed=seeds, length=st.integers(1, 20))
def test_streams_are_folded_as_they_are_summed_up_one_by_one(seed: int, length: int) -> None:
    leaves = drawn(seed, correlation.TREES, correlation.LEAVES)

    totals, rows = correlation.fold(leaves, length)

    streams = correlation.stream(leaves, length, domain=0).reshape(16, 256, length, 2)
    assert np.array_equal(totals, np.bitwise_xor.reduce(streams, axis=1))
    for bit in range(8):
        among = streams[:, np.arange(256) >> bit & 1 == 1]
        assert np.array_equal(rows[bit::8], np.bitwise_xor.reduce(among, axis=1))


@few
@given(seed=seeds, count=st.integers(1, 5), length=st.integers(1, 70), domain=st.integers(0, 9))
def test_seeds_stretch_as_in_the_twin(seed: int, count: int, length: int, domain: int) -> None:
    entered = drawn(seed, count)

    stretched = correlation.stream(entered, length, domain=domain)

    for i, each in enumerate(to_ints(entered)):
        assert to_ints(stretched[i]) == twin.stream(each, length, domain)


@few
@given(points=st.binary(min_size=16, max_size=16))
def test_trees_are_turned_by_their_points_and_back(points: bytes) -> None:
    leaves, by = drawn(1, 16, 256), np.frombuffer(points, np.uint8)

    turned = correlation.turn(leaves, by)

    for i, point in enumerate(points):
        assert np.array_equal(turned[i], leaves[i, np.arange(256) ^ point])
    assert np.array_equal(correlation.turn(turned, by), leaves)


@few
@given(seed=seeds, length=st.integers(1, 5))
def test_rows_become_columns_and_combine_by_powers_of_x(seed: int, length: int) -> None:
    rows = drawn(seed, 128, length)
    numbers = np.array(to_ints(rows), dtype=object).reshape(128, length)

    columns, combined = correlation.transpose(rows), correlation.combine(rows)

    for block in range(length):
        found = to_ints(columns[128 * block : 128 * (block + 1)])
        for place, column in enumerate(found):
            bits = [(int(row) >> place & 1) << r for r, row in enumerate(numbers[:, block])]
            assert column == sum(bits)
        products = [field.multiply(int(row), 1 << r) for r, row in enumerate(numbers[:, block])]
        assert to_ints(combined[block]) == [twin.total(products)]


@few
@given(seed=seeds, count=st.integers(1, 150), first=st.integers(0, 2**40))
def test_blocks_are_hashed_as_in_the_twin(seed: int, count: int, first: int) -> None:
    column = drawn(seed, count)

    hashed = correlation.tweaked_hash(column, first=first)

    assert to_ints(hashed) == twin.tweaked_hash(to_ints(column), first)


@few
@given(seed=seeds, rows=st.integers(1, 3), length=st.integers(1, 40))
def test_rows_are_hashed_as_in_the_twin(seed: int, rows: int, length: int) -> None:
    column, point = drawn(seed, rows, length), drawn(seed + 1, 1)

    hashed = correlation.linear_hash(column, point[0])

    at = to_ints(point)[0]
    assert to_ints(hashed) == [field.linear_hash(to_ints(row), at) for row in column]


@pytest.mark.parametrize("number", [0, 1, 2**127, 2**128 - 1])
def test_extreme_elements_are_multiplied_as_in_the_twin(number: int) -> None:
    column = to_blocks([0, number]).reshape(1, 2, 2)

    for point in (0, 1, 2**127, 2**128 - 1):
        hashed = correlation.linear_hash(column, to_blocks([point])[0])
        assert to_ints(hashed) == [field.multiply(number, point)]


def test_a_tree_of_less_than_two_leaves_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves"):
        ggm.expand(drawn(1, 1), 1)
    with pytest.raises(ValueError, match="roots"):
        ggm.expand(drawn(1, 1)[:0], 2)


@pytest.mark.parametrize("point", [-1, 7])
def test_a_point_outside_of_its_tree_is_refused(point: int) -> None:
    points = np.array([point], np.int64)

    with pytest.raises(ValueError, match="points"):
        ggm.evaluate(points, drawn(1, 1, 3), drawn(1, 1), 7)
    with pytest.raises(ValueError, match="points"):
        code.compress_two(drawn(1, 70), np.repeat(points, 10), drawn(1, 10))


def test_columns_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="siblings"):
        ggm.evaluate(np.zeros(1, np.int64), drawn(1, 1, 2), drawn(1, 1), 7)
    for count in (2, 3):
        with pytest.raises(ValueError, match="values"):
            code.compress_two(drawn(1, 70), np.zeros(count, np.int64), drawn(1, 3))
    for length in (63, 62, 0):
        with pytest.raises(ValueError, match="not compressed"):
            code.compress(drawn(1, 64)[:length])
    with pytest.raises(ValueError, match="no blocks"):
        code.compress(drawn(1, 128)[::2])
    with pytest.raises(ValueError, match="leaves"):
        correlation.fold(drawn(1, 16, 255), 1)
    with pytest.raises(ValueError, match="leaves"):
        correlation.turn(drawn(1, 16, 256), np.zeros(15, np.uint8))
    with pytest.raises(ValueError, match="rows"):
        correlation.transpose(drawn(1, 127, 1))
    with pytest.raises(ValueError, match="rows"):
        correlation.combine(drawn(1, 127, 1))
    with pytest.raises(ValueError, match="rows"):
        correlation.linear_hash(drawn(1, 1, 0), drawn(1, 1)[0])
    with pytest.raises(ValueError, match="seeds"):
        correlation.stream(drawn(1, 1), 0, domain=0)
    with pytest.raises(ValueError, match="numbers"):
        correlation.tweaked_hash(drawn(1, 1), first=-1)


elements = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=64, max_size=64).map(
        lambda uniform: reference.encode(reference.from_uniform(uniform))
    ),
)


def column_of(encoded: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(encoded), np.uint8).reshape(-1, 32)


@few
@given(pairs=st.lists(st.tuples(elements, elements), min_size=1, max_size=4))
def test_elements_are_added_and_subtracted_as_in_the_reference(
    pairs: list[tuple[bytes, bytes]],
) -> None:
    left, right = column_of([one for one, _ in pairs]), column_of([other for _, other in pairs])

    summed, unfit = ristretto.add(left, right)
    lessened, unfit_too = ristretto.subtract(left, right)

    points = [(reference.decode(one), reference.decode(other)) for one, other in pairs]
    bad = [i for i, (one, other) in enumerate(points) if one is None or other is None]
    assert unfit == unfit_too == (bad[0] if bad else -1)
    for i, (one, other) in enumerate(points):
        if one is None or other is None:
            assert not summed[i].any()
            assert not lessened[i].any()
            continue
        x, y, z, t = other
        negative = (-x % reference.P, y, z, -t % reference.P)
        assert summed[i].tobytes() == reference.encode(reference.add(one, other))
        assert lessened[i].tobytes() == reference.encode(reference.add(one, negative))


@few
@given(encoded=st.lists(elements, min_size=1, max_size=3), seed=seeds)
def test_elements_are_multiplied_each_by_its_own_scalar(encoded: list[bytes], seed: int) -> None:
    rng = Seeded(seed)
    drawn_scalars = [ristretto.reduce_scalar(rng.draw(64)) for _ in encoded]

    raised, unfit = ristretto.multiply_each(column_of(encoded), column_of(drawn_scalars))

    each = [
        ristretto.scalar_multiply(column_of([one]), scalar)
        for one, scalar in zip(encoded, drawn_scalars, strict=True)
    ]
    assert np.array_equal(raised, np.concatenate([row for row, _ in each]))
    bad = [i for i, (_, first) in enumerate(each) if first >= 0]
    assert unfit == (bad[0] if bad else -1)


def test_the_generator_is_multiplied_as_any_element() -> None:
    scalar = ristretto.reduce_scalar(bytes(range(64)))
    generator = ristretto.multiply_base(column_of([bytes([1] + [0] * 31)]))

    assert generator[0].tobytes().hex().startswith("e2f2ae0a6abc4e71")  # [RFC9496] appendix A.1
    expected, _ = ristretto.scalar_multiply(generator, scalar)
    assert np.array_equal(ristretto.multiply_base(column_of([scalar])), expected)


def test_scalars_that_are_none_are_refused() -> None:
    for bad in (bytes(32), bytes([255] * 32)):
        with pytest.raises(ValueError, match="scalars"):
            ristretto.multiply_base(column_of([bad]))
    with pytest.raises(ValueError, match="as many"):
        ristretto.add(column_of([bytes(32)]), column_of([bytes(64)]))
