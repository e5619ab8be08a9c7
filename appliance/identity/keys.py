"""The node's identity key: made once, never leaves the machine, behind an interface for a TPM."""

import logging
import os
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.identity import certificates
from appliance.identity.certificates import verify_signature
from appliance.identity.errors import CertificateInvalid, IdentityUnusable, SignatureInvalid
from appliance.identity.node_id import NodeId
from appliance.identity.sealing import REMEDY

__all__ = ["FileKey", "IdentityKey", "verify_signature"]

_RESTORE: Final = (
    "restore the folder from a backup; or remove it to become a new node, which peers must pair"
    " with anew"
)
_SEALED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"  # RFC 7468, section 11

log = logging.getLogger(__name__)


class IdentityKey(Protocol):
    """A key that can sign for this node, wherever it lives."""

    @property
    def public_der(self) -> bytes:
        """The public key, DER SubjectPublicKeyInfo."""

    @property
    def node_id(self) -> NodeId:
        """The node's id."""

    @property
    def certificate_der(self) -> bytes:
        """The self-signed identity certificate that peers pin."""

    def sign(self, data: bytes) -> bytes:
        """Return an ECDSA-SHA256 signature, DER."""

    def issue_leaf(
        self, public: ec.EllipticCurvePublicKey, not_before: datetime, not_after: datetime
    ) -> bytes:
        """Return a TLS certificate for ``public`` (DER)."""


class FileKey:
    """An identity key in a file that only its owner may read.

    is_sealed: whether the file is encrypted by a sealing key, so that a copy of it is no use.
    """

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate_der: bytes, *, is_sealed: bool = False
    ) -> None:
        self._key = key
        self._certificate_der = certificate_der
        self.is_sealed = is_sealed
        self._public_der = certificates.public_der_of(key.public_key())
        self._node_id = NodeId.from_public_der(self._public_der)

    @classmethod
    def open_or_make(
        cls,
        state: Path,
        *,
        now: Callable[[], datetime],
        may_make: bool = True,
        sealing_key: bytes | None = None,
    ) -> "FileKey":
        """Read the key in the state folder's ``identity``, or make it at the first start.

        may_make:    False where the node has been somebody already, whose key must then be there.
        sealing_key: encrypts the file, also one that was plain so far; None leaves it plain.
        Raises: IdentityUnusable if what lies there cannot be trusted or does not fit together.
        """
        folder = state / "identity"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_private(folder, 0o700)
        key_path, certificate_path = folder / "identity.key", folder / "identity.crt"
        if not key_path.exists():
            if certificate_path.exists() or not may_make:
                raise IdentityUnusable(f"the identity key {key_path} is gone", remedy=_RESTORE)
            made_key = ec.generate_private_key(ec.SECP256R1())
            _write_durably(key_path, _private_pem(made_key, sealing_key), 0o600)
        key = _read_key(key_path, sealing_key)
        if not certificate_path.exists():  # first start, or killed in the middle of it
            made = certificates.make_identity_certificate(key, now())
            _write_durably(certificate_path, certificates.pem_of(made), 0o644)
        certificate_der = _read_certificate(certificate_path, key)
        return cls(key, certificate_der, is_sealed=sealing_key is not None)

    @staticmethod
    def lies_in(state: Path) -> bool:
        """Tell whether the node with this state folder has been somebody already."""
        return (state / "identity" / "identity.crt").exists()

    @property
    def public_der(self) -> bytes:
        """The public key, DER SubjectPublicKeyInfo."""
        return self._public_der

    @property
    def node_id(self) -> NodeId:
        """The node's id."""
        return self._node_id

    @property
    def certificate_der(self) -> bytes:
        """The self-signed identity certificate that peers pin."""
        return self._certificate_der

    def sign(self, data: bytes) -> bytes:
        """Return an ECDSA-SHA256 signature, DER."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def issue_leaf(
        self, public: ec.EllipticCurvePublicKey, not_before: datetime, not_after: datetime
    ) -> bytes:
        """Return a TLS certificate for ``public`` (DER)."""
        return certificates.make_leaf_certificate(self._key, public, not_before, not_after)

    def __repr__(self) -> str:
        return f"FileKey({self._node_id.short})"


def _private_pem(key: ec.EllipticCurvePrivateKey, sealing_key: bytes | None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if sealing_key is not None:
        encryption = serialization.BestAvailableEncryption(sealing_key.hex().encode())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def _read_key(path: Path, sealing_key: bytes | None) -> ec.EllipticCurvePrivateKey:
    """Read the key, and seal it from now on if there is what to do so with."""
    _require_private(path, 0o600)
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise IdentityUnusable(
            f"the identity key {path} cannot be read: {error.strerror}"
        ) from error
    if pem.startswith(_SEALED):
        key = _unsealed(path, pem, sealing_key)
    else:
        key = _parsed(path, pem)
        if sealing_key is not None:  # it was made before there was a sealing key
            _write_durably(path, _private_pem(key, sealing_key), 0o600)
            log.info("the identity key was a plain file; from now on it is sealed")
    return key


def _unsealed(path: Path, pem: bytes, sealing_key: bytes | None) -> ec.EllipticCurvePrivateKey:
    if sealing_key is None:
        raise IdentityUnusable(
            f"the identity key {path} is sealed, and the TPM did not give out the key to it",
            remedy=REMEDY,
        )
    try:
        return _parsed(path, pem, sealing_key.hex().encode())
    except IdentityUnusable as error:
        raise IdentityUnusable(
            f"the identity key {path} is sealed with another key than this machine's, or damaged",
            remedy=REMEDY,
        ) from error


def _parsed(path: Path, pem: bytes, password: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise IdentityUnusable(f"the identity key {path} is damaged", remedy=_RESTORE) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise IdentityUnusable(f"the identity key {path} is not a P-256 key", remedy=_RESTORE)
    return key


def _read_certificate(path: Path, key: ec.EllipticCurvePrivateKey) -> bytes:
    try:
        der = x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(
            serialization.Encoding.DER
        )
        _, public_der = certificates.identity_of(der)
    except OSError as error:
        raise IdentityUnusable(
            f"the identity certificate {path} cannot be read: {error.strerror}"
        ) from error
    except (ValueError, CertificateInvalid, SignatureInvalid) as error:
        raise IdentityUnusable(
            f"the identity certificate {path} is damaged", remedy=_RESTORE
        ) from error
    if public_der != certificates.public_der_of(key.public_key()):
        raise IdentityUnusable(
            f"the identity certificate {path} belongs to another key than identity.key beside it",
            remedy=_RESTORE,
        )
    return der


def _require_private(path: Path, mode: int) -> None:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise IdentityUnusable(f"{path} is a symbolic link", remedy="put the real thing there")
    if status.st_uid != os.geteuid():
        raise IdentityUnusable(
            f"{path} belongs to user {status.st_uid}, but the node runs as user {os.geteuid()}",
            remedy="start the node as its owner",
        )
    if stat.S_IMODE(status.st_mode) & ~mode:
        raise IdentityUnusable(
            f"{path} can be used by others (mode {stat.S_IMODE(status.st_mode):04o})",
            remedy=f"if nobody else has read it: chmod {mode:o} {path}; else become a new node",
        )


def _write_durably(path: Path, content: bytes, mode: int) -> None:
    """Write so that after a crash there is the whole file or none."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
