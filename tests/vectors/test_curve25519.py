"""RFC 7748 (X25519), §5.2, and RFC 9380 (hashing), appendix J.4.2, NU.

The hashing vectors' Q is the point before its cofactor is cleared and P the one after, 8·Q.
"""

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

from services.kernels import cpu, curve25519
from services.kernels.reference import curve25519 as reference
from tests.conversation import keys_of

DST = b"QUUX-V01-CS02-with-curve25519_XMD:SHA-512_ELL2_NU_"

# message, number it is hashed to, u-coordinate of Q, of P
HASHED = [
    (
        b"",
        "608d892b641f0328523802a6603427c26e55e6f27e71a91a478148d45b5093cd",
        "51125222da5e763d97f3c10fcc92ea6860b9ccbbd2eb1285728f566721c1e65b",
        "1bb913f0c9daefa0b3375378ffa534bda5526c97391952a7789eb976edfe4d08",
    ),
    (
        b"abc",
        "46f5b22494bfeaa7f232cc8d054be68561af50230234d7d1d63d1d9abeca8da5",
        "7d56d1e08cb0ccb92baf069c18c49bb5a0dcd927eff8dcf75ca921ef7f3e6eeb",
        "7c22950b7d900fa866334262fcaea47a441a578df43b894b4625c9b450f9a026",
    ),
    (
        b"abcdef0123456789",
        "235fe40c443766ce7e18111c33862d66c3b33267efa50d50f9e8e5d252a40aaa",
        "3fbe66b9c9883d79e8407150e7c2a1c8680bee496c62fabe4619a72b3cabe90f",
        "31ad08a8b0deeb2a4d8b0206ca25f567ab4e042746f792f4b7973f3ae2096c52",
    ),
    (
        b"q128_" + b"q" * 128,
        "001e92a544463bda9bd04ddbe3d6eed248f82de32f522669efc5ddce95f46f5b",
        "227e0bb89de700385d19ec40e857db6e6a3e634b1c32962f370d26f84ff19683",
        "027877759d155b1997d0d84683a313eb78bdb493271d935b622900459d52ceaa",
    ),
    (
        b"a512_" + b"a" * 512,
        "1a68a1af9f663592291af987203393f707305c7bac9c8d63d6a729bdc553dc19",
        "3bcd651ee54d5f7b6013898aab251ee8ecc0688166fce6e9548d38472f6bd196",
        "5fd892c0958d1a75f54c3182a18d286efab784e774d1e017ba2fb252998b5dc1",
    ),
]

# scalar, u, product; the RFC's second u has its top bit set, which X25519 ignores and we refuse
MULTIPLIED = [
    (
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    ),
    (
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a413",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ),
]

AFTER_1 = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
AFTER_1000 = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


@pytest.fixture(params=[*cpu.levels(), "reference"])
def kernel(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    if request.param == "reference":
        yield reference
        return
    cpu.use_level(request.param)
    yield curve25519
    cpu.use_level(cpu.levels()[-1])


@pytest.mark.parametrize(("scalar", "u", "product"), MULTIPLIED)
def test_products_are_as_published(kernel: ModuleType, scalar: str, u: str, product: str) -> None:
    element = np.frombuffer(bytes.fromhex(u), np.uint8).reshape(1, 32)

    raised, _ = kernel.scalar_multiply(element, bytes.fromhex(scalar), checked=False)

    assert raised.tobytes().hex() == product


def test_a_thousand_products_in_turn_are_as_published(kernel: ModuleType) -> None:
    scalar = u = bytes([9] + [0] * 31)
    for turn in range(1, 1001):
        element = np.frombuffer(u, np.uint8).reshape(1, 32)
        product = kernel.scalar_multiply(element, scalar, checked=False)[0].tobytes()
        scalar, u = product, scalar
        if turn == 1:
            assert product.hex() == AFTER_1
    assert product.hex() == AFTER_1000


def test_messages_are_hashed_as_published(kernel: ModuleType) -> None:
    held = keys_of([message for message, *_ in HASHED])

    hashed = kernel.hash_to_curve(held.offsets, held.data, np.arange(len(HASHED)), dst=DST)

    assert [row.tobytes()[::-1].hex() for row in hashed] == [q for _, _, q, _ in HASHED]


@pytest.mark.parametrize(("message", "number", "q", "p"), HASHED)
def test_numbers_and_cleared_points_are_as_published(
    message: bytes, number: str, q: str, p: str
) -> None:
    assert reference.hash_to_field(message, DST) == int(number, 16)
    assert reference.ladder(8, int(q, 16)) == int(p, 16)
