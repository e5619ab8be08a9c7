"""How this machine was started and what holds it together, read from the kernel's own files.

Pure but for reading files below a root, which a test may choose. Nothing here needs a privilege:
what only root may read is not asked for. Outside the appliance's image most of it means nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

IMAGE_ID: Final = "coffer"
"""The IMAGE_ID of os-release by which the appliance's own image is known."""

# Of systemd's PCRs: firmware code, its configuration, drivers, the boot loader, Secure Boot's
# state and keys, the kernel with its command line and phases, what the initrd was given.
SHOWN_PCRS: Final = (0, 2, 4, 7, 11, 12, 13, 15)

_SECURE_BOOT: Final = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# Debian's kernel trusts the keys in this variable for modules, whoever wrote it: shim does where it
# is used, and here, where it is not, only somebody who was root could have.
_MACHINE_KEYS: Final = "sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23"
_SIGNED_OUT_OF_TREE: Final = 1 << 12
"""The taint of a module that is not of the kernel's own tree: the image's signed drivers."""
_VERITY: Final = "CRYPT-VERITY-"
_LUKS: Final = "CRYPT-LUKS2-"
_MOST_BYTES: Final = 1 << 16
_DENIALS: Final = "run/coffer-denials"
_DAMAGES: Final = "run/coffer-damages"
"""Where units of the image list what AppArmor denied and what did not verify, a line each."""
_CORRUPTED: Final = "device-mapper: verity: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is not as it should be on an appliance, and what to do."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """What this machine's kernel says of its start.

    is_appliance:       whether it runs the appliance's image.
    is_development:     whether that image is one for tests, which starts without Secure Boot.
    secure_boot:        None where there is no such firmware.
    lockdown:           of the kernel: none, integrity or confidentiality; empty if it has none.
    has_foreign_keys:   whether a variable of the firmware gave the kernel keys of others.
    usr_root_hash:      of the verity tree that /usr is checked by, empty if it is not.
    var_is_encrypted:   whether /var lies on a device that was opened by a key.
    pcrs:               of the TPM's SHA-256 bank, by number; empty without a TPM.
    taint:              the kernel's own bits; 0 is clean.
    confinement:        of whoever reads this, by AppArmor: a profile and whether it is enforced.
    runnable:           what can be written to and holds programs that can be run.
    denials:            what AppArmor denied to anyone, as the kernel's log has it.
    damages:            blocks of /usr that did not verify when they were read, likewise.
    """

    is_appliance: bool
    is_development: bool
    image_version: str
    kernel: str
    secure_boot: bool | None
    lockdown: str
    requires_signed_modules: bool
    has_foreign_keys: bool
    usr_root_hash: str
    usr_is_read_only: bool
    var_is_encrypted: bool
    pcrs: dict[int, str]
    taint: int
    confinement: str
    runnable: tuple[str, ...]
    denials: tuple[str, ...]
    damages: tuple[str, ...]

    def problems(self) -> tuple[Problem, ...]:
        """Return what is amiss; nothing outside the appliance, where none of it is promised."""
        if not self.is_appliance:
            return ()
        firmware = "switch Secure Boot on in the firmware's set-up, with the appliance's keys"
        image = "write the signed image to the disk anew; ask the vendor if it stays so"
        tests = "for work with real data write the signed image to the disk"
        found = (
            (self.is_development, "this is a development image", tests),
            (self.secure_boot is not True, "Secure Boot is off", firmware),
            (self.lockdown not in ("integrity", "confidentiality"), "the kernel is open", image),
            (not self.requires_signed_modules, "the kernel takes unsigned modules", image),
            (
                self.has_foreign_keys,
                "the kernel was given keys of others",
                "clear MokListRT in the firmware's set-up; find out who was root here",
            ),
            (not self.usr_root_hash, "/usr is not checked by verity", image),
            (not self.usr_is_read_only, "/usr can be written to", image),
            (not self.var_is_encrypted, "/var is not encrypted", image),
            (not self.pcrs, "there is no TPM 2.0", "switch the TPM on in the firmware's set-up"),
            (
                bool(self.taint & ~_SIGNED_OUT_OF_TREE),
                f"the kernel is tainted ({self.taint})",
                "restart the appliance; send the vendor a support bundle if it comes again",
            ),
            (
                not self.confinement.endswith(" (enforce)"),
                "AppArmor does not confine the services",
                image,
            ),
            (
                bool(self.runnable),
                f"what can be written to can be run: {', '.join(self.runnable)}",
                image,
            ),
            (
                bool(self.denials),
                f"AppArmor denied what a service tried ({len(self.denials)} times), lately: "
                f"{' '.join(self.denials[-1:])}",
                "send the vendor a support bundle: a service was attacked, or has a fault",
            ),
            (
                bool(self.damages),
                f"/usr is damaged ({len(self.damages)} reads failed), lately: "
                f"{' '.join(self.damages[-1:])}",
                "start the other version (coffer updates rollback) or install a newer one; if it"
                " comes again replace the disk",
            ),
        )
        return tuple(Problem(what=what, remedy=remedy) for is_so, what, remedy in found if is_so)


