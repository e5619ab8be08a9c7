"""What an order is done with: the machine's files, its programs, and who is told of progress."""

import errno
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from appliance.machine.errors import OrderRefused, ProgramFailed

PROGRAM_SECONDS: Final = 60.0
ALONE_SECONDS: Final = 15.0  # more than an order waits for what has just been done to end
LOCKS: Final = "run/coffer-machine"
MOST_OUTPUT_BYTES: Final = 16 << 20
_ENVIRONMENT: Final = {
    "PATH": "/usr/sbin:/usr/bin",
    "LANG": "C.UTF-8",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_LOG_TARGET": "console",
}


class Run(Protocol):
    """Runs a program by its words, never by a shell."""

    def __call__(self, *words: str, seconds: float = PROGRAM_SECONDS) -> str:
        """Return what the program prints. Raises: ProgramFailed, with the last thing it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """root: where the machine's files begin, elsewhere only in tests."""

    run: Run
    tell: Callable[[Mapping[str, Any]], None]
    root: Path = Path("/")

    def write(self, place: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file whole or not at all, durably; its folder is there."""
        path = self.root / place
        beside = path.with_name(f".{path.name}.new")
        beside.unlink(missing_ok=True)
        with beside.open("x", encoding="utf-8") as file:
            beside.chmod(mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, place: str) -> str | None:
        """Return a file's text, None if there is none."""
        try:
            return (self.root / place).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    @contextmanager
    def lent(self, place: str, secret: str) -> Iterator[str]:
        """Have a file with a secret, for a program to read, while the context lasts."""
        path = self.root / place
        try:
            self.write(place, secret, mode=0o600)
            yield str(path)
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Let nobody else do what goes by the same name meanwhile. Raises: OrderRefused."""
        with (self.root / LOCKS / f"{name}.lock").open("w") as lock:
            deadline = time.monotonic() + ALONE_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise OrderRefused(
                            f"another order is at the {name}", remedy="ask again when it has ended"
                        ) from None
                    time.sleep(0.1)
            yield


_DAMAGED: Final = "see whether /usr is damaged: coffer machine show"


def run_program(*words: str, seconds: float = PROGRAM_SECONDS) -> str:
    """Run one of the operating system's programs in a bare environment; see :class:`Run`."""
    try:
        ran = subprocess.run(  # noqa: S603 - words are ours or checked, and no shell reads them
            words, capture_output=True, timeout=seconds, env=_ENVIRONMENT, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise ProgramFailed(f"{words[0]} is not there", remedy="is this the appliance?") from None
    except OSError as error:
        remedy = _DAMAGED if error.errno in (errno.EIO, errno.ENOEXEC) else "try again"
        why = f"{words[0]} cannot be run: {error.strerror}"
        raise ProgramFailed(why, remedy=remedy) from error
    except subprocess.TimeoutExpired:
        raise ProgramFailed(f"{words[0]} took over {seconds:.0f} s", remedy="try again") from None
    if ran.returncode == -signal.SIGBUS:
        raise ProgramFailed(f"{words[0]} could not be read to its end", remedy=_DAMAGED)
    if ran.returncode != 0:
        said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ProgramFailed(
            f"{words[0]} failed: {said[-1][:300] if said else f'exit code {ran.returncode}'}",
            remedy="the journal of coffer-machine says more",
        )
    if len(ran.stdout) > MOST_OUTPUT_BYTES:
        raise ProgramFailed(f"{words[0]} said too much", remedy="ask for less")
    return ran.stdout.decode("utf-8", "replace")
