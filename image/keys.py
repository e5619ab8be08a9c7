"""The keys that an image is signed with. Development keys are files; they never lie in the tree.

Each has one use, so that one can be replaced without the others:

==================  ================================================================
``platform``        Secure Boot PK: who may change the key exchange keys
``exchange``        Secure Boot KEK: who may change the signature database
``boot``            Secure Boot db: boot loader and kernel image
``verity``          the root hash of ``/usr``
``pcr``             which values of PCR 11 unlock the data partition
``modules``         Secure Boot db too, where the kernel takes it from: modules that we build
``update``          bundles and manifests of updates
==================  ================================================================
"""

import datetime
import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from image import places
from image.errors import KeyRefused

NAMES: Final = ("platform", "exchange", "boot", "verity", "pcr", "modules", "update")
# TPMs and UEFI firmware that know of no other RSA size or curve are still common.
KEY_BITS: Final = 2048
LIFE: Final = datetime.timedelta(days=3650)
_SECRET_MODE: Final = 0o600
_MAKE: Final = "make them: make image-keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A private key and its certificate, as PEM files."""

    secret: Path
    certificate: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """All keys of one vendor, in one folder that only its owner can read."""

    folder: Path

    def named(self, name: str) -> Key:
        """Return the key of one use; its files may be missing."""
        return Key(secret=self.folder / f"{name}.key", certificate=self.folder / f"{name}.crt")


def make(folder: Path, now: datetime.datetime) -> list[str]:
    """Make the keys that are missing and return their names; those there stay as they are.

    Raises: KeyRefused if the folder lies in the tree.
    """
    _require_outside(folder, (places.TREE,))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    keys = Keys(folder=folder)
    missing = [name for name in NAMES if not keys.named(name).certificate.exists()]
    for name in missing:
        _write_key(keys.named(name), name, now)
    return missing


def read(folder: Path, *, sign: Collection[str] = NAMES) -> Keys:
    """Return the keys of a folder: all certificates, and the private keys that are to sign.

    sign: names of keys whose private keys lie there too, readable by their owner alone
    Raises: KeyRefused otherwise, or if they lie in the tree.
    """
    _require_outside(folder, (places.TREE,))
    keys = Keys(folder=folder)
    for name in NAMES:
        key = keys.named(name)
        if not key.certificate.is_file():
            raise KeyRefused(f"there is no certificate {name} in {folder}", _MAKE)
        if name not in sign:
            continue
        if not key.secret.is_file():
            raise KeyRefused(f"there is no key {name} in {folder}", _MAKE)
        if stat.S_IMODE(key.secret.stat().st_mode) & 0o077:
            raise KeyRefused(
                f"{key.secret} can be read by others",
                f"if nobody has copied it: chmod 600 {key.secret}; else make new keys",
            )
    return keys


def _require_outside(folder: Path, trees: Iterable[Path]) -> None:
    real = folder.resolve()
    for tree in trees:
        if real.is_relative_to(tree.resolve()):
            raise KeyRefused(
                f"{folder} lies in the tree, where keys end up in a commit",
                "leave XDG_CONFIG_HOME unset, or let it name a folder outside",
            )


def _write_key(key: Key, name: str, now: datetime.datetime) -> None:
    secret = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    title = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Coffer development"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Coffer development {name}"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = secret.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_secret(key.secret, plain)
    key.certificate.write_bytes(certificate.public_bytes(pem))


def _write_secret(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _SECRET_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
