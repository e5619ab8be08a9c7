"""Random orders, by the ChaCha20 of the package ``cryptography``."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms


def words(key: bytes) -> Iterator[int]:
    """Yield words of 64 bits: 512 from each of the streams whose nonces count from 0."""
    number = 0
    while True:
        nonce = bytes(8) + number.to_bytes(8, "little")  # behind the counter of blocks
        cipher = Cipher(algorithms.ChaCha20(key, nonce), mode=None).encryptor()
        data = cipher.update(bytes(8 * 512))
        yield from (int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8))
        number += 1


def permutation(key: bytes, count: int) -> list[int]:
    """Do as :func:`services.kernels.shuffle.permutation`, given the key that it draws."""
    order, drawn = list(range(count)), words(key)
    for last in range(count - 1, 0, -1):
        bound = last + 1
        product = next(drawn) * bound
        while product % 2**64 < 2**64 % bound:
            product = next(drawn) * bound
        place = product >> 64
        order[last], order[place] = order[place], order[last]
    return order
