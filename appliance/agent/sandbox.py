"""What a worker gives up, for good, before it looks at data: sockets, programs, other files.

Two steps. ``confine_process`` comes first of all, when it is not known yet what the worker will
do; ``confine_files`` once it is. What the kernel of this machine does not offer is left out, and
what was applied is returned, for people to see.
"""

import contextlib
import ctypes
import errno
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyseccomp

from appliance.agent import landlock
from services.errors import ServiceError

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CLONE_NEWIPC: Final = 0x08000000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_CLONE_THREAD: Final = 0x00010000
_CAPABILITY_VERSION_3: Final = 0x20080522
_CAP_DAC_READ_SEARCH: Final = 2
_MAX_CAPABILITY: Final = 63
_MAX_DESCRIPTORS: Final = 1024
_NICENESS: Final = 5

# Refused in every form. The worker has its descriptors already.
_NETWORK: Final = (
    "socket connect bind listen accept accept4 io_uring_setup io_uring_enter io_uring_register"
)
_PROCESSES: Final = (
    "execve execveat fork vfork ptrace process_vm_readv process_vm_writev process_madvise kcmp "
    "pidfd_open pidfd_getfd pidfd_send_signal tkill rt_sigqueueinfo rt_tgsigqueueinfo "
    "setpriority ioprio_set sched_setscheduler sched_setparam sched_setattr migrate_pages "
    "move_pages shmget shmat shmctl semget semop msgget msgsnd mq_open"
)
# Whose files are, and who may use them: Landlock leaves that alone.
_FILES: Final = (
    "chmod fchmod fchmodat fchmodat2 chown fchown fchownat lchown setxattr lsetxattr fsetxattr "
    "setxattrat removexattr lremovexattr fremovexattr removexattrat mknod mknodat utime utimes "
    "utimensat futimesat open_by_handle_at name_to_handle_at"
)
_MACHINE: Final = (
    "mount umount2 mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick pivot_root "
    "chroot unshare setns bpf perf_event_open userfaultfd keyctl add_key request_key kexec_load "
    "kexec_file_load init_module finit_module delete_module reboot swapon swapoff acct syslog "
    "quotactl quotactl_fd settimeofday clock_settime adjtimex clock_adjtime sethostname "
    "setdomainname iopl ioperm modify_ldt personality fanotify_init lookup_dcookie vhangup "
    "setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups"
)
REFUSED: Final = f"{_NETWORK} {_PROCESSES} {_FILES} {_MACHINE}"


class SandboxFailed(ServiceError):
    """The worker could not be confined as it must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a worker keeps. ``cpus`` bounds the cores, ``seconds`` the run; each in clock time."""

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    memory_bytes: int
    file_bytes: int
    seconds: int
    cpus: int


