"""A vendor's update keys, a small release, and a machine's files that an update changes."""

import json
import shutil
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey  # type: ignore[attr-defined]

from appliance.updates.errors import ProgramFailed
from appliance.updates.install import SYSUPDATE, Installation
from appliance.updates.rules import Here
from appliance.updates.startable import SBVERIFY, VARIABLES
from appliance.updates.trust import SCHEME, Trust
from firmware.boot.secure_boot import SecureBootVariable
from image import bundle

OLD, RUNNING, NEW, NEWEST = (
    "20261101.000000",
    "20261102.000000",
    "20261103.000000",
    "20261104.000000",
)
MADE = 1_793_000_000
NOW = MADE + 3600
SCHEMAS = tuple(bundle.read_schemas())
SIZES = {"usr-verity-sig": 4096, "usr-verity": 8192, "usr": 65536, "uki": 3000}


@cache
def signer(name: str) -> Signer:
    """Return one of the vendor's signers, or a stranger's; always the same of a name."""
    secret = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return CryptoSigner(secret, SSlibKey.from_crypto(secret.public_key(), scheme=SCHEME))


def trusted(*names: str, threshold: int = 1) -> bytes:
    pems = [
        signer(name)
        ._private_key.public_key()  # type: ignore[attr-defined]
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode()
        for name in names
    ]
    return json.dumps({"threshold": threshold, "keys": pems}).encode()


def trust(*names: str, threshold: int = 1) -> Trust:
    return Trust.parse(trusted(*(names or ("update",)), threshold=threshold))


def here(**changed: Any) -> Here:
    said: dict[str, Any] = {
        "image": "coffer",
        "version": RUNNING,
        "architecture": "x86-64",
        "floor": "",
        "revision": SCHEMAS[-1],
        "now": NOW,
    }
    return Here(**said | changed)


