"""Writes a release's update bundle: the four parts of a slot behind a signed manifest.

``appliance/updates/bundle.py`` reads it and says what it looks like. It depends on the parts, the
version and the key alone. Beside it lies the index, which says that it is the newest.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.dsse import Envelope
from securesystemslib.signer import (  # type: ignore[attr-defined] # public, but re-exported untold
    Key,
    Signature,
    Signer,
    SSlibKey,
)

from firmware.boot.pe import parse_image
from image import places
from image.build import Build
from image.errors import ImageError, KeyRefused
from image.keys import Keys
from image.signing import Signer as Signing

MAGIC: Final = b"coffer update bundle 1\n"
BUNDLE_TYPE: Final = "application/vnd.coffer.update+json"
INDEX_TYPE: Final = "application/vnd.coffer.update-index+json"
SCHEME: Final = "rsa-pkcs1v15-sha256"
IMAGE: Final = "coffer"
ARCHITECTURE: Final = "x86-64"
PARTITIONS: Final = ("usr-verity-sig", "usr-verity", "usr")
# Every release mends something, so that none stays installable for ever.
LIFE_SECONDS: Final = 365 * 24 * 3600
INDEX_LIFE_SECONDS: Final = 30 * 24 * 3600
# Nothing before the first release with slots; a release that needs one between raises it.
OLDEST_REPLACED: Final = "20261101.000000"
MIGRATIONS: Final = places.TREE / "appliance/store/migrations/versions"
_PIECE_BYTES: Final = 1 << 20


def write(build: Build, signing: Signing) -> Path:
    """Write bundle and index of what a build has made beside the disk; return the bundle.

    Raises: ImageError if a part is missing.
    """
    made = build.workspace / "output"
    bundle = made / f"coffer_{build.version}.bundle"
    image = image_name((made / f"coffer_{build.version}.efi").read_bytes())
    write_bundle(
        find_parts(made, build.version),
        bundle,
        version=build.version,
        created=build.epoch_seconds,
        signers=signers(signing),
        image=image,
    )
    say_newest(made, build.version, signing)
    return bundle


def say_newest(made: Path, version: str, signing: Signing) -> None:
    """Write, or write anew, the index that says of a build's bundle that it is the newest.

    It holds for a month from when it is written, and no other file changes with it.
    """
    bundle = made / f"coffer_{version}.bundle"
    image = image_name((made / f"coffer_{version}.efi").read_bytes())
    index = write_index(bundle, version, int(time.time()), signers(signing), image=image)
    (made / f"coffer_{version}.index.json").write_bytes(index)


def image_name(kernel: bytes) -> str:
    """Return what an update of an image must be of: as os-release in its kernel image says.

    An image of other profiles has another name, and is no update of one without.
    """
    found = parse_image(kernel)
    texts = [found.contents(one) for one in found.sections if one.name == ".osrel"]
    lines = b"".join(texts).rstrip(b"\0").decode().splitlines()
    said = {name: value.strip("\"'") for name, _, value in (line.partition("=") for line in lines)}
    return "-".join(word for word in (IMAGE, said.get("VARIANT_ID")) if word)


def find_parts(made: Path, version: str) -> dict[str, Path]:
    """Return the files of a slot's parts, in the bundle's order.

    Raises: ImageError if one is missing.
    """
    found = {}
    for name in PARTITIONS:
        arch_name = name.replace("usr", f"usr-{ARCHITECTURE}", 1)
        files = sorted(made.glob(f"coffer_{version}.{arch_name}.{'[0-9a-f]' * 32}.raw"))
        if len(files) != 1:
            raise ImageError(f"there is no one partition {name} of {version}", "build again")
        found[name] = files[0]
    found["uki"] = made / f"coffer_{version}.efi"
    if not found["uki"].is_file():
        raise ImageError(f"there is no kernel image of {version}", "build again")
    return found


def write_bundle(
    parts: dict[str, Path],
    bundle: Path,
    *,
    version: str,
    created: int,
    signers: Sequence[Signer],
    image: str = IMAGE,
    change: Callable[[dict[str, Any]], None] = lambda manifest: None,
) -> None:
    """Write a bundle of these files. change: may alter the manifest before it is signed."""
    manifest = {
        "format": 1,
        "image": image,
        "version": version,
        "architecture": ARCHITECTURE,
        "created": created,
        "expires": created + LIFE_SECONDS,
        "oldest_replaced": OLDEST_REPLACED,
        "schemas": read_schemas(),
        "parts": [_described(name, file) for name, file in parts.items()],
    }
    stored = [part["stored_bytes"] for part in manifest["parts"]]  # type: ignore[attr-defined]
    change(manifest)
    envelope = sign(manifest, BUNDLE_TYPE, signers)
    with bundle.open("wb") as out:
        out.write(MAGIC + len(envelope).to_bytes(4, "big") + envelope)
        for file, count in zip(parts.values(), stored, strict=True):
            with file.open("rb") as source:
                _copy(source, count, out.write)


def write_index(
    bundle: Path, version: str, now: int, signers: Sequence[Signer], *, image: str = IMAGE
) -> bytes:
    """Return the signed word on which bundle is the newest, good for a month."""
    digest = hashlib.sha256()
    with bundle.open("rb") as source:
        _copy(source, bundle.stat().st_size, digest.update)
    index = {
        "format": 1,
        "image": image,
        "architecture": ARCHITECTURE,
        "version": version,
        "created": now,
        "expires": now + INDEX_LIFE_SECONDS,
        "bundle": bundle.name,
        "size_bytes": bundle.stat().st_size,
        "sha256": digest.hexdigest(),
    }
    return sign(index, INDEX_TYPE, signers)


def sign(said: dict[str, Any], payload_type: str, signers: Sequence[Signer]) -> bytes:
    """Return an envelope with what is said, signed by all."""
    payload = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    envelope = Envelope(payload, payload_type, {})
    for signer in signers:
        envelope.sign(signer)
    return json.dumps(envelope.to_dict(), sort_keys=True, separators=(",", ":")).encode()


class VendorSigner(Signer):
    """Signs with a vendor's key, be it a file or in a token, for securesystemslib."""

    def __init__(self, signing: Signing, name: str) -> None:
        self._signing, self._name = signing, name
        self._public = _public_key(signing.keys.named(name).certificate)
        self._key = SSlibKey.from_crypto(self._public, scheme=SCHEME)

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: Any = None
    ) -> NoReturn:
        """Refuse: keys are named by their use, as image/keys.py does."""
        raise NotImplementedError

    @property
    def public_key(self) -> Key:
        """The public half."""
        return self._key

    def sign(self, payload: bytes) -> Signature:
        """Sign bytes. Raises: CommandFailed if the token fails."""
        # A detached signature without attributes ends with the bare signature over its content.
        made = self._signing.detached(self._name, payload)[-self._public.key_size // 8 :]
        self._public.verify(made, payload, padding.PKCS1v15(), hashes.SHA256())
        return Signature(self._key.keyid, made.hex())


def signers(signing: Signing) -> list[Signer]:
    """Return who signs updates of a vendor: the key ``update``, and those ``update-…`` beside it.

    Raises: KeyRefused if there is none.
    """
    folder = signing.keys.folder
    found = sorted(path.stem for path in folder.glob("update*.crt"))
    if not found:
        raise KeyRefused(f"there is no key update in {folder}", "make it: make image-keys")
    return [VendorSigner(signing, name) for name in found]


def _public_key(certificate: Path) -> rsa.RSAPublicKey:
    public = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise KeyRefused(f"{certificate} holds no RSA key", "updates are signed by RSA: make one")
    return public


def trusted(keys: Keys, threshold: int = 1) -> bytes:
    """Return what goes into the image: who may sign its updates, and how many of them must."""
    pems = []
    for path in sorted(keys.folder.glob("update*.crt")):
        public = _public_key(path)
        pems.append(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
    return json.dumps({"threshold": threshold, "keys": pems}, indent=1).encode() + b"\n"


def read_schemas(folder: Path = MIGRATIONS) -> list[str]:
    """Return the revisions of the node's database that the release reads, oldest first.

    Raises: ImageError if the scripts are not one line of descent.
    """
    line = re.compile(r'^(revision|down_revision)(?:: Final)? = (?:"(\w+)"|None)$', re.MULTILINE)
    after = {}
    for script in folder.glob("*.py"):
        said = dict(line.findall(script.read_text(encoding="utf-8")))
        after[said["down_revision"]] = said["revision"]
    revisions, last = [], ""
    while last in after:
        last = after.pop(last)
        revisions.append(last)
    if after or not revisions:
        raise ImageError("the database's migrations are not one line", f"mend {folder}")
    return revisions


def _described(name: str, file: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    stored = _stored_bytes(file)
    with file.open("rb") as source:
        _copy(source, stored, digest.update)
    return {
        "name": name,
        "size_bytes": file.stat().st_size,
        "stored_bytes": stored,
        "sha256": digest.hexdigest(),
        "partition_id": "" if name == "uki" else file.name.split(".")[-2],
    }


def _stored_bytes(file: Path) -> int:
    """Return a file's size without the zeros at its end, which a slot has anyway; at least 1."""
    left = file.stat().st_size
    with file.open("rb") as source:
        while left:
            start = max(0, left - _PIECE_BYTES)
            source.seek(start)
            found = len(source.read(left - start).rstrip(b"\0"))
            if found:
                return start + found
            left = start
    return 1


def _copy(source: BinaryIO, count: int, write: Callable[[bytes], object]) -> None:
    while count:
        piece = source.read(min(count, _PIECE_BYTES))
        if not piece:
            raise ImageError("a part of the bundle was cut short", "build again")
        write(piece)
        count -= len(piece)
