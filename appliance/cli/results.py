"""Copies result files out of a node's state folder."""

import os
import shutil
import tempfile
from enum import Enum
from pathlib import Path
from typing import Any, Final

import typer

from appliance.api import agent_pb2 as pb
from appliance.api.ways import Refused

# Nothing may be fetched; what reads Parquet is built in.
NO_EXTENSIONS: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


class Format(Enum):
    """How copies of results are written."""

    PARQUET = "parquet"
    CSV = "csv"


_SUFFIXES: Final = {f".{form.value}": form for form in Format}


def format_of(target: Path, asked: Format | None) -> Format:
    """Return how a copy at ``target`` is written: as asked, else by its suffix, else as Parquet.

    Raises: typer.BadParameter if the suffix says otherwise than what is asked.
    """
    said = None if target.is_dir() else _SUFFIXES.get(target.suffix.casefold())
    if asked and said and asked is not said:
        raise typer.BadParameter(
            f"--copy-to {target} and --format {asked.value} contradict each other"
        )
    return asked or said or Format.PARQUET


def copy_results(
    found: pb.JobResult, target: Path, *, replace: bool, form: Format = Format.PARQUET
) -> pb.JobResult:
    """Copy every result file to ``target``: a folder, or a file if there is one output."""
    files = {name: Path(path) for name, path in found.files.items()}
    if not files:
        return found
    into_folder = target.is_dir() or len(files) > 1
    copied = pb.JobResult(row_counts=dict(found.row_counts))
    for name, path in files.items():
        name_there = f"{path.stem}.{form.value}"
        goal = (target / name_there if into_folder else target).absolute()
        if goal.exists() and not replace:
            raise Refused(f"{goal} exists", remedy="choose another place, or give --force")
        goal.parent.mkdir(parents=True, exist_ok=True)
        if form is Format.CSV:
            _write_csv(path, goal)
        else:
            _copy(path, goal)
        copied.files[name] = str(goal)
    return copied


def _write_csv(source: Path, goal: Path) -> None:
    """Write a Parquet file as CSV: nulls as nothing, empty texts in quotes."""
    with tempfile.TemporaryDirectory(dir=goal.parent, prefix=f".{goal.name}.") as folder:
        made = Path(folder) / goal.name
        import duckdb  # loads much, and few commands write rows

        with duckdb.connect(config=NO_EXTENSIONS) as database:
            database.read_parquet(str(source)).write_csv(str(made))
        made.chmod(0o600)
        with made.open("rb") as written:
            os.fsync(written.fileno())
        made.replace(goal)


def _copy(source: Path, goal: Path) -> None:
    with (
        source.open("rb") as reader,
        tempfile.NamedTemporaryFile(
            dir=goal.parent, prefix=f".{goal.name}.", delete=False
        ) as writer,
    ):
        made = Path(writer.name)
        try:
            shutil.copyfileobj(reader, writer)
            writer.flush()
            os.fsync(writer.fileno())
            made.replace(goal)
        finally:
            made.unlink(missing_ok=True)
