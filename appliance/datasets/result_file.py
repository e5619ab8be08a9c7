"""Result files: Parquet, there whole and on disk or not at all."""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from appliance.datasets.errors import DiskFull

GROUP_ROWS: Final = 131072
GROUP_BYTES: Final = 64 << 20


@contextmanager
def whole(target: Path) -> Iterator[BinaryIO]:
    """Give a file that gets its name once it is whole and on disk; else nothing is left of it.

    Raises: DiskFull.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(target.parent) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_table(
    file: BinaryIO, schema: pa.Schema, names: Sequence[str], batches: Iterable[pa.RecordBatch]
) -> int:
    """Write batches of one schema under these names, and return how many rows there were."""
    named = pa.schema([f.with_name(name) for f, name in zip(schema, names, strict=True)])
    count = 0
    # A dictionary of values of which most are unlike costs more than all else.
    with pq.ParquetWriter(
        file, named, compression="zstd", compression_level=1, use_dictionary=False
    ) as writer:
        for group in _groups(batches):
            writer.write_table(group.rename_columns(list(names)))
            count += len(group)
    return count


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Gather batches into tables of about GROUP_ROWS rows, or fewer of long ones."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + len(batch), size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
