"""Tables on disk for tests of datasets."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from appliance.datasets.inspect import inspect
from appliance.datasets.source import Inspected, Kind, Wanted
from appliance.datasets.table import Reading


def csv_file(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def parquet_file(folder: Path, columns: dict[str, object]) -> Path:
    path = folder / "table.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def wanted(path: Path, *key: str, normal_form: tuple[str, ...] = ()) -> Wanted:
    kind = Kind.PARQUET if path.suffix == ".parquet" else Kind.CSV
    return Wanted(
        kind=kind,
        location=str(path),
        files=(str(path),),
        key=key or ("id",),
        normal_form=normal_form,
    )


def wanted_query(query: str, *files: Path) -> Wanted:
    return Wanted(
        kind=Kind.QUERY,
        location=query,
        files=tuple(map(str, files)),
        key=("id",),
        normal_form=(),
    )


def inspected(path: Path, *key: str, normal_form: tuple[str, ...] = ()) -> Inspected:
    return inspect(wanted(path, *key, normal_form=normal_form), Reading(scratch=path.parent))
