"""Runs the operating system's programs that updates need, by their words and in a bare setting."""

import subprocess
from typing import Final

from appliance.updates.errors import InstallFailed, ProgramFailed

_ENVIRONMENT: Final = {
    "PATH": "/usr/sbin:/usr/bin",
    "LANG": "C.UTF-8",
    "SYSTEMD_COLORS": "0",
    # By the newer calls AppArmor is not told what is mounted, and so lets nobody mount it.
    "LIBMOUNT_FORCE_MOUNT2": "always",
}
_MOST_SHOWN: Final = 300


def run_program(*words: str, seconds: float) -> str:
    """Run a program and return what it prints; its errors go to the log as they come.

    Raises: ProgramFailed, with the last thing that it said; InstallFailed if it did not end itself.
    """
    try:
        ran = subprocess.run(  # noqa: S603 - words are ours or checked, and no shell reads them
            words,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            timeout=seconds,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallFailed(
            f"{words[0]} could not be run to its end", remedy="is this the appliance?"
        ) from error
    if ran.returncode < 0:
        raise InstallFailed(
            f"{words[0]} was ended by signal {-ran.returncode}", remedy="install it again"
        )
    if ran.returncode != 0:
        last = (ran.stderr or ran.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise ProgramFailed(
            f"{words[0].rpartition('/')[2]} failed: {last[0][:_MOST_SHOWN]}",
            remedy="see the disk's health in the log, then install it again",
        )
    return ran.stdout
