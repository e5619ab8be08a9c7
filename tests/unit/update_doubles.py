"""A vendor's update keys, a small release, and a machine's files that an update changes."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey  # type: ignore[attr-defined]

from appliance.updates.install import SYSUPDATE, Installation
from appliance.updates.rules import Here
from appliance.updates.trust import KEYS, SCHEME, Trust
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


def release(folder: Path, version: str) -> dict[str, Path]:
    """Write the parts of a release as a build leaves them, each ending in zeros but the kernel."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, (name, size) in enumerate(SIZES.items()):
        text = f"{name} of {version} ".encode() * 20
        if name == "uki":
            (folder / f"coffer_{version}.efi").write_bytes(text)
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
) -> Path:
    """Write a bundle of a release; its manifest may be changed before it is signed."""
    file = folder / f"coffer_{version}.bundle"
    bundle.write_bundle(
        release(folder / "parts", version),
        file,
        version=version,
        created=MADE,
        signers=[signer(name) for name in names],
        change=change,
    )
    return file


class PowerCut(BaseException):
    """The power goes: nothing after it happens, and nobody may catch it."""


@dataclass
class Disk:
    """The files of a machine whose slot A runs; systemd-sysupdate is played by :meth:`run`.

    steps: what it did, in order; cut_after: the number of the step after which the power goes.
    """

    root: Path
    steps: list[str] = field(default_factory=list)
    cut_after: int | None = None
    running: str = RUNNING

    def make(self) -> "Disk":
        for place in ("var/lib/coffer-updates", "boot/EFI/Linux", "dev", "sys/class/block"):
            (self.root / place).mkdir(parents=True)
        (self.root / KEYS).parent.mkdir(parents=True)
        (self.root / KEYS).write_bytes(trusted("update"))
        for number, (ending, slot) in enumerate(
            (ending, slot) for slot in "ab" for ending in ("_sig", "_verity", "")
        ):
            self._label(
                f"vda{number + 2}", f"coffer_{self.running}{ending}" if slot == "a" else "_empty"
            )
            (self.root / "dev" / f"vda{number + 2}").write_bytes(b"old")
        (self.kernels / f"coffer_{self.running}.efi").write_bytes(b"kernel")
        return self

    @property
    def kernels(self) -> Path:
        return self.root / "boot/EFI/Linux"

    def listed(self) -> list[str]:
        return sorted(path.name for path in self.kernels.glob("*.efi"))

    def labels(self) -> dict[str, str]:
        found = {}
        for event in sorted((self.root / "sys/class/block").glob("*/uevent")):
            found[event.parent.name] = event.read_text().split("PARTNAME=")[1].strip()
        return found

    def content(self, label: str) -> bytes:
        name = next(name for name, its in self.labels().items() if its == label)
        return (self.root / "dev" / name).read_bytes()

    def installation(self, **changed: Any) -> Installation:
        return Installation(
            trust=trust(),
            here=here(version=self.running, **changed),
            schemas=SCHEMAS,
            run=self.run,
            root=self.root,
        )

    def run(self, *words: str, seconds: float) -> str:
        """Do as systemd-sysupdate: all parts into the slot that does not run, then their labels."""
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
        devices = ["vda5", "vda6", "vda7"]
        if self.labels()["vda7"] == f"coffer_{self.running}":
            devices = ["vda2", "vda3", "vda4"]
        for device in devices:
            self._label(device, "_empty")
        for device, kind in zip(devices, ("usr-verity-sig", "usr-verity", "usr"), strict=True):
            source = next(staged.glob(f"coffer_{version}.{kind}.*.raw"))
            (self.root / "dev" / device).write_bytes(source.read_bytes())
            self.step(f"wrote {kind}")
        for device, ending in zip(devices, ("_sig", "_verity", ""), strict=True):
            self._label(device, f"coffer_{version}{ending}")
            self.step(f"labelled {ending}")
        return ""

    def step(self, name: str) -> None:
        self.steps.append(name)
        if self.cut_after is not None and len(self.steps) > self.cut_after:
            raise PowerCut(name)

    def _label(self, device: str, label: str) -> None:
        folder = self.root / "sys/class/block" / device
        folder.mkdir(exist_ok=True)
        (folder / "uevent").write_text(f"DEVNAME={device}\nDEVTYPE=partition\nPARTNAME={label}\n")
