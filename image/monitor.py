"""Orders to a running QEMU in its JSON protocol (QMP), over a socket in the machine's folder.

One connection an order: QEMU's events, which nobody here waits for, end with it.
"""

import json
import os
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from image.errors import MachineError

_ANSWER_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.1


class Monitor:
    """The monitor behind a socket. Every method raises MachineError if QEMU refuses or is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, order: str, arguments: Mapping[str, object] | None = None) -> object:
        """Give an order and return what QEMU answers."""
        try:
            with (
                closing(connect(self._path)) as wire,
                wire.makefile("rw", encoding="utf-8") as file,
            ):
                wire.settimeout(_ANSWER_SECONDS)
                for one, given in (("qmp_capabilities", {}), (order, arguments or {})):
                    file.write(json.dumps({"execute": one, "arguments": given}) + "\n")
                    file.flush()
                    answer = _next_answer(file)
        except (OSError, ValueError) as error:
            raise MachineError(f"QEMU does not answer {order}: {error}", _REMEDY) from error
        return answer

    def run_job(self, order: str, arguments: Mapping[str, object], seconds: float) -> None:
        """Start a job of QEMU's and wait until it is done."""
        name = f"{order}-{time.monotonic_ns()}"
        end = time.monotonic() + seconds
        self.ask(order, {"job-id": name, **arguments})
        while (job := self._job(name))["status"] != "concluded":
            if time.monotonic() > end:
                raise MachineError(f"{order} did not end within {seconds:.0f} s", _REMEDY)
            time.sleep(_POLL_SECONDS)
        self.ask("job-dismiss", {"id": name})
        if "error" in job:
            raise MachineError(f"QEMU failed at {order}: {job['error']}", _REMEDY)

    def _job(self, name: str) -> Mapping[str, object]:
        jobs = self.ask("query-jobs")
        if isinstance(jobs, list):
            for job in jobs:
                if job["id"] == name:
                    return dict(job)
        raise MachineError(f"QEMU has no job {name}", _REMEDY)


_REMEDY: Final = "read qemu.log in the machine's folder"


def connect(path: Path) -> socket.socket:
    """Connect to a socket whose path may be longer than a socket's address (107 bytes)."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    wire = socket.socket(socket.AF_UNIX)
    try:
        wire.connect(f"/proc/self/fd/{folder}/{path.name}")
    except OSError:
        wire.close()
        raise
    finally:
        os.close(folder)
    return wire


def _next_answer(lines: Iterable[str]) -> object:
    for line in lines:
        said = json.loads(line)
        if "return" in said:
            return said["return"]
        if "error" in said:
            raise ValueError(said["error"]["desc"])
    raise ValueError("it closed the connection")
