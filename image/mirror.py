"""Where Debian's packages come from: what this machine's own apt is set up to use."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image.errors import ImageError

SUITE: Final = "trixie"
# Firmware and libraries of cards are not in main; nothing else may come from the others.
COMPONENTS: Final = "main contrib non-free non-free-firmware"
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_ASK: Final = (
    "apt-get",
    "indextargets",
    "--format",
    "$(LABEL)\t$(REPO_URI)",
    "Created-By: Packages",
)
_REMEDY: Final = "set up apt for Debian's archive and security archive, then run apt-get update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """URIs of Debian's archive and of its security archive."""

    archive: str
    security: str

    @property
    def uris(self) -> tuple[str, str]:
        """Where package files may lie: below one or the other."""
        return self.archive, self.security

    def sources(self, components: str = "main") -> str:
        """Return these as apt's sources, in its deb822 form, for the image's release."""
        return "\n".join(
            f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: {components}\n"
            f"Signed-By: {KEYRING}\n"
            for uri, suites in (
                (self.archive, f"{SUITE} {SUITE}-updates"),
                (self.security, f"{SUITE}-security"),
            )
        )


def read_mirror() -> Mirror:
    """Return the mirror that this machine's apt uses.

    Raises: ImageError if apt knows no archive of Debian.
    """
    asked = subprocess.run(list(_ASK), capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        raise ImageError(f"apt does not say where packages come from: {asked.stderr}", _REMEDY)
    return parse_mirror(asked.stdout.splitlines())


def parse_mirror(lines: Iterable[str]) -> Mirror:
    """Find the two archives among ``label<TAB>uri`` lines; the first of each label counts.

    Raises: ImageError if one is missing.
    """
    found: dict[str, str] = {}
    for line in lines:
        label, _, uri = line.partition("\t")
        found.setdefault(label, uri.rstrip("/"))
    if "Debian" not in found or "Debian-Security" not in found:
        raise ImageError("apt names no archive of Debian, or not its security archive", _REMEDY)
    return Mirror(archive=found["Debian"], security=found["Debian-Security"])
