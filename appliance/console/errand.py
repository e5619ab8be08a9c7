"""Sends a question to the process that asks others (``asking.py``), and tells what comes back."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final

from appliance.console.forms import Ask

ERRAND_SECONDS: Final = 900.0
_MOST_LINE_BYTES: Final = 1 << 20
_REMEDY: Final = "try again, or restart the machine"
_PROGRAM: Final = ("-sPB", "-m", "appliance.console.asking")

Facts = Mapping[str, Any]
Tell = Callable[[str, Facts], None]


def send(ask: Ask, tell: Tell, *, program: tuple[str, ...] = _PROGRAM) -> None:
    """Ask, and call ``tell`` with each "progress" and at last with one "done" or "error"."""
    try:
        child = subprocess.Popen(  # noqa: S603 - our own program
            (sys.executable, *program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        tell("error", {"what": f"nobody can be asked: {error.strerror}", "remedy": _REMEDY})
        return
    end = threading.Timer(ERRAND_SECONDS, child.kill)
    end.daemon = True
    end.start()
    try:
        _carry(child.stdin, ask)
        for kind, facts in _answers(child.stdout):
            tell(kind, facts)
            if kind != "progress":
                return
    finally:
        end.cancel()
        child.kill()
        child.wait()
    tell("error", {"what": "no answer came", "remedy": _REMEDY})


def _carry(stream: IO[bytes] | None, ask: Ask) -> None:
    """Write the question; it is never in the words of a command, which others may read."""
    if stream is None:
        return
    try:
        with stream:
            stream.write(json.dumps({"kind": ask.kind, "body": dict(ask.body)}).encode() + b"\n")
    except BrokenPipeError:
        return  # that the process ended is told when its answer is missed


def _answers(stream: IO[bytes] | None) -> Iterator[tuple[str, Facts]]:
    """Yield each line's one word and what it carries, up to the first that is not understood."""
    while stream is not None and (line := stream.readline(_MOST_LINE_BYTES)):
        try:
            read = json.loads(line)
        except ValueError:
            return
        if not isinstance(read, dict) or len(read) != 1:
            return
        kind, facts = next(iter(read.items()))
        if kind not in ("progress", "done", "error") or not isinstance(facts, dict):
            return
        yield kind, facts
