"""Whether this machine's firmware would start a kernel image, asked while the image is only staged.

The boot loader (systemd-boot 257) does not go on to the version before when firmware refuses an
image: the machine then waits for somebody, who switches it off and on until no try is left. So the
rule of UEFI 2.10 §32.5 (image validation), as EDK II applies it, comes first here: nothing in dbx
may match the image, and something in db must. Signatures are verified by sbverify, a key at a time.

Not seen: a certificate between the image's signer and a key of db that dbx names by its hash, and
signatures over other digests than SHA-256, which sbverify refuses and some firmware takes.
"""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from appliance.updates.errors import (
    FirmwareKeysUnreadable,
    KernelMalformed,
    KernelRevoked,
    KernelUntrusted,
    ProgramFailed,
)
from firmware.boot.banks import Bank
from firmware.boot.pe import Image, parse_image
from firmware.boot.secure_boot import ENABLED, SecureBootVariable
from firmware.boot.signature_lists import Signature, SignatureType, parse_signature_lists
from firmware.errors import MalformedInput

SBVERIFY: Final = "/usr/bin/sbverify"
VERIFY_SECONDS: Final = 600.0
VARIABLES: Final = Path("sys/firmware/efi/efivars")
ATTRIBUTE_BYTES: Final = 4
"""That the kernel puts before the value of each variable."""
_CERTIFICATE: Final = "firmware-key.pem"
"""Beside the kernel image, while sbverify is asked about it; it goes with what was staged."""
_HASHES: Final = {
    SignatureType.SHA256: Bank.SHA256,
    SignatureType.SHA384: Bank.SHA384,
    SignatureType.SHA512: Bank.SHA512,
}
# Of what a certificate says, without its signature. When it was revoked counts only for signatures
# with a time that somebody vouches for, and ours have none.
_HASHES_OF_CERTIFICATES: Final = {
    SignatureType.X509_SHA256: Bank.SHA256,
    SignatureType.X509_SHA384: Bank.SHA384,
    SignatureType.X509_SHA512: Bank.SHA512,
}


class Run(Protocol):
    """Runs one of the system's programs."""

    def __call__(self, *words: str, seconds: float) -> str:
        """Run it. Raises: ProgramFailed if it says no, InstallFailed if it cannot say."""


def require_startable(kernel: Path, root: Path, run: Run) -> None:
    """Return if firmware would start a kernel image, or starts whatever comes: no Secure Boot.

    Raises: KernelUntrusted, KernelRevoked, KernelMalformed, FirmwareKeysUnreadable; InstallFailed
        if sbverify cannot be run.
    """
    if _read(root, SecureBootVariable.SECURE_BOOT) != ENABLED:
        return
    allowed = _entries(root, SecureBootVariable.DB)
    refused = _entries(root, SecureBootVariable.DBX)
    image = _image(kernel)
    if _is_listed(image, refused):
        raise KernelRevoked("its hash")
    question = _Question(kernel=kernel, certificate=kernel.with_name(_CERTIFICATE), run=run)
    question.require_answers()
    if question.signers(refused):
        raise KernelRevoked("the key that signed it")
    signers = question.signers(allowed)
    _require_unrevoked(signers, refused)
    if not signers and not _is_listed(image, allowed):
        keys = [entry for entry in allowed if entry.kind is SignatureType.X509]
        raise KernelUntrusted(len(keys))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """Who has signed a kernel image. certificate: where sbverify finds whom it is asked about."""

    kernel: Path
    certificate: Path
    run: Run

    def require_answers(self) -> None:
        """Return if sbverify reads the image at all, so that a failure of its later means no."""
        self.run(SBVERIFY, "--list", str(self.kernel), seconds=VERIFY_SECONDS)

    def signers(self, entries: Iterable[Signature]) -> list[Signature]:
        """Return the certificates that vouch for the image, itself or its signer's."""
        return [
            entry for entry in entries if entry.kind is SignatureType.X509 and self._is_yes(entry)
        ]

    def _is_yes(self, entry: Signature) -> bool:
        # As bytes: firmware holds certificates that not every library takes apart.
        self.certificate.write_text(ssl.DER_cert_to_PEM_cert(entry.data), encoding="ascii")
        words = ("--cert", str(self.certificate), str(self.kernel))
        try:
            self.run(SBVERIFY, *words, seconds=VERIFY_SECONDS)
        except ProgramFailed:
            return False
        return True


def _require_unrevoked(signers: Iterable[Signature], refused: Iterable[Signature]) -> None:
    """Return if dbx names none of these certificates by its hash."""
    wanted = _by_kind(refused, _HASHES_OF_CERTIFICATES)
    for signer in signers if wanted else ():
        try:
            said = signer.certificate().tbs_certificate_bytes
        except MalformedInput as error:
            raise FirmwareKeysUnreadable(SecureBootVariable.DB.label, error.what) from None
        for kind, hashes in wanted.items():
            bank = _HASHES_OF_CERTIFICATES[kind]
            if bank.digest(said) in {one[: bank.size] for one in hashes}:
                raise KernelRevoked("the key that signed it")


def _is_listed(image: Image, entries: Iterable[Signature]) -> bool:
    """Tell whether the image's Authenticode hash is listed, of whatever kind."""
    hashes = _by_kind(entries, _HASHES)
    return any(image.authenticode(_HASHES[kind]) in found for kind, found in hashes.items())


def _by_kind(
    entries: Iterable[Signature], kinds: Mapping[SignatureType, Bank]
) -> dict[SignatureType, set[bytes]]:
    found: dict[SignatureType, set[bytes]] = {}
    for entry in entries:
        if entry.kind in kinds:
            found.setdefault(entry.kind, set()).add(entry.data)
    return found


def _image(kernel: Path) -> Image:
    try:
        return parse_image(kernel.read_bytes())
    except MalformedInput as error:
        raise KernelMalformed(error.what) from None


def _entries(root: Path, variable: SecureBootVariable) -> tuple[Signature, ...]:
    try:
        return parse_signature_lists(_read(root, variable), skips_unknown=True)
    except MalformedInput as error:
        raise FirmwareKeysUnreadable(variable.label, error.what) from None


def _read(root: Path, variable: SecureBootVariable) -> bytes:
    """Return the value of a variable, no bytes if it is not there."""
    try:
        held = (root / VARIABLES / f"{variable.label}-{variable.namespace}").read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise FirmwareKeysUnreadable(variable.label, error.strerror or str(error)) from None
    return held[ATTRIBUTE_BYTES:]
