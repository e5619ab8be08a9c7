"""The machine's hardening, held to others' catalogues: what is checked, and what is waived and why.

Of each check the controls that ask for it are cited: ``SRG-OS`` of DISA's General Purpose Operating
System SRG, and ``CIS`` of the benchmark for Debian 12, version 1.1.0, as there is none for 13 yet.
Pure but for reading files below a root, which a test may choose.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from appliance.machine.posture import Posture

_MOST_BYTES: Final = 1 << 16
_SET_AT_START: Final = "usr/lib/sysctl.d/60-coffer.conf"
_CMDLINE: Final = "proc/cmdline"


class Verdict(Enum):
    """How a machine fares with a control; waived means that the reason is the answer."""

    MET = "met"
    FAILED = "failed"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report. why: of a waiver, the reason; of a failure, what was seen."""

    title: str
    cites: tuple[str, ...]
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that is so or not. seen: returns what is wrong, empty if nothing is."""

    title: str
    cites: tuple[str, ...]
    seen: Callable[[Path, Posture], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A control that the appliance does not meet in the letter, and why that is right."""

    title: str
    cites: tuple[str, ...]
    reason: str


def report(posture: Posture, root: Path = Path("/")) -> tuple[Finding, ...]:
    """Hold the machine to every control, the failures first; ``root`` is for tests."""
    found = [_held(check, check.seen(root, posture)) for check in CHECKS]
    found += [
        Finding(title=one.title, cites=one.cites, verdict=Verdict.WAIVED, why=one.reason)
        for one in WAIVERS
    ]
    order = (Verdict.FAILED, Verdict.MET, Verdict.WAIVED)
    return tuple(sorted(found, key=lambda one: order.index(one.verdict)))


def _held(check: Check, wrong: str) -> Finding:
    verdict = Verdict.FAILED if wrong else Verdict.MET
    return Finding(title=check.title, cites=check.cites, verdict=verdict, why=wrong)


def _settings(**expected: str) -> Callable[[Path, Posture], str]:
    """Check settings of the kernel, each named with two underscores for a dot."""

    def seen(root: Path, posture: Posture) -> str:
        del posture
        wrong = []
        for key, value in expected.items():
            name = key.replace("__", ".")
            found = _setting(root, name)
            if found != value:
                wrong.append(f"{name} is {found or 'not set'}, not {value}")
        return "; ".join(wrong)

    return seen


def _setting(root: Path, name: str) -> str:
    """Return a setting as the kernel says, or as it was told where only root may ask it."""
    try:
        return (root / "proc/sys" / name.replace(".", "/")).read_text(encoding="ascii").strip()
    except PermissionError:
        return _told(root).get(name, "")
    except OSError:
        return ""


def _told(root: Path) -> dict[str, str]:
    pairs = [line.partition("=") for line in _text(root, _SET_AT_START).splitlines()]
    return {name.strip().lstrip("-"): value.strip() for name, equals, value in pairs if equals}


def _text(root: Path, name: str) -> str:
    try:
        with (root / name).open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _words(*words: str) -> Callable[[Path, Posture], str]:
    """Check words of the kernel's command line."""

    def seen(root: Path, posture: Posture) -> str:
        del posture
        held = set(_text(root, _CMDLINE).split())
        return ", ".join(f"{word} is missing" for word in words if word not in held)

    return seen


def _absent(*names: str) -> Callable[[Path, Posture], str]:
    """Check that files are not there."""

    def seen(root: Path, posture: Posture) -> str:
        del posture
        return ", ".join(f"/{name} is there" for name in names if (root / name).exists())

    return seen


def _so(is_so: Callable[[Posture], bool], wrong: str) -> Callable[[Path, Posture], str]:
    def seen(root: Path, posture: Posture) -> str:
        del root
        return "" if is_so(posture) else wrong

    return seen


