"""On systemd, a worker as a transient unit of its own: what the kernel's own means leave open.

Written after systemd.exec(5); no machine with a running systemd was at hand to try it on. So it is
used only where systemd started the agent itself, as root, and a worker that does not get ready so
is started as a plain subprocess, which is said in the log.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_BOOTED: Final = Path("/run/systemd/system")
_PROGRAM: Final = "/usr/bin/systemd-run"

PROPERTIES: Final = (
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=CAP_DAC_READ_SEARCH",
    "PrivateNetwork=yes",
    "PrivateIPC=yes",
    "PrivateDevices=yes",
    "PrivateTmp=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "ProtectProc=invisible",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "RestrictNamespaces=net ipc",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "UMask=0077",
    "KillMode=control-group",
    "MemorySwapMax=0",
)


def offered(environment: Mapping[str, str]) -> bool:
    """Tell whether systemd runs here, started this very process, and will take units from it."""
    is_service = environment.get("SYSTEMD_EXEC_PID") == str(os.getpid())
    return is_service and os.geteuid() == 0 and _BOOTED.is_dir() and Path(_PROGRAM).exists()


def wrapped(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    state: Path,
    memory_bytes: int,
    threads: int,
    agent_unit: str,
) -> tuple[str, ...]:
    """Return the command that runs ``command`` in a unit, on our descriptors 0, 1 and 2.

    state:      the node's state folder, of which the worker sees the jobs alone.
    agent_unit: the agent's own unit, with which the worker ends; empty if it is not known.
    """
    properties = [
        *PROPERTIES,
        f"MemoryMax={memory_bytes + memory_bytes // 4}",
        f"CPUQuota={100 * threads}%",
        f"ReadWritePaths={state / 'jobs'} {state / 'scratch'}",
        f"InaccessiblePaths={state / 'identity'} -{state / 'coffer.db'} -{state / 'run'}",
    ]
    if agent_unit:
        properties.append(f"BindsTo={agent_unit}")
    return (
        _PROGRAM,
        "--quiet",
        "--pipe",
        "--wait",
        "--collect",
        "--service-type=exec",
        f"--unit=coffer-worker-{secrets.token_hex(8)}",
        *(f"--property={each}" for each in properties),
        *(f"--setenv={name}={value}" for name, value in environment.items()),
        "--",
        *command,
    )


def own_unit(cgroup: str) -> str:
    """Return the unit that a process is in, from its /proc/PID/cgroup; empty if in no service."""
    for line in cgroup.splitlines():
        last = line.rpartition("/")[2]
        if line.startswith("0::") and last.endswith(".service"):
            return last
    return ""
