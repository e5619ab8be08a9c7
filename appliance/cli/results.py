"""Copies result files out of a node's state folder."""

import os
import shutil
import tempfile
from pathlib import Path

from appliance.api import agent_pb2 as pb
from appliance.api.client import Refused


def copy_results(found: pb.JobResult, target: Path, *, replace: bool) -> pb.JobResult:
    """Copy every result file to ``target``: a folder, or a file if there is one output."""
    files = {name: Path(path) for name, path in found.files.items()}
    if not files:
        return found
    into_folder = target.is_dir() or len(files) > 1
    copied = pb.JobResult(row_counts=dict(found.row_counts))
    for name, path in files.items():
        goal = (target / path.name if into_folder else target).absolute()
        if goal.exists() and not replace:
            raise Refused(f"{goal} exists", remedy="choose another place, or give --force")
        goal.parent.mkdir(parents=True, exist_ok=True)
        _copy(path, goal)
        copied.files[name] = str(goal)
    return copied


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
