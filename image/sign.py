"""The last step: turn an unsigned disk into a signed one. Nothing else of a build needs a key.

Boot loader and kernel image get their Secure Boot signatures, the kernel image the signed values
of PCR 11, the boot partition the signed writes of Secure Boot's variables, and the disk the signed
root hash of ``/usr``. The firmware's view of it all hangs on what is signed here alone.
"""

import base64
import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firmware.boot import pe
from image import enrolment
from image.errors import ImageError
from image.signing import Signer
from image.toolchain import TOP, Place

_WORK: Final = TOP / "signing"
_MEASURED: Final = {
    ".linux": "linux",
    ".osrel": "osrel",
    ".cmdline": "cmdline",
    ".initrd": "initrd",
    ".ucode": "ucode",
    ".uname": "uname",
    ".sbat": "sbat",
}
# How ukify calls what systemd-measure calls otherwise; .sbat it merges anew from stub and kernel.
_UKIFY: Final = {"osrel": "os-release", "ucode": "microcode"}
_STUB: Final = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
_LOADERS: Final = ("EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi")
_ESP_TYPE: Final = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_SIGNATURE_TYPE: Final = "E7BB33FB-06CF-4E81-8273-E543B413E2E2"
_SIGNATURE_BYTES: Final = 16384
_PIECE_BYTES: Final = 1 << 20
_REMEDY: Final = "the unsigned disk may be damaged: build again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The files of one build in a folder, signed or not."""

    folder: Path
    version: str

    @property
    def disk(self) -> Path:
        """The whole disk."""
        return self.file("raw")

    @property
    def kernel(self) -> Path:
        """The unified kernel image."""
        return self.file("efi")

    @property
    def boot_partition(self) -> Path:
        """The disk's boot partition, as a file of its own."""
        return self.file("esp.raw")

    def file(self, ending: str) -> Path:
        """Return the file of an ending, there or not."""
        return self.folder / f"coffer_{self.version}.{ending}"

    def partition(self, kind: str) -> Path:
        """Return a partition of ``/usr`` as a file: ``usr``, ``usr-verity`` or ``usr-verity-sig``.

        Raises: ImageError if it is not there once.
        """
        name = kind.replace("usr", "usr-x86-64", 1)
        found = list(self.folder.glob(f"coffer_{self.version}.{name}.{'[0-9a-f]' * 32}.raw"))
        if len(found) != 1:
            raise ImageError(f"{self.folder} has no one partition {kind}", "build again")
        return found[0]


def find(folder: Path) -> Output:
    """Return the build in a folder.

    Raises: ImageError if there is none, or more than one.
    """
    names = [file.name for file in folder.glob("coffer_*.efi")]
    if len(names) != 1:
        raise ImageError(f"{folder} holds no one build", "make one: python -m image build")
    return Output(folder=folder, version=names[0].removeprefix("coffer_").removesuffix(".efi"))