def is_development(root: Path = Path("/")) -> bool:
    """Return whether this machine runs an image for tests, as mkosi.finalize marks it."""
    return _is_development(_release(root))


def read_posture(root: Path = Path("/")) -> Posture:
    """Read how this machine was started; a file that is not there counts as what is worse.

    But for the lists of warnings, which begin some time after the start: a unit of theirs that
    fails is a problem by itself.
    """
    release = _release(root)
    usr, var = _mounted(root, "/usr"), _mounted(root, "/var")
    return Posture(
        is_appliance=release.get("IMAGE_ID") == IMAGE_ID,
        is_development=_is_development(release),
        image_version=release.get("IMAGE_VERSION", ""),
        kernel=_text(root / "proc/sys/kernel/osrelease").strip(),
        secure_boot=_secure_boot(root),
        lockdown=_chosen(_text(root / "sys/kernel/security/lockdown")),
        requires_signed_modules=_text(root / "sys/module/module/parameters/sig_enforce")[:1] == "Y",
        has_foreign_keys=(root / _MACHINE_KEYS).exists(),
        usr_root_hash=_root_hash(root) if usr and _is_mapped(root, usr[0], _VERITY) else "",
        usr_is_read_only=usr is not None and "ro" in usr[3].split(","),
        var_is_encrypted=var is not None and _is_mapped(root, var[0], _LUKS),
        pcrs=_pcrs(root),
        taint=int(_text(root / "proc/sys/kernel/tainted").strip() or 0),
        confinement=_text(root / "proc/self/attr/apparmor/current").strip(),
        runnable=_runnable(root),
        denials=tuple(map(_denial, _text(root / _DENIALS).splitlines())),
        damages=tuple(map(_damage, _text(root / _DAMAGES).splitlines())),
    )


def _release(root: Path) -> dict[str, str]:
    return _settings(_text(root / "etc/os-release") or _text(root / "usr/lib/os-release"))


def _is_development(release: dict[str, str]) -> bool:
    return "development" in release.get("VARIANT_ID", "").split("-")


def _text(path: Path) -> str:
    """Return a small file's text, empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _mounts(root: Path) -> list[list[str]]:
    """Return device, place, kind and options of all that is mounted [proc_mounts(5)]."""
    lines = [line.split() for line in _text(root / "proc/self/mounts").splitlines()]
    return [line for line in lines if len(line) >= 4]


def _mounted(root: Path, place: str) -> list[str] | None:
    return next((line for line in _mounts(root) if line[1] == place), None)


def _runnable(root: Path) -> tuple[str, ...]:
    """Return where files can be written and then run as programs, in this mount namespace."""
    options = {line[1]: set(line[3].split(",")) for line in _mounts(root)}
    return tuple(
        place for place, words in options.items() if "rw" in words and "noexec" not in words
    )


def _denial(line: str) -> str:
    """Return who was denied what, without the kernel's numbers."""
    words = dict(word.partition("=")[::2] for word in line.split() if "=" in word)
    told = ("profile", "operation", "name", "requested_mask")
    return " ".join(words[name].strip('"') for name in told if name in words)


def _damage(line: str) -> str:
    """Return which block is corrupted, without the numbers of its device."""
    return line.removeprefix(_CORRUPTED).partition(": ")[2]


def _settings(text: str) -> dict[str, str]:
    """Return the assignments of an os-release file [os-release(5)]."""
    pairs = [line.partition("=") for line in text.splitlines() if not line.startswith("#")]
    return {name: value.strip("\"'") for name, equals, value in pairs if equals}


def _secure_boot(root: Path) -> bool | None:
    """Return whether firmware verifies what it starts: four bytes of attributes, then 1 or 0."""
    try:
        return (root / _SECURE_BOOT).read_bytes()[4:5] == b"\x01"
    except OSError:
        return None


def _chosen(text: str) -> str:
    """Return the word in brackets of a kernel's list of choices."""
    return next((word[1:-1] for word in text.split() if word[:1] == "["), "")


def _root_hash(root: Path) -> str:
    words = _text(root / "proc/cmdline").split()
    return next((word[len("usrhash=") :] for word in words if word.startswith("usrhash=")), "")


def _is_mapped(root: Path, device: str, kind: str) -> bool:
    """Return whether a device is mapped in such a way, as the start of its UUID in sysfs says."""
    name = device.removeprefix("/dev/mapper/")
    if name == device:
        return False
    for mapped in sorted((root / "sys/block").glob("dm-*/dm")):
        if _text(mapped / "name").strip() == name:
            return _text(mapped / "uuid").startswith(kind)
    return False


def _pcrs(root: Path) -> dict[int, str]:
    bank = root / "sys/class/tpm/tpm0/pcr-sha256"
    read = {number: _text(bank / str(number)).strip().lower() for number in SHOWN_PCRS}
    return {number: value for number, value in read.items() if value}