def confine_process() -> tuple[str, ...]:
    """Give up all that no worker ever needs; return the names of what was applied."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_DESCRIPTORS, _MAX_DESCRIPTORS))
    os.nice(_NICENESS)
    # If memory runs out, the kernel is to take the worker and not its agent.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    measures: tuple[tuple[str, Callable[[], None]], ...] = (
        ("no network (namespace)", _leave_network),
        ("no privileges (capabilities)", _drop_capabilities),
        ("no new privileges", _refuse_new_privileges),
        ("no dangerous system calls (seccomp)", _filter_system_calls),
    )
    applied = tuple(name for name, apply in measures if _applied(apply))
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of credentials forgets it
    return applied


def confine_files(grant: Grant) -> tuple[str, ...]:
    """Keep only the files and the amounts granted; return the names of what was applied.

    Raises: SandboxFailed if threads run already, which what follows would not bind; or if the
        kernel offers Landlock and then refuses it.
    """
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise SandboxFailed(f"the worker had {threads} threads before it was confined")
    cpus = sorted(os.sched_getaffinity(0))
    first = os.getpid() % len(cpus)  # workers spread over the cores
    os.sched_setaffinity(0, (cpus + cpus)[first : first + min(grant.cpus, len(cpus))])
    _limit(resource.RLIMIT_CPU, grant.seconds * max(1, min(grant.cpus, len(cpus))))
    _limit(resource.RLIMIT_FSIZE, grant.file_bytes)
    # The agent watches what is really used and says so; this only bounds what slips by.
    _limit(resource.RLIMIT_DATA, 2 * grant.memory_bytes + (1 << 30))
    applied = ["limits of memory, processors, time and file size"]
    readable = (*code_paths(), *grant.readable)
    version = landlock.version()
    if version == 0:
        _set_capabilities(0)
        return tuple(applied)
    try:
        landlock.restrict(readable=readable, writable=grant.writable)
    except OSError as error:
        raise SandboxFailed(f"the worker could not give up other files: {error}") from None
    return (*applied, f"no other files (Landlock {version})")


def code_paths() -> tuple[Path, ...]:
    """Return what the interpreter may still have to read: programs and libraries, no data."""
    packages = {
        Path(sys.modules[name].__file__ or "/dev/null").parent
        for name in ("appliance", "services", "services.kernels._native")
        if name in sys.modules
    }
    system = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/usr/local/lib")
    single = ("/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/urandom", "/proc/meminfo")
    # DuckDB looks up its own limits; where it may not, it aborts.
    limits = ("/proc/self/cgroup", "/sys/fs/cgroup", "/sys/devices/system/cpu")
    prefixes = {Path(prefix) / "lib" for prefix in (sys.prefix, sys.base_prefix)}
    return (*sorted(packages | prefixes), *map(Path, (*system, *single, *limits)))


def _applied(measure: Callable[[], None]) -> bool:
    try:
        measure()
    except OSError:
        return False
    return True


def _leave_network() -> None:
    if os.geteuid() == 0:
        _unshare(_CLONE_NEWNET | _CLONE_NEWIPC)
    else:
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC)


def _drop_capabilities() -> None:
    for capability in range(_MAX_CAPABILITY + 1):
        if _libc().prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # not root, or past the last that this kernel knows
    with contextlib.suppress(OSError):
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    # A dataset may belong to another user. Landlock says which files this is good for.
    keeps = os.geteuid() == 0 and landlock.version() > 0
    _set_capabilities(1 << _CAP_DAC_READ_SEARCH if keeps else 0)


def _set_capabilities(mask: int) -> None:
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    data = struct.pack("=6I", mask, mask, 0, 0, 0, 0)
    _check(_libc().capset(header, data))


def _refuse_new_privileges() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)  # no other process may look into this one


def _filter_system_calls() -> None:
    rules = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
    refuse = pyseccomp.ERRNO(errno.EPERM)
    for name in REFUSED.split():
        _refuse(rules, refuse, name)
    own = os.getpid()
    _refuse(rules, refuse, "socketpair", pyseccomp.Arg(0, pyseccomp.NE, socket.AF_UNIX))
    _refuse(rules, refuse, "kill", pyseccomp.Arg(0, pyseccomp.NE, own))
    _refuse(rules, refuse, "tgkill", pyseccomp.Arg(0, pyseccomp.NE, own))
    _refuse(rules, refuse, "prlimit64", pyseccomp.Arg(0, pyseccomp.NE, 0))
    _refuse(rules, refuse, "sched_setaffinity", pyseccomp.Arg(0, pyseccomp.NE, 0))
    # Threads, but no processes. The flags of clone3 lie in memory, where a filter cannot look; told
    # that there is no clone3, the C library takes clone.
    thread = pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, 0)
    _refuse(rules, refuse, "clone", thread)
    _refuse(rules, pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    rules.load()


def _refuse(rules: pyseccomp.SyscallFilter, action: int, name: str, *when: pyseccomp.Arg) -> None:
    # An older libseccomp, or another architecture, does not know them all.
    with contextlib.suppress(OSError, ValueError):
        rules.add_rule(action, name, *when)


def _limit(which: int, amount: int) -> None:
    _, hard = resource.getrlimit(which)
    amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.setrlimit(which, (amount, amount))


def _unshare(flags: int) -> None:
    _check(_libc().unshare(flags))


def _prctl(option: int, argument: int) -> None:
    _check(_libc().prctl(option, ctypes.c_ulong(argument), 0, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def shown(applied: Iterable[str]) -> str:
    """Return the measures as a line for the log."""
    return ", ".join(applied) or "nothing"
