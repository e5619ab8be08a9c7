"""A worker: ``python -m appliance.agent.worker``, which talks to its agent on fd 0.

The agent starts it, or systemd does for the agent (``--unit``); then where to print comes on fd 0.

It confines itself before anything else, loads what services need, says that it is ready, and waits.
One assignment comes; its channels come with it as descriptors. Then it ends.
"""

import faulthandler
import importlib
import logging
import os
import socket
import sys
import threading
from types import TracebackType

from appliance.agent import sandbox


def main() -> int:
    """Confine, load, wait for the assignment, carry it out, and return the exit code."""
    _say_nothing_of_data()
    control = socket.socket(fileno=os.dup(0))
    control.setblocking(True)
    if "--unit" in sys.argv:
        _print_to_the_agent(control)
    applied = sandbox.confine_process()
    # Only now: what is loaded is confined too. It takes most of a worker's start.
    assignment = importlib.import_module("appliance.agent.assignment")
    return int(assignment.serve(control, applied))


def _print_to_the_agent(control: socket.socket) -> None:
    _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    if not descriptors:
        sys.exit("the agent hung up before it had said where to print")
    os.dup2(descriptors[0], 2)
    os.close(descriptors[0])


def _say_nothing_of_data() -> None:
    """Let stderr, which becomes the job's log, tell where an error was but never its text."""
    faulthandler.enable()
    logging.disable()
    sys.excepthook = _where
    sys.unraisablehook = lambda it: _where(it.exc_type, it.exc_value, it.exc_traceback)
    threading.excepthook = lambda it: _where(it.exc_type, it.exc_value, it.exc_traceback)


def _where(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    while trace is not None:
        code = trace.tb_frame.f_code
        print(f"  {code.co_filename}:{trace.tb_lineno} {code.co_name}", file=sys.stderr)
        trace = trace.tb_next
    print(kind.__name__, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
