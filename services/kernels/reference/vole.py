"""Trees, the code and correlated bits: the kernels behind silent VOLE, from their papers' texts.

AES comes from the package ``cryptography``. Blocks are integers, bit i of which stands for x^i.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from services.kernels.reference.field128 import multiply, to_blocks

MIXER: Final = 0x9E3779B9
# The first 640 bits of pi behind the point.
LEFT_KEY: Final = bytes.fromhex("243f6a8885a308d313198a2e03707344")
RIGHT_KEY: Final = bytes.fromhex("a4093822299f31d0082efa98ec4e6c89")
STREAM_KEY: Final = bytes.fromhex("452821e638d01377be5466cf34e90c6c")
HASH_KEY: Final = bytes.fromhex("c0ac29b7c97c50dd3f84d5b5b5470917")
CODE_KEY: Final = bytes.fromhex("9216d5d98979fb1bd1310ba698dfb5ac")


def encrypt(key: bytes, blocks: Sequence[int]) -> list[int]:
    """Return AES-128 of each block."""
    cipher = Cipher(algorithms.AES128(key), modes.ECB()).encryptor()  # noqa: S305 - a permutation
    data = cipher.update(b"".join(block.to_bytes(16, "little") for block in blocks))
    return [int.from_bytes(data[i : i + 16], "little") for i in range(0, len(data), 16)]


def children(nodes: Sequence[int]) -> list[int]:
    """Return the children of nodes, left before right."""
    pairs = zip(encrypt(LEFT_KEY, nodes), encrypt(RIGHT_KEY, nodes), nodes, strict=True)
    return [child for left, right, node in pairs for child in (left ^ node, right ^ node)]


def total(blocks: Sequence[int]) -> int:
    """Return the sum of blocks."""
    found = 0
    for block in blocks:
        found ^= block
    return found


def expand(root: int, leaves: int) -> tuple[list[int], list[tuple[int, int]], int]:
    """Do as :func:`services.kernels.ggm.expand`, for one tree."""
    depth = (leaves - 1).bit_length()
    nodes, sums, stumps = [root], [], 0
    for level in range(1, depth + 1):
        grown = children(nodes)
        sums.append((total(grown[::2]), total(grown[1::2])))
        width = -(-leaves // 2 ** (depth - level))
        nodes, stumps = grown[:width], stumps ^ total(grown[width:])
    return nodes, sums, stumps ^ total(nodes)


def compress(vector: Sequence[int]) -> list[int]:
    """Do as :func:`services.kernels.code.compress`."""
    size = len(vector) // 2
    x = list(vector[size:])
    for tour in (0, 1):
        for i, choices in enumerate(_words(-(-size // 256) * 256, tour)[:size]):
            for k in range(24):
                x[(i + 1 + k) % size] ^= x[i] * (choices >> k & 1)
            x[(i + 25) % size] = multiply(x[(i + 25) % size] ^ x[i], MIXER)
    words = _words(-(-size // 256) * 256 * 7, 2)
    return [
        vector[i] ^ total([x[place] for place in _places(words[7 * i : 7 * i + 7], size)])
        for i in range(size)
    ]


def _words(count: int, domain: int) -> list[int]:
    drawn = to_blocks(encrypt(CODE_KEY, [i | domain << 64 for i in range(count // 4)]))
    return [int(word) for word in drawn.reshape(-1).view(np.uint32)]


def _places(words: Sequence[int], size: int) -> list[int]:
    quarter = size // 4
    spread = [j * quarter + (word * quarter >> 32) for j, word in enumerate(words[:4])]
    return spread + [word * size >> 32 for word in words[4:]]


def stream(seed: int, length: int, domain: int) -> list[int]:
    """Do as :func:`services.kernels.correlation.stream`, for one seed."""
    entered = [seed ^ (i | domain << 64) for i in range(length)]
    return [a ^ b for a, b in zip(entered, encrypt(STREAM_KEY, entered), strict=True)]


def tweaked_hash(blocks: Sequence[int], first: int) -> list[int]:
    """Do as :func:`services.kernels.correlation.tweaked_hash`."""
    once = encrypt(HASH_KEY, blocks)
    twice = encrypt(HASH_KEY, [block ^ (first + i) for i, block in enumerate(once)])
    return [a ^ b for a, b in zip(once, twice, strict=True)]
