"""Tables of numbered keys as Parquet files, of any size in little memory."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.psi_party import KEY_BYTES, numbered_keys

GROUP_ROWS: Final = 1 << 20


def write_table(path: Path, start: int, items: int) -> Path:
    """Write the keys numbered from ``start`` on, 16 digits each, and a number beside each."""
    schema = pa.table({"id": pa.array([], pa.string()), "value": pa.array([], pa.int64())}).schema
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(start, start + items, GROUP_ROWS):
            count = min(GROUP_ROWS, start + items - first)
            keys = numbered_keys(first, count)
            offsets = np.arange(0, KEY_BYTES * (count + 1), KEY_BYTES, dtype=np.int32)
            buffers = [None, pa.py_buffer(offsets.data), pa.py_buffer(keys.data.data)]
            ids = pa.Array.from_buffers(pa.string(), count, buffers)
            values = pa.array(np.arange(first, first + count))
            writer.write_table(pa.table([ids, values], schema=schema))
    return path
