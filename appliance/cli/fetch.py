"""Brings result files of a node from afar to this machine."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client
from appliance.api.ways import Refused
from appliance.cli.terminal import Terminal


@contextmanager
def fetched(
    terminal: Terminal,
    client: Client,
    job_id: str,
    found: pb.JobResult,
    *,
    near: Path | None = None,
    most_rows: int | None = None,
) -> Iterator[pb.JobResult]:
    """Give a job's result files as files of this machine, which go again at the end.

    Those of an agent on this machine are given as they are.
    near: where there is room for them. most_rows: leaves larger outputs at the node.
    """
    if not terminal.at:
        yield found
        return
    if near is not None:
        near.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=near, prefix=".coffer-") as folder:
        here = pb.JobResult(row_counts=dict(found.row_counts))
        for output, path in found.files.items():
            if most_rows is None or found.row_counts[output] <= most_rows:
                goal = Path(folder) / _name_of(path)
                with terminal.patience("fetching the result"), goal.open("xb") as file:
                    file.writelines(client.read_result(job_id, output))
                here.files[output] = str(goal)
        yield here


def _name_of(path: str) -> str:
    """Return the last part of a path that a node tells, if a file may be called so."""
    name = PurePosixPath(path).name
    if name in ("", ".."):
        raise Refused(f"the node tells of a result file {path[:64]!r}, which cannot be one")
    return name
