"""Where the agent's log goes, and what it tells systemd: both only if there is a systemd."""

import asyncio
import logging
import os
import sys
import unicodedata
from typing import Any, Final

from systemd import daemon
from systemd.journal import JournalHandler

# Controls, what steers the direction of writing, separators of lines, halves of characters.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class OneLine(logging.Formatter):
    """Formats records so that nothing which a peer said can pose as another line of the log.

    Control characters are shown as escapes; the lines of a traceback are marked as such.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the first line."""
        return _visible(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return the lines of the traceback."""
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"  | {_visible(line)}" for line in lines)


def _visible(text: str) -> str:
    return "".join(
        f"\\u{{{ord(one):x}}}" if unicodedata.category(one) in _UNSEEN else one for one in text
    )


def set_up_logging() -> None:
    """Log to the journal with its own fields where systemd started us, else to stderr."""
    if "JOURNAL_STREAM" in os.environ:
        handler: logging.Handler = JournalHandler(SYSLOG_IDENTIFIER="coffer")
        handler.setFormatter(OneLine("%(message)s"))  # the rest is in fields
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(OneLine(_FORMAT))
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
