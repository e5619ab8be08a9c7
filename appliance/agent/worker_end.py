"""Tells the agent how a worker in a unit of its own ended: the unit's ExecStopPost=.

systemd gives it the worker's socket as its input, and in the environment what only systemd knows.
It loads nothing but the standard library, as it runs once for each worker.
"""

import json
import os
import signal
import struct
import sys


def main() -> int:
    """Write one report, ``control.Stopped``, and return the exit code."""
    status = os.environ.get("EXIT_STATUS", "")
    code = int(status) if status.isdecimal() else -getattr(signal, f"SIG{status}", 0)
    by_memory = os.environ.get("SERVICE_RESULT") == "oom-kill"
    body = json.dumps({"is": "stopped", "code": code, "by_memory": by_memory}).encode()
    try:
        os.write(0, struct.pack(">I", len(body)) + body)
    except BrokenPipeError:
        return 0  # the agent has gone, or wants to hear no more
    return 0


if __name__ == "__main__":
    sys.exit(main())
