"""What a unit has done unasked, as an order would be but for a connection to answer on."""

import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from appliance.machine.tools import Run, Tools, run_program
from services.errors import ServiceError


def do_task(
    do: Callable[[Tools], None], *, alone: str, root: Path = Path("/"), run: Run = run_program
) -> int:
    """Do it, ``alone`` as of an order's way, and say what went wrong; return the exit code."""
    heed_no_stop()
    tools = Tools(run=run, tell=_untold, root=root)
    try:
        with tools.alone(alone):
            do(tools)
    except ServiceError as error:
        log(f"error: {error.what}\nhint: {error.remedy}")
        return 1
    return 0


def heed_no_stop() -> None:
    """Have a machine that stops wait for what was begun, up to the unit's own limit."""
    signal.signal(signal.SIGTERM, lambda *_: None)


def log(text: str) -> None:
    """Write to the journal, where standard error goes."""
    print(text, file=sys.stderr, flush=True)


def _untold(facts: Mapping[str, Any]) -> None:
    """Tell nobody: a task has no connection."""
