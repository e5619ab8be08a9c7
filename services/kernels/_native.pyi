import numpy as np
from numpy.typing import NDArray

def levels() -> list[str]: ...
def use_level(name: str) -> None: ...
def curve25519_hash(
    out: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    rows: NDArray[np.int64],
    dst: NDArray[np.uint8],
    threads: int,
) -> None: ...
def curve25519_multiply(
    out: NDArray[np.uint8],
    elements: NDArray[np.uint8],
    scalar: NDArray[np.uint8],
    checked: bool,
    threads: int,
) -> int: ...
def hash_to_group(
    out: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    rows: NDArray[np.int64],
    dst: NDArray[np.uint8],
    threads: int,
) -> None: ...
def scalar_multiply(
    out: NDArray[np.uint8], elements: NDArray[np.uint8], scalar: NDArray[np.uint8], threads: int
) -> int: ...
def add_elements(
    out: NDArray[np.uint8], left: NDArray[np.uint8], right: NDArray[np.uint8]
) -> int: ...
def subtract_elements(
    out: NDArray[np.uint8], left: NDArray[np.uint8], right: NDArray[np.uint8]
) -> int: ...
def multiply_each(
    out: NDArray[np.uint8], elements: NDArray[np.uint8], scalars: NDArray[np.uint8]
) -> int: ...
def multiply_base(out: NDArray[np.uint8], scalars: NDArray[np.uint8]) -> None: ...
def reduce_scalar(out: NDArray[np.uint8], wide: NDArray[np.uint8]) -> None: ...
def sort_rows(order: NDArray[np.int64], rows: NDArray[np.uint8]) -> None: ...
def has_repeat(rows: NDArray[np.uint8], order: NDArray[np.int64]) -> bool: ...
def match_rows(
    found: NDArray[np.int64],
    left: NDArray[np.uint8],
    left_order: NDArray[np.int64],
    right: NDArray[np.uint8],
    right_order: NDArray[np.int64],
) -> None: ...
def hash_keys(
    out: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    rows: NDArray[np.int64],
    salt: NDArray[np.uint8],
    threads: int,
) -> None: ...
def field_accumulate(
    out: NDArray[np.uint64], a: NDArray[np.uint64], b: NDArray[np.uint64]
) -> None: ...
def field_inner_product(
    out: NDArray[np.uint64], a: NDArray[np.uint64], b: NDArray[np.uint64]
) -> None: ...
def okvs_encode(
    table: NDArray[np.uint64],
    seed: NDArray[np.uint8],
    hashes: NDArray[np.uint64],
    values: NDArray[np.uint64],
    fill: NDArray[np.uint8],
    bins: int,
    sparse: int,
    dense: int,
    threads: int,
) -> bool: ...
def okvs_decode(
    out: NDArray[np.uint64],
    seed: NDArray[np.uint8],
    hashes: NDArray[np.uint64],
    table: NDArray[np.uint64],
    bins: int,
    sparse: int,
    dense: int,
    threads: int,
) -> None: ...
def compress(vector: NDArray[np.uint64], threads: int) -> None: ...
def compress_two(
    vector: NDArray[np.uint64],
    scratch: NDArray[np.uint64],
    points: NDArray[np.int64],
    values: NDArray[np.uint64],
    threads: int,
) -> None: ...
def ggm_expand(
    leaves: NDArray[np.uint64],
    sums: NDArray[np.uint64],
    totals: NDArray[np.uint64],
    roots: NDArray[np.uint64],
    threads: int,
) -> None: ...
def ggm_evaluate(
    leaves: NDArray[np.uint64],
    points: NDArray[np.int64],
    siblings: NDArray[np.uint64],
    rests: NDArray[np.uint64],
    threads: int,
) -> None: ...
def turn(leaves: NDArray[np.uint64], points: NDArray[np.uint8]) -> None: ...
def stream(out: NDArray[np.uint64], seeds: NDArray[np.uint64], domain: int) -> None: ...
def fold(
    totals: NDArray[np.uint64], rows: NDArray[np.uint64], leaves: NDArray[np.uint64], threads: int
) -> None: ...
def transpose(out: NDArray[np.uint64], rows: NDArray[np.uint64]) -> None: ...
def combine(out: NDArray[np.uint64], rows: NDArray[np.uint64]) -> None: ...
def tweaked_hash(out: NDArray[np.uint64], blocks: NDArray[np.uint64], first: int) -> None: ...
def hash_rows(
    out: NDArray[np.uint64], rows: NDArray[np.uint64], point: NDArray[np.uint64], threads: int
) -> None: ...
def first_of_each(
    found: NDArray[np.int64], slots: NDArray[np.uint64], hashes: NDArray[np.uint64]
) -> None: ...
def hash_pairs(
    out: NDArray[np.uint8],
    left: NDArray[np.uint64],
    right: NDArray[np.uint64],
    salt: NDArray[np.uint8],
    threads: int,
) -> None: ...
def shuffle(order: NDArray[np.int64], key: NDArray[np.uint8]) -> None: ...
def take(out: NDArray[np.uint64], rows: NDArray[np.uint64], order: NDArray[np.int64]) -> None: ...
def match_images(
    found: NDArray[np.int64],
    scratch_left: NDArray[np.uint64],
    scratch_right: NDArray[np.uint64],
    left: NDArray[np.uint8],
    right: NDArray[np.uint8],
    threads: int,
) -> None: ...
