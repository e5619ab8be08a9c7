"""Known vulnerabilities of an image's Debian packages: debsecan's list, less what is waived.

debsecan reads Debian's security tracker. Its data changes daily, so a check belongs to a date, and
is no part of a build.
"""

import datetime
import hashlib
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image.errors import ImageError
from image.mirror import SUITE
from image.toolchain import TOP, Place, Toolchain

WAIVERS: Final = Path(__file__).with_name("waivers.toml")
LONGEST: Final = datetime.timedelta(days=90)
_FILE_REMEDY: Final = (
    "fetch debsecan/release/1/trixie of Debian's security tracker, and name the file"
)
_WAIVER_REMEDY: Final = "each needs id, package, reason, date and expires, at most 90 days apart"
_LINE: Final = re.compile(r"(?P<id>[A-Z]+-\S+) (?P<package>\S+)(?: \((?P<notes>[^)]*)\))?")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Vulnerability:
    """A known weakness of a package as it is in the image.

    is_fixed: Debian has a newer package without it; is_remote: others can use it over the network
    urgency: low, medium or high; empty if nobody has said
    """

    id: str
    package: str
    is_fixed: bool
    is_remote: bool
    urgency: str

    @property
    def counts(self) -> bool:
        """Whether an image with it must not ship: it can be mended, or is grave and reachable."""
        return self.is_fixed or (self.is_remote and self.urgency == "high")

    def __str__(self) -> str:
        notes = [self.urgency or "no urgency", *["remote"] * self.is_remote]
        notes += ["fixed in Debian" if self.is_fixed else "no fix in Debian"]
        return f"{self.id} {self.package} ({', '.join(notes)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Why an image may ship with a vulnerability, and until when."""

    id: str
    package: str
    reason: str
    date: datetime.date
    expires: datetime.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found: what forbids to ship, what is waived, what else is known."""

    forbidding: tuple[Vulnerability, ...]
    waived: tuple[Vulnerability, ...]
    known: tuple[Vulnerability, ...]


def find(status: str, tracker: Path, tools: Toolchain) -> list[Vulnerability]:
    """Return what debsecan knows of packages.

    status: the packages, as dpkg's status file has them; tracker: the tracker's data, a file
    Raises: ImageError if the file is missing, CommandFailed if debsecan cannot read it.
    """
    if not tracker.is_file():
        raise ImageError(f"there is no data of the security tracker in {tracker}", _FILE_REMEDY)
    with tempfile.TemporaryDirectory(prefix="coffer-debsecan-") as name:
        folder = Path(name)
        shutil.copyfile(tracker, folder / SUITE)
        (folder / "status").write_text(status, encoding="utf-8")
        inside = TOP / "debsecan"
        said = tools.run(
            [
                *("debsecan", f"--suite={SUITE}", f"--source=file://{inside}/"),
                *(f"--status={inside}/status", "--format=summary"),
            ],
            seen=(Place(outside=folder, inside=inside),),
            remedy=_FILE_REMEDY,
        )
    return parse(said)


def described(tracker: Path) -> str:
    """Return a line on the tracker's data: its day and its hash."""
    day = datetime.datetime.fromtimestamp(tracker.stat().st_mtime, datetime.UTC).date()
    digest = hashlib.sha256(tracker.read_bytes()).hexdigest()
    return f"security tracker's data of {day} (by the file's time), SHA-256 {digest}"


def parse(said: str) -> list[Vulnerability]:
    """Return what debsecan lists in its form "summary".

    Raises: ImageError if a line is none of that form.
    """
    found = []
    for line in said.splitlines():
        matched = _LINE.fullmatch(line.strip())
        if matched is None:
            raise ImageError(f"debsecan says what it never said: {line}", "look at its manual")
        notes = [note.strip() for note in (matched["notes"] or "").split(",")]
        urgencies = [note.removesuffix(" urgency") for note in notes if note.endswith(" urgency")]
        found.append(
            Vulnerability(
                id=matched["id"],
                package=matched["package"],
                is_fixed="fixed" in notes,
                is_remote="remotely exploitable" in notes,
                urgency=urgencies[0] if urgencies else "",
            )
        )
    return sorted(found)


def read_waivers(file: Path = WAIVERS) -> list[Waiver]:
    """Return the waivers in the tree; none if there is no file.

    Raises: ImageError if the file is damaged or a waiver is too long.
    """
    return parse_waivers(file.read_text(encoding="utf-8")) if file.exists() else []


def parse_waivers(text: str) -> list[Waiver]:
    """Return the waivers that a TOML text holds: ``[[waiver]]`` tables.

    Raises: ImageError if one lacks a field, gives no reason, or holds for too long.
    """
    try:
        waivers = [_waiver(one) for one in tomllib.loads(text).get("waiver", [])]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ImageError(f"the waivers cannot be read: {error!r}", _WAIVER_REMEDY) from None
    for one in waivers:
        if not one.reason.strip():
            raise ImageError(f"the waiver of {one.id} gives no reason", _WAIVER_REMEDY)
        if not datetime.timedelta(0) <= one.expires - one.date <= LONGEST:
            raise ImageError(f"the waiver of {one.id} holds for too long", _WAIVER_REMEDY)
    return waivers


def _waiver(fields: Mapping[str, object]) -> Waiver:
    date, expires = fields["date"], fields["expires"]
    if type(date) is not datetime.date or type(expires) is not datetime.date:
        raise TypeError("date and expires must be dates")
    texts = {name: str(fields[name]) for name in ("id", "package", "reason")}
    return Waiver(**texts, date=date, expires=expires)


def judge(
    found: Iterable[Vulnerability], waivers: Iterable[Waiver], today: datetime.date
) -> Verdict:
    """Sort vulnerabilities by what follows from them.

    Raises: ImageError if a waiver has expired or is not yet valid, used or not.
    """
    held = list(waivers)
    for one in held:
        if not one.date <= today <= one.expires:
            raise ImageError(
                f"the waiver of {one.id} for {one.package} holds from {one.date} to {one.expires}",
                "look at it again: renew it with today's date and a reason, or remove it",
            )
    allowed = {(one.id, one.package) for one in held}
    vulnerabilities = list(found)
    counting = [one for one in vulnerabilities if one.counts]
    return Verdict(
        forbidding=tuple(one for one in counting if (one.id, one.package) not in allowed),
        waived=tuple(one for one in counting if (one.id, one.package) in allowed),
        known=tuple(one for one in vulnerabilities if not one.counts),
    )


def require_none(verdict: Verdict) -> None:
    """Refuse an image with vulnerabilities that forbid to ship it.

    Raises: ImageError, which names them.
    """
    if verdict.forbidding:
        names = "\n  ".join(map(str, verdict.forbidding))
        raise ImageError(
            f"{len(verdict.forbidding)} known vulnerabilities are not waived:\n  {names}",
            f"take newer packages (make image-lock), or waive each with its reason in {WAIVERS}",
        )
