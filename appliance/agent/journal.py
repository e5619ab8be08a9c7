"""Where the agent's log goes, and what it tells systemd: both only if there is a systemd."""

import asyncio
import logging
import os
import sys
from typing import Final

from systemd import daemon
from systemd.journal import JournalHandler

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up_logging() -> None:
    """Log to the journal with its own fields where systemd started us, else to stderr."""
    if "JOURNAL_STREAM" in os.environ:
        handler: logging.Handler = JournalHandler(SYSLOG_IDENTIFIER="coffer")
        handler.setFormatter(logging.Formatter("%(message)s"))  # the rest is in fields
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for talkative in ("alembic", "grpc", "asyncio", "sqlalchemy"):
        logging.getLogger(talkative).setLevel(logging.WARNING)


def tell_ready(status: str) -> None:
    """Tell systemd that the agent serves."""
    daemon.notify(f"READY=1\nSTATUS={status}")


def tell_stopping() -> None:
    """Tell systemd that the agent is on its way down."""
    daemon.notify("STOPPING=1")


async def keep_watchdog_calm() -> None:
    """Ping systemd's watchdog at half its period, from the loop that does the work."""
    period_microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
    while period_microseconds:
        daemon.notify("WATCHDOG=1")
        await asyncio.sleep(period_microseconds / 2e6)
