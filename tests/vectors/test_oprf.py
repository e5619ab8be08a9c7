"""RFC 9497 (OPRF), appendix A.1.1: suite ristretto255-SHA512, mode OPRF, both test vectors.

An OPRF is hash-to-group, two blindings and an unblinding, so the vectors fix our whole group.
Taken from the RFC's text (its own vectors are poc/vectors/allVectors.json of the CFRG's
draft-irtf-cfrg-voprf repository).
"""

import hashlib
from types import ModuleType

import numpy as np
import pytest

from services.kernels import ristretto
from services.kernels.reference import ristretto as reference
from tests.conversation import keys_of

DST = b"HashToGroup-OPRFV1-\x00-ristretto255-SHA512"
SERVER_KEY = bytes.fromhex("5ebcea5ee37023ccb9fc2d2019f9d7737be85591ae8652ffa9ef0f4d37063b0e")
BLIND = bytes.fromhex("64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706")

VECTORS = [
    (
        "00",
        "609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c",
        "7ec6578ae5120958eb2db1745758ff379e77cb64fe77b0b2d8cc917ea0869c7e",
        "527759c3d9366f277d8c6020418d96bb393ba2afb20ff90df23fb7708264e2f3"
        "ab9135e3bd69955851de4b1f9fe8a0973396719b7912ba9ee8aa7d0b5e24bcf6",
    ),
    (
        "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
        "da27ef466870f5f15296299850aa088629945a17d1f5b7f5ff043f76b3c06418",
        "b4cbf5a4f1eeda5a63ce7b77c7d23f461db3fcab0dd28e4e17cecb5c90d02c25",
        "f4a74c9c592497375e796aa837e907b1a045d34306a749db9f34221f7e750cb4"
        "f2a6413a6bf6fa5e19ba6348eb673934a722a7ede2e7621306d18951e7cf2c73",
    ),
]


@pytest.mark.parametrize("kernel", [ristretto, reference], ids=["native", "reference"])
@pytest.mark.parametrize(("text", "blinded", "evaluated", "output"), VECTORS)
def test_oprf_runs_as_published(
    kernel: ModuleType, text: str, blinded: str, evaluated: str, output: str
) -> None:
    word = bytes.fromhex(text)
    keys = keys_of([word])
    unblind = pow(int.from_bytes(BLIND, "little"), -1, reference.ORDER).to_bytes(32, "little")

    element = kernel.hash_to_group(keys.offsets, keys.data, np.arange(1), dst=DST)
    by_client, _ = kernel.scalar_multiply(element, BLIND)
    by_both, _ = kernel.scalar_multiply(by_client, SERVER_KEY)
    by_server, _ = kernel.scalar_multiply(by_both, unblind)

    assert by_client.tobytes().hex() == blinded
    assert by_both.tobytes().hex() == evaluated
    assert _finalized(word, by_server.tobytes()) == output


def _finalized(word: bytes, element: bytes) -> str:
    framed = len(word).to_bytes(2, "big") + word + len(element).to_bytes(2, "big") + element
    return hashlib.sha512(framed + b"Finalize").hexdigest()