CHECKS: Final = (
    Check(
        title="firmware verifies what it starts",
        cites=("SRG-OS-000366-GPOS-00153",),
        seen=_so(lambda posture: posture.secure_boot is True, "Secure Boot is off"),
    ),
    Check(
        title="no unsigned code runs in the kernel",
        cites=("SRG-OS-000366-GPOS-00153",),
        seen=_so(
            lambda posture: (
                posture.requires_signed_modules
                and posture.lockdown in ("integrity", "confidentiality")
            ),
            "modules need no signature, or the kernel is not locked down",
        ),
    ),
    Check(
        title="the system's files cannot be changed, and each read of them is verified",
        cites=("SRG-OS-000445-GPOS-00199", "SRG-OS-000363-GPOS-00150"),
        seen=_so(
            lambda posture: bool(posture.usr_root_hash) and posture.usr_is_read_only,
            "/usr is not checked by verity, or can be written to",
        ),
    ),
    Check(
        title="data at rest are encrypted",
        cites=("SRG-OS-000185-GPOS-00079", "SRG-OS-000405-GPOS-00184"),
        seen=_so(lambda posture: posture.var_is_encrypted, "/var is not encrypted"),
    ),
    Check(
        title="programs run from verified files alone",
        cites=("SRG-OS-000368-GPOS-00154", "CIS 1.1.2.1.4", "CIS 1.1.2.2.4", "CIS 1.1.2.5.4"),
        seen=_so(lambda posture: not posture.runnable, "what can be written to can be run"),
    ),
    Check(
        title="services may do what their profile names, and no more",
        cites=("SRG-OS-000370-GPOS-00155", "CIS 1.3.1.1", "CIS 1.3.1.2", "CIS 1.3.1.4"),
        seen=_so(
            lambda posture: posture.confinement.endswith(" (enforce)"),
            "AppArmor does not confine the service that made this report",
        ),
    ),
    Check(
        title="there is no shell, no way to log in and no debugger of the start",
        cites=("SRG-OS-000324-GPOS-00125", "SRG-OS-000480-GPOS-00227"),
        seen=_absent(
            "usr/bin/sh",
            "usr/bin/bash",
            "usr/bin/login",
            "usr/bin/su",
            "usr/sbin/agetty",
            "usr/sbin/sulogin",
            "usr/sbin/sshd",
            "usr/lib/systemd/system/debug-shell.service",
        ),
    ),
    Check(
        title="Ctrl-Alt-Del restarts nothing",
        cites=("SRG-OS-000324-GPOS-00125", "SRG-OS-000480-GPOS-00227"),
        seen=_absent("usr/lib/systemd/system/ctrl-alt-del.target"),
    ),
    Check(
        title="address spaces are laid out at random",
        cites=("SRG-OS-000433-GPOS-00193", "CIS 1.5.1"),
        seen=_settings(kernel__randomize_va_space="2"),
    ),
    Check(
        title="no process looks into another",
        cites=("SRG-OS-000132-GPOS-00067", "CIS 1.5.2"),
        seen=_settings(kernel__yama__ptrace_scope="3"),
    ),
    Check(
        title="no memory is written to a file when a process fails",
        cites=("SRG-OS-000480-GPOS-00227", "CIS 1.5.3"),
        seen=_settings(kernel__core_pattern="|/bin/false", fs__suid_dumpable="0"),
    ),
    Check(
        title="the kernel's addresses and messages are no one's business",
        cites=("SRG-OS-000132-GPOS-00067", "SRG-OS-000138-GPOS-00069"),
        seen=_settings(
            kernel__kptr_restrict="2",
            kernel__dmesg_restrict="1",
            kernel__perf_event_paranoid="3",
        ),
    ),
    Check(
        title="no other kernel is started from this one",
        cites=("SRG-OS-000366-GPOS-00153",),
        seen=_settings(kernel__kexec_load_disabled="1"),
    ),
    Check(
        title="programs without privileges cannot load code into the kernel",
        cites=("SRG-OS-000132-GPOS-00067",),
        seen=_settings(kernel__unprivileged_bpf_disabled="1", net__core__bpf_jit_harden="2"),
    ),
    Check(
        title="links in shared folders lead nobody astray",
        cites=("SRG-OS-000312-GPOS-00122", "SRG-OS-000324-GPOS-00125"),
        seen=_settings(fs__protected_symlinks="1", fs__protected_hardlinks="1"),
    ),
    Check(
        title="memory that was given back holds nothing any more",
        cites=("SRG-OS-000134-GPOS-00068",),
        seen=_words("init_on_alloc=1", "init_on_free=1"),
    ),
    Check(
        title="the kernel's memory is kept apart from that of programs",
        cites=("SRG-OS-000433-GPOS-00192",),
        seen=_words("pti=on", "vsyscall=none", "slab_nomerge"),
    ),
    Check(
        title="the machine forwards nothing and takes no redirections",
        cites=("SRG-OS-000480-GPOS-00227", "CIS 3.3.1", "CIS 3.3.2", "CIS 3.3.5", "CIS 3.3.8"),
        seen=_settings(
            net__ipv4__ip_forward="0",
            net__ipv4__conf__all__send_redirects="0",
            net__ipv4__conf__all__accept_redirects="0",
            net__ipv4__conf__all__accept_source_route="0",
            net__ipv6__conf__all__accept_redirects="0",
        ),
    ),
    Check(
        title="senders with impossible addresses are refused, floods of connections survived",
        cites=("SRG-OS-000420-GPOS-00186", "CIS 3.3.7", "CIS 3.3.10"),
        seen=_settings(net__ipv4__conf__all__rp_filter="1", net__ipv4__tcp_syncookies="1"),
    ),
)

WAIVERS: Final = (
    Waiver(
        title="passwords, accounts' ages and locks, banners before a login",
        cites=("SRG-OS-000021-GPOS-00005", "SRG-OS-000023-GPOS-00006", "CIS 5.3", "CIS 1.6"),
        reason="there is no account to log in to, no program that would ask, and no shell",
    ),
    Waiver(
        title="audit records by auditd",
        cites=("SRG-OS-000062-GPOS-00031", "CIS 6.2"),
        reason="nobody logs in whose commands could be recorded; the node keeps a log of its own "
        "of what operators and peers do, and the journal what services do",
    ),
    Waiver(
        title="a scanner of files' integrity",
        cites=("SRG-OS-000363-GPOS-00150", "CIS 6.3"),
        reason="verity checks each block of /usr at each read, against a signed root hash",
    ),
    Waiver(
        title="a password for the boot loader",
        cites=("SRG-OS-000080-GPOS-00048", "CIS 1.4.1"),
        reason="its editor is off, its files are signed, and the kernel's command line is part "
        "of the signed kernel image",
    ),
    Waiver(
        title="validated cryptographic modules (FIPS 140)",
        cites=("SRG-OS-000033-GPOS-00014",),
        reason="Debian has none; what is used is named in the bill of materials",
    ),
    Waiver(
        title="patches by a package manager",
        cites=("SRG-OS-000191-GPOS-00080", "CIS 1.2"),
        reason="the system is replaced as a whole by a signed update, and the one before is kept",
    ),
    Waiver(
        title="no USB storage",
        cites=("SRG-OS-000114-GPOS-00059", "CIS 1.1.1.9"),
        reason="updates may come on a USB stick; nothing on one is mounted unasked or run",
    ),
    Waiver(
        title="simultaneous multithreading off, against side channels between processes",
        cites=("SRG-OS-000138-GPOS-00069",),
        reason="it halves what the node computes; workers of all jobs are the same owner's, and "
        "the kernel's own mitigations are on",
    ),
)
