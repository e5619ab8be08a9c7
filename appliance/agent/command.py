"""What the agent's program does: reads its options and settings, and runs it."""

import argparse
import asyncio
import faulthandler
import logging
import sys
from pathlib import Path

from appliance.agent.config import ApplianceConfig, read_config
from appliance.agent.daemon import run
from appliance.agent.journal import set_up_logging
from services.errors import ServiceError

log = logging.getLogger("coffer")


def main() -> int:
    """Parse the options, run until told to stop, and return the exit code."""
    set_up_logging()
    faulthandler.enable()  # a crash in native code leaves its places in the log
    try:
        asyncio.run(run(_configured()))
    except ServiceError as error:
        print(f"error: {error.what}", file=sys.stderr)
        if error.remedy:
            print(f"hint: {error.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _configured() -> ApplianceConfig:
    parser = argparse.ArgumentParser(prog="coffer up", description="Run a node's agent.")
    parser.add_argument("--state", type=Path, required=True, help="the node's state folder")
    parser.add_argument("--name", help="what peers call this node")
    parser.add_argument("--listen", help="HOST:PORT of the peer port")
    parser.add_argument("--advertise", help="HOST:PORT at which peers reach the peer port")
    parser.add_argument("--pairing-port", type=int, help="open only while an invitation lives")
    parser.add_argument("--worker-socket", type=Path, help="where systemd starts workers for us")
    parser.add_argument("--operators-listen", help="HOST:PORT of the port for operators")
    parser.add_argument("--enrolment-port", type=int, help="open only while a set-up code lives")
    parser.add_argument("--console-user", help="whose program draws the machine's own screen")
    options = vars(parser.parse_args())
    return read_config(options.pop("state"), options)
