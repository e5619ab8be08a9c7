"""What an operator's machine keeps: one key of the operator, and a pin for each node."""

import os
import re
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from appliance.identity.certificates import identity_of
from appliance.identity.errors import CertificateInvalid, IdentityUnusable, SignatureInvalid
from appliance.identity.keys import FileKey
from appliance.identity.node_id import NodeId
from appliance.peering.addresses import parse_address
from appliance.peering.errors import AddressMistyped
from appliance.remote.errors import FolderUnfit, RemoteExists, RemoteMistyped, RemoteNotFound

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A node that this operator administers from afar: where it answers, and its pinned key."""

    name: str
    address: str
    certificate_der: bytes

    @property
    def node_id(self) -> NodeId:
        """The node's id."""
        return identity_of(self.certificate_der)[0]

    @property
    def public_der(self) -> bytes:
        """The node's public key."""
        return identity_of(self.certificate_der)[1]


class _Kept(BaseModel):
    """How a pin is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    address: str
    # The identity certificate, DER, in base64.
    certificate: str


class RemoteFolder:
    """The folder of one operator; it is made on first use, for its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pins = folder / "remotes"

    def key(self) -> FileKey:
        """Return the operator's key, made on first use. Raises: FolderUnfit."""
        try:
            return FileKey.open_or_make(self._folder, now=lambda: datetime.now(UTC))
        except IdentityUnusable as error:
            raise FolderUnfit(
                error.what,
                remedy=f"mend it; or remove {self._folder} to get a new key, with which you must be"
                " enrolled anew at each node",
            ) from error
        except OSError as error:
            raise self._unfit(error) from error

    def all(self) -> Sequence[Remote]:
        """Return the known nodes by name. Raises: FolderUnfit."""
        names = sorted(path.stem for path in self._pins.glob("*.json"))
        return [self.find(name) for name in names if _NAME.fullmatch(name)]

    def find(self, name: str) -> Remote:
        """Return a known node. Raises: RemoteNotFound, RemoteMistyped, FolderUnfit."""
        path = self._path_of(name)
        try:
            kept = _Kept.model_validate_json(path.read_bytes())
            made = Remote(
                name=name,
                address=parse_address(kept.address),
                certificate_der=b64decode(kept.certificate, validate=True),
            )
            identity_of(made.certificate_der)
        except FileNotFoundError:
            known = ", ".join(path.stem for path in sorted(self._pins.glob("*.json")))
            raise RemoteNotFound(
                f"no node is known as {name}",
                remedy=f"known are: {known}" if known else 'make it known: "coffer remote add"',
            ) from None
        except OSError as error:
            raise self._unfit(error) from error
        except (ValidationError, ValueError, CertificateInvalid, SignatureInvalid) as error:
            raise FolderUnfit(f"{path} is damaged", remedy="remove it and add the node") from error
        except AddressMistyped as error:
            raise FolderUnfit(f"{path}: {error.what}", remedy=error.remedy) from error
        return made

    def require_free(self, name: str) -> None:
        """Return if a node may be called so. Raises: RemoteExists, RemoteMistyped."""
        if self._path_of(name).exists():
            raise RemoteExists(
                f"a node is known as {name} already",
                remedy=f'choose another name, or forget that one: "coffer remote remove {name}"',
            )

    def put(self, remote: Remote) -> None:
        """Keep a node's pin, whole or not at all. Raises: FolderUnfit."""
        path = self._path_of(remote.name)
        certificate = b64encode(remote.certificate_der).decode("ascii")
        text = _Kept(address=remote.address, certificate=certificate).model_dump_json()
        try:
            self._pins.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._pins, delete=False) as file:
                made = Path(file.name)
                try:
                    file.write(text.encode())
                    file.flush()
                    os.fsync(file.fileno())
                    made.replace(path)
                finally:
                    made.unlink(missing_ok=True)
        except OSError as error:
            raise self._unfit(error) from error

    def remove(self, name: str) -> Remote:
        """Forget a node. Raises: RemoteNotFound, RemoteMistyped, FolderUnfit."""
        gone = self.find(name)
        self._path_of(name).unlink(missing_ok=True)
        return gone

    def _path_of(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise RemoteMistyped(
                f"{name[:64]!r} cannot be a node's name here",
                remedy="take letters and digits, and in between _ . -",
            )
        return self._pins / f"{name}.json"

    def _unfit(self, error: OSError) -> FolderUnfit:
        return FolderUnfit(
            f"{error.filename or self._folder}: {(error.strerror or str(error)).lower()}",
            remedy=f"check the owner, the mode and the disk of {self._folder}",
        )
