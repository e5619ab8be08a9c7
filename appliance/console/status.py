"""The status screen's lines: who this machine is, how it started, how it fares."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from appliance.machine.posture import Posture, Problem

SHOWN_PCRS: Final = (4, 7, 11)
"""The boot loader and kernel image, Secure Boot and its keys, the kernel image's parts."""

LOCKED: Final = Problem(
    what="/var is not open",
    remedy="the TPM may not know this start; choose 5 and 2, type the recovery key, and restart",
)
RESTART: Final = "restart; if it fails again, send the vendor a support bundle"
REMEDIES: Final[Mapping[str, str]] = {
    "coffer-machine-seal.service": "the TPM may not know this start; restart, and if it fails again"
    " choose 5 and 2, type the recovery key, and restart",
}
"""What to do where one of these units has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the agent says of itself; empty where it does not answer."""

    name: str = ""
    node_id: str = ""
    operators_address: str = ""
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Identity":
        """Return it from what ``asking.py`` found."""
        problems = [Problem(what=what, remedy=remedy) for what, remedy in facts["problems"]]
        return cls(
            name=facts["name"],
            node_id=facts["node_id"],
            operators_address=facts["operators_address"],
            problems=tuple(problems),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What systemd says. units: the names that are shown and their states, of each as it is now."""

    units: tuple[tuple[str, str], ...] = ()
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found out at one moment.

    addresses:   each with its interface's name.
    slot:        which copy of /usr runs, A or B; empty if unknown.
    var_is_open: whether /var is there; on the appliance it is not if the TPM did not open it.
    """

    host: str
    up_seconds: float
    addresses: tuple[tuple[str, str], ...]
    slot: str
    var_is_open: bool
    posture: Posture
    health: Health
    identity: Identity


def title(seen: Seen) -> str:
    """Return the line above all pages."""
    version = seen.posture.image_version or "unknown version"
    slot, up = seen.slot or "unknown", up_time(seen.up_seconds)
    warning = "; DEVELOPMENT IMAGE, for tests only" if seen.posture.is_development else ""
    return f"Coffer {version}, slot {slot}, up {up}{warning}"


def up_time(seconds: float) -> str:
    """Return how long a machine has run, the coarser the longer."""
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} hours" if minutes < 2880 else f"{minutes // 1440} days"


def status_lines(seen: Seen) -> Iterator[str]:
    """Yield a fact a line, what matters most first, as the last may not fit."""
    who, posture = seen.identity, seen.posture
    unknown = "not known yet: the agent does not answer"
    yield _fact("name", who.name or seen.host)
    yield _fact("node id", who.node_id or unknown)
    shown = [f"{address} ({card})" for card, address in seen.addresses]
    yield _fact("addresses", ", ".join(shown) or "none")
    yield _fact("operators", _operators(who) or unknown)
    problems = list(problems_of(seen))
    yield _fact("problems", problems[0] if problems else "none")
    for problem in problems[1:]:
        yield _fact("", problem)
    yield _fact("secure boot", f"{_secure_boot(posture)}; lockdown {posture.lockdown or 'none'}")
    yield _fact("/usr", _usr(posture))
    yield _fact("/var", _var(seen))
    for name, state in seen.health.units:
        yield _fact(name, state)
    for number in SHOWN_PCRS:
        yield _fact(f"PCR {number}", posture.pcrs.get(number, "unknown"))


def problems_of(seen: Seen) -> Iterator[str]:
    """Yield what is amiss, and the remedies, those of the start first."""
    posture = seen.posture
    if posture.is_appliance and not seen.var_is_open:
        posture = replace(posture, var_is_encrypted=True)  # it is not known not to be
        yield f"{LOCKED.what}: {LOCKED.remedy}"
    from_agent = [one for one in seen.identity.problems if one not in posture.problems()]
    for problem in (*posture.problems(), *from_agent):
        yield f"{problem.what}: {problem.remedy}"
    for unit in seen.health.failed:
        yield f"{unit} failed: {REMEDIES.get(unit, RESTART)}"


def _fact(name: str, value: str) -> str:
    return f"{name:<12} {value}"


def _operators(who: Identity) -> str:
    """Return where operators reach the agent, and that its certificate bears the node id."""
    if who.operators_address:
        return f"{who.operators_address}, known by the node id"
    return "none" if who.node_id else ""


def _secure_boot(posture: Posture) -> str:
    return "enabled" if posture.secure_boot else "DISABLED"


def _var(seen: Seen) -> str:
    if not seen.var_is_open:
        return "NOT OPEN"
    return "encrypted" if seen.posture.var_is_encrypted else "NOT ENCRYPTED"


def _usr(posture: Posture) -> str:
    check = "verity" if posture.usr_root_hash else "NOT VERIFIED"
    return f"{check}, {'read-only' if posture.usr_is_read_only else 'WRITABLE'}"