def release(folder: Path, version: str, kernel: bytes = b"") -> dict[str, Path]:
    """Write the parts of a release as a build leaves them, each ending in zeros but the kernel."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, (name, size) in enumerate(SIZES.items()):
        text = f"{name} of {version} ".encode() * 20
        if name == "uki":
            (folder / f"coffer_{version}.efi").write_bytes(kernel or text)
            continue
        partition = f"{place + 1}{version.replace('.', '')}".ljust(32, "0")
        arch_name = name.replace("usr", "usr-x86-64", 1)
        (folder / f"coffer_{version}.{arch_name}.{partition}.raw").write_bytes(
            text.ljust(size, b"\0")
        )
    return bundle.find_parts(folder, version)


def write_bundle(
    folder: Path,
    version: str = NEW,
    *,
    names: Sequence[str] = ("update",),
    change: Callable[[dict[str, Any]], None] = lambda manifest: None,
    kernel: bytes = b"",
) -> Path:
    """Write a bundle of a release; its manifest may be changed before it is signed."""
    file = folder / f"coffer_{version}.bundle"
    bundle.write_bundle(
        release(folder / "parts", version, kernel),
        file,
        version=version,
        created=MADE,
        signers=[signer(name) for name in names],
        change=change,
    )
    return file


class PowerCut(BaseException):
    """The power goes: nothing after it happens, and nobody may catch it."""


SECTOR = 512
ENTRIES = 2
SLOT_PARTS = {"usr-verity-sig": "_sig", "usr-verity": "_verity", "usr": ""}
START, EACH = 64, 256
"""Where the first partition begins and how much each has, in sectors."""


def partition_table(labels: Sequence[str]) -> bytes:
    """Return the first sectors of a disk with partitions of these labels, one after the other."""
    entries = bytearray(128 * 128)
    for place, label in enumerate(labels):
        start = START + place * EACH
        name = label.encode("utf-16-le")
        packed = struct.pack(
            "<16s16sQQQ72s", b"k" * 16, b"u" * 16, start, start + EACH - 1, 0, name
        )
        entries[place * 128 : (place + 1) * 128] = packed
    fields = (0, 1, 99999, 34, 99900, b"d" * 16, ENTRIES, 128, 128, zlib.crc32(entries))
    blank = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, *fields)
    header = blank[:16] + zlib.crc32(blank).to_bytes(4, "little") + blank[20:]
    return bytes(SECTOR) + header.ljust(SECTOR, b"\0") + bytes(entries)


@dataclass
class Disk:
    """The files of a machine whose slot A runs; systemd-sysupdate is played by :meth:`run`.

    steps: what it did, in order; cut_after: the number of the step after which the power goes.
    is_kernel_signed: what sbverify says of any kernel image.
    """

    root: Path
    steps: list[str] = field(default_factory=list)
    cut_after: int | None = None
    running: str = RUNNING
    is_kernel_signed: bool = True

    def make(self) -> "Disk":
        for place in ("var/lib/coffer-updates", "boot/EFI/Linux", "dev"):
            (self.root / place).mkdir(parents=True)
        show_mapping(self.root)
        self.labels = [f"coffer_{self.running}{ending}" for ending in SLOT_PARTS.values()]
        self.labels += ["_empty"] * len(SLOT_PARTS)
        self.device.write_bytes(partition_table(self.labels))
        for number in range(len(self.labels)):
            self._write(number, b"old")
        (self.kernels / f"coffer_{self.running}.efi").write_bytes(b"kernel")
        return self

    @property
    def device(self) -> Path:
        return self.root / "dev/vda"

    @property
    def kernels(self) -> Path:
        return self.root / "boot/EFI/Linux"

    def listed(self) -> list[str]:
        return sorted(path.name for path in self.kernels.glob("*.efi"))

    def content(self, label: str) -> bytes:
        with self.device.open("rb") as disk:
            disk.seek((START + self.labels.index(label) * EACH) * SECTOR)
            return disk.read(EACH * SECTOR)

    def installation(self, **changed: Any) -> Installation:
        return Installation(
            trust=trust(),
            here=here(version=self.running, **changed),
            schemas=SCHEMAS,
            run=self.run,
            root=self.root,
        )

    def run(self, *words: str, seconds: float) -> str:
        """Do as systemd-sysupdate: empty the other slot; all parts into it, then their labels."""
        if words[0] == SBVERIFY:
            if "--cert" in words and not self.is_kernel_signed:
                raise ProgramFailed("Signature verification failed")
            return ""
        assert words[0] == SYSUPDATE
        version = words[-1]
        staged = self.root / "var/lib/coffer-updates/staged"
        if "--component=start" in words:
            beside = self.kernels / ".new"
            shutil.copyfile(staged / f"coffer_{version}.efi", beside)
            self.step("copied kernel")
            beside.rename(self.kernels / f"coffer_{version}+3-0.efi")
            self.step("listed kernel")
            return ""
        if "vacuum" in words:
            for place in range(3, 6):
                self._label(place, "_empty")
                self.step("emptied")
            return ""
        if f"coffer_{version}" in self.labels:
            return ""  # whatever is in it
        for place, kind in enumerate(SLOT_PARTS, 3):
            source = next(staged.glob(f"coffer_{version}.{kind}.*.raw"))
            self._write(place, source.read_bytes())
            self.step(f"wrote {kind}")
        for place, ending in enumerate(SLOT_PARTS.values(), 3):
            self._label(place, f"coffer_{version}{ending}")
            self.step(f"labelled {ending}")
        return ""

    def step(self, name: str) -> None:
        self.steps.append(name)
        if self.cut_after is not None and len(self.steps) > self.cut_after:
            raise PowerCut(name)

    def spoil(self, label: str) -> None:
        """Change the last byte of what a partition may hold."""
        place = self.labels.index(label)
        size = SIZES[list(SLOT_PARTS)[place % 3]]
        with self.device.open("r+b") as disk:
            disk.seek((START + place * EACH) * SECTOR + size - 1)
            disk.write(b"!")

    def _write(self, place: int, data: bytes) -> None:
        with self.device.open("r+b") as disk:
            disk.seek((START + place * EACH) * SECTOR)
            disk.write(data)

    def _label(self, place: int, label: str) -> None:
        self.labels[place] = label
        with self.device.open("r+b") as disk:
            disk.write(partition_table(self.labels))


def show_mapping(root: Path) -> None:
    """Say in sysfs that /usr is mapped from a partition of the disk vda."""
    mapped, partition = root / "sys/block/dm-0", root / "sys/devices/block/vda/vda4"
    for folder in (mapped / "dm", mapped / "slaves", partition):
        folder.mkdir(parents=True)
    (mapped / "dm/name").write_text("usr\n")
    (mapped / "slaves/vda4").symlink_to(partition)


def set_variable(root: Path, variable: SecureBootVariable, value: bytes) -> Path:
    """Have the machine's firmware hold a variable, as the kernel shows it; return its file."""
    place = root / VARIABLES / f"{variable.label}-{variable.namespace}"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"\x27\0\0\0" + value)
    return place
