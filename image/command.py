"""Call another program; a failure tells its cause and a remedy."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from image.errors import CommandFailed

MOST_LINES_SHOWN: Final = 12


def run(
    command: Sequence[str], *, remedy: str, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program, with nothing on its standard input, and return what it prints.

    Raises: CommandFailed, with the program's last lines as the cause.
    """
    ran = subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=None if environment is None else dict(environment),
        check=False,
    )
    if ran.returncode != 0:
        raise CommandFailed(cause(command, ran.returncode, ran.stdout + ran.stderr), remedy)
    return ran.stdout


def run_logged(command: Sequence[str], *, remedy: str, log: Path) -> None:
    """Run a program that takes long; all that it says is appended to a log as it says it.

    Raises: CommandFailed, with the program's last lines as the cause.
    """
    with log.open("a+", encoding="utf-8", errors="replace") as file:
        file.write(f"$ {shlex.join(command)}\n")
        file.flush()
        start = file.tell()
        ran = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False
        )
        file.seek(start)
        said = file.read() if ran.returncode != 0 else ""
    if ran.returncode != 0:
        where = f"all of what it said is in {log}"
        raise CommandFailed(cause(command, ran.returncode, said), f"{remedy}; {where}")


def cause(command: Sequence[str], status: int, said: str) -> str:
    """Return what to tell of a program that failed: its name, its status and its last lines."""
    last = "\n  ".join(said.strip().splitlines()[-MOST_LINES_SHOWN:])
    return f"{Path(command[0]).name} ended with status {status}:\n  {last}"
