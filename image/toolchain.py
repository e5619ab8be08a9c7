"""The programs that make and boot an image: Debian's own, in a folder of their own.

The build machine may be Debian 12 or 13; the tools are always those of the image's release.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image import command, lock, places, repository
from image.errors import ImageError
from image.mirror import SUITE

ENTER: Final = Path(__file__).with_name("enter.sh")
PACKAGES: Final = (
    "apt-utils",
    "bubblewrap",
    "ca-certificates",
    "cpio",
    "cryptsetup-bin",
    "debian-archive-keyring",
    "debsecan",
    "dosfstools",
    "e2fsprogs",
    "erofs-utils",
    "fdisk",
    "g++",
    "gpg",
    "gpgv",
    "jq",
    "kmod",
    "libelf1t64",
    "libseccomp2",
    "libsodium-dev",
    "libsystemd-dev",
    "libtss2-esys-3.0.2-0t64",
    "libtss2-rc0t64",
    "libtss2-tcti-device0t64",
    "make",
    "mkosi",
    "mtools",
    "openssl",
    "ovmf",
    "patch",
    "pkcs11-provider",
    "pkg-config",
    "python3-cryptography",
    "python3-dev",
    "python3-pefile",
    "python3-venv",
    "qemu-system-x86",
    "qemu-utils",
    "reprepro",
    "sbsigntool",
    "softhsm2",
    "squashfs-tools",
    "swtpm",
    "swtpm-tools",
    "systemd-boot-efi",
    "systemd-boot-tools",
    "systemd-cryptsetup",
    "systemd-repart",
    "systemd-ukify",
    "tar",
    "uidmap",
    "udev",
    "xz-utils",
    "zstd",
)
# What of this machine's environment the programs see: how it reaches the network, and no more.
PASSED: Final = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
# Under which programs inside see folders of this machine, wherever those lie outside.
TOP: Final = Path("/coffer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file or folder of this machine that a program in the toolchain sees.

    inside: where it sees it
    """

    outside: Path
    inside: Path

    def __str__(self) -> str:
        return f"{self.outside}={self.inside}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """The folder with the tools, complete."""

    root: Path

    def command(
        self, program: Sequence[str], seen: Sequence[Place], environment: Mapping[str, str]
    ) -> list[str]:
        """Return the command that runs a program inside; with an environment of its own."""
        given = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}
        given |= network() | dict(environment)
        words = [f"{name}={value}" for name, value in given.items()]
        binds = [str(place) for place in seen]
        return [str(ENTER), str(self.root), *binds, "--", "env", "-i", *words, *program]

    def run(
        self,
        program: Sequence[str],
        *,
        remedy: str,
        seen: Sequence[Place] = (),
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program inside and return what it prints.

        Raises: CommandFailed if it fails.
        """
        return command.run(self.command(program, seen, environment or {}), remedy=remedy)

    def run_logged(
        self,
        program: Sequence[str],
        *,
        remedy: str,
        log: Path,
        seen: Sequence[Place] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a program inside that takes long; what it says goes to a log.

        Raises: CommandFailed if it fails.
        """
        inside = self.command(program, seen, environment or {})
        command.run_logged(inside, remedy=remedy, log=log)


def network() -> dict[str, str]:
    """Return what of this machine's environment says how the network is reached."""
    return {name: os.environ[name] for name in PASSED if name in os.environ}


def fingerprint() -> str:
    """Return what names a toolchain: the same packages, at the same versions, have the same name.

    Raises: LockError if there is no lock.
    """
    return lock.read().digest("tools")[:12]


def prepare(archive: Path, log: Path) -> Toolchain:
    """Make the toolchain unless it is there; about 90 s and 1 GB.

    archive: the packages of the lock
    Raises: ImageError if this is not root or mmdebstrap is missing, CommandFailed if it fails.
    """
    root = places.cache() / f"toolchain-{fingerprint()}"
    if not root.exists():
        _require_means()
        root.parent.mkdir(parents=True, exist_ok=True)
        unfinished = root.with_name(f"{root.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        sources = root.with_name(f"{root.name}.sources")
        sources.write_text(repository.sources(archive))
        command.run_logged(_mmdebstrap(unfinished, sources), remedy=_REMEDY, log=log)
        unfinished.rename(root)
    return Toolchain(root=root)


def is_made() -> bool:
    """Tell whether the toolchain of the lock is there.

    Raises: LockError if there is no lock.
    """
    return (places.cache() / f"toolchain-{fingerprint()}").exists()


def find() -> Toolchain:
    """Return the toolchain of the lock.

    Raises: ImageError if it is not there.
    """
    root = places.cache() / f"toolchain-{fingerprint()}"
    if not root.exists():
        raise ImageError("there is no toolchain", "make it: make image")
    return Toolchain(root=root)


_REMEDY: Final = "check the free disk space, and that the lock is of these tools: make image-lock"


def _mmdebstrap(target: Path, sources: Path) -> list[str]:
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        '--aptopt=APT::Sandbox::User "root"',
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        SUITE,
        str(target),
        str(sources),
    ]


def _require_means() -> None:
    if os.geteuid() != 0:
        raise ImageError("only root can make the toolchain", "run this as root or with sudo")
    if shutil.which("mmdebstrap") is None:
        raise ImageError("mmdebstrap is missing", "install it: apt-get install mmdebstrap")
