"""GF(2^128) against GCM, whose field is the same with the bits of each byte in the other order."""

import numpy as np
import pytest

from services.kernels import field128
from services.kernels.blocks import Blocks, from_bytes
from tests.kernel_levels import LEVELS, taking


def mirrored(hexadecimal: str) -> Blocks:
    given = np.frombuffer(bytes.fromhex(hexadecimal), np.uint8)
    return from_bytes(np.packbits(np.unpackbits(given), bitorder="little").tobytes())


@pytest.mark.parametrize("level", LEVELS)
def test_ghash_of_gcm_test_case_2(level: str) -> None:
    # McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 2.
    h = mirrored("66e94bd4ef8a2c3b884cfa59ca342b2e")
    ciphertext = mirrored("0388dace60b6a392f328c2b971b2fe78")
    length = mirrored("00000000000000000000000000000080")

    with taking(level):
        first = field128.multiply(ciphertext, h)
        hashed = field128.multiply(first ^ length, h)

    assert np.array_equal(first, mirrored("5e2ec746917062882c85b0685353deb7"))
    assert np.array_equal(hashed, mirrored("f38cbb1ad69223dcc3457ae5b6b0f885"))