def sign(unsigned: Output, signer: Signer, into: Path, signed_at: datetime.datetime) -> Output:
    """Write the signed twins of an unsigned build's files into an empty folder; some seconds.

    Raises: ImageError if the build is damaged, CommandFailed if a tool or the token fails.
    """
    signed = Output(folder=into, version=unsigned.version)
    for file in sorted(unsigned.folder.iterdir()):
        copy_sparse(file, into / file.name)
    work = into / "signing"
    work.mkdir()
    tree = work / "esp"
    kernel = sign_kernel(unsigned.kernel.read_bytes(), signer, work)
    signed.kernel.write_bytes(kernel)
    _put(tree / "EFI/Linux" / unsigned.kernel.name, kernel)
    _sign_loaders(signed.boot_partition, signer, work)
    for variable, write in enrolment.signed_writes(signer.keys, signed_at, signer.detached).items():
        _put(tree / f"loader/keys/auto/{variable}.auth", write)
    _fill_boot_partition(signed.boot_partition, signer, work, signed_at)
    signature = signed_root_hash(root_hash(unsigned.kernel.read_bytes()), signer)
    signed.partition("usr-verity-sig").write_bytes(signature)
    places = parse_table(_table(signed.disk, signer))
    replace_part(signed.disk, places[_SIGNATURE_TYPE], signed.partition("usr-verity-sig"))
    replace_part(signed.disk, places[_ESP_TYPE], signed.boot_partition)
    shutil.rmtree(work)
    return signed


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a file; where it has holes or zeros, the copy has holes."""
    subprocess.run(["cp", "--sparse=always", str(source), str(target)], check=True)


def _put(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def sign_kernel(unsigned: bytes, signer: Signer, work: Path) -> bytes:
    """Return a unified kernel image with a signed policy for PCR 11 and its own signature.

    The sections are those of the unsigned one; what is added is the key of the policy, which the
    stub measures too, and the policy, which it does not.
    """
    image = pe.parse_image(unsigned)
    sections = {one.name: image.contents(one) for one in image.sections if one.name in _MEASURED}
    for name, content in sections.items():
        (work / _MEASURED[name]).write_bytes(content)
    key = x509.load_pem_x509_certificate(signer.keys.named("pcr").certificate.read_bytes())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (work / "pcrpkey").write_bytes(public)
    seen = (Place(outside=work, inside=_WORK),)
    names = (*(_MEASURED[name] for name in sections), "pcrpkey")
    policy = signer.run(
        [
            *("/usr/lib/systemd/systemd-measure", "sign", "--json=short", "--bank=sha256"),
            *(f"--{name}={_WORK / name}" for name in names),
            *signer.secret("pcr"),
            f"--certificate={signer.certificate('pcr')}",
        ],
        seen=seen,
    )
    (work / "pcrsig").write_text(policy)
    signer.run(
        [
            *("ukify", "build", f"--stub={_STUB}", *_ukify_words(sections)),
            *(f"--pcrpkey={_WORK / 'pcrpkey'}", f"--section=.pcrsig:@{_WORK / 'pcrsig'}"),
            f"--output={_WORK / 'kernel'}",
        ],
        seen=seen,
    )
    _require_same(sections, pe.parse_image((work / "kernel").read_bytes()))
    _sign_program(work, "kernel", signer)
    return (work / "kernel.signed").read_bytes()


def _ukify_words(sections: Mapping[str, bytes]) -> list[str]:
    words = []
    for section in sections:
        name = _MEASURED[section]
        if section == ".uname":
            words.append(f"--uname={sections[section].decode()}")
        elif section != ".sbat":
            mark = "@" if section in (".osrel", ".cmdline") else ""
            words.append(f"--{_UKIFY.get(name, name)}={mark}{_WORK / name}")
    return words


def _require_same(sections: Mapping[str, bytes], made: pe.Image) -> None:
    now = {one.name: made.contents(one) for one in made.sections}
    changed = [name for name, content in sections.items() if now.get(name) != content]
    if changed:
        raise ImageError(
            f"the signed kernel image would differ from the unsigned one in {', '.join(changed)}",
            "the stub of the toolchain may be another than the image's: make image-lock",
        )


def _sign_program(work: Path, name: str, signer: Signer) -> None:
    signer.run(
        [
            *("/usr/lib/systemd/systemd-sbsign", "sign", str(_WORK / name)),
            *signer.secret("boot"),
            f"--certificate={signer.certificate('boot')}",
            f"--output={_WORK / name}.signed",
        ],
        seen=(Place(outside=work, inside=_WORK),),
    )


def _sign_loaders(partition: Path, signer: Signer, work: Path) -> None:
    seen = (
        Place(outside=work, inside=_WORK),
        Place(outside=partition, inside=TOP / "esp.raw"),
    )
    for loader in _LOADERS:
        words = ["mcopy", "-n", "-i", str(TOP / "esp.raw"), f"::/{loader}", str(_WORK / "loader")]
        (work / "loader").unlink(missing_ok=True)
        signer.tools.run(words, seen=seen, remedy=_REMEDY)
        _sign_program(work, "loader", signer)
        _put(work / "esp" / loader, (work / "loader.signed").read_bytes())


def _fill_boot_partition(
    partition: Path, signer: Signer, work: Path, signed_at: datetime.datetime
) -> None:
    for file in (work / "esp").rglob("*"):
        os.utime(file, (signed_at.timestamp(), signed_at.timestamp()))
    signer.tools.run(
        [
            *("mcopy", "-s", "-o", "-m", "-i", str(TOP / "esp.raw")),
            *(str(_WORK / "esp" / name) for name in ("EFI", "loader")),
            "::/",
        ],
        seen=(
            Place(outside=work, inside=_WORK),
            Place(outside=partition, inside=TOP / "esp.raw"),
        ),
        environment={"SOURCE_DATE_EPOCH": str(int(signed_at.timestamp()))},
        remedy=_REMEDY,
    )


def root_hash(kernel: bytes) -> str:
    """Return the root hash of ``/usr`` that a kernel image's command line asks for.

    Raises: ImageError if it asks for none.
    """
    image = pe.parse_image(kernel)
    line = b"".join(image.contents(one) for one in image.sections if one.name == ".cmdline")
    found = re.search(rb"(?:^|\s)usrhash=([0-9a-f]{64})(?:\s|\0|$)", line)
    if found is None:
        raise ImageError("the kernel image asks for no root hash of /usr", _REMEDY)
    return found[1].decode()


def signed_root_hash(root_hash: str, signer: Signer) -> bytes:
    """Return the content of a partition with the signature of a root hash.

    Source: Discoverable Partitions Specification, "Verity signature": a JSON object, then zeros.
    """
    certificate = x509.load_pem_x509_certificate(
        signer.keys.named("verity").certificate.read_bytes()
    )
    fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    signature = base64.b64encode(signer.detached("verity", root_hash.encode())).decode()
    held = {
        "rootHash": root_hash,
        "certificateFingerprint": fingerprint,
        "signature": signature,
    }
    return json.dumps(held, separators=(",", ":")).encode().ljust(_SIGNATURE_BYTES, b"\0")


def _table(disk: Path, signer: Signer) -> str:
    return signer.tools.run(
        ["sfdisk", "--json", str(TOP / "disk.raw")],
        seen=(Place(outside=disk, inside=TOP / "disk.raw"),),
        remedy=_REMEDY,
    )


def parse_table(text: str) -> dict[str, int]:
    """Return where each partition begins, in bytes, by its type; from what sfdisk says."""
    table = json.loads(text)["partitiontable"]
    return {one["type"]: one["start"] * table["sectorsize"] for one in table["partitions"]}


def replace_part(disk: Path, begin: int, part: Path) -> None:
    """Write a file over a disk where they differ, so that holes stay holes."""
    with disk.open("r+b") as written, part.open("rb") as read:
        written.seek(begin)
        while new := read.read(_PIECE_BYTES):
            if written.read(len(new)) != new:
                written.seek(-len(new), os.SEEK_CUR)
                written.write(new)
