"""What a dataset's content is, in 32 bytes; and how peers hear of it without learning anything."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance.datasets.errors import DatasetChanged, FileUnreadable, FileVanished
from appliance.datasets.source import FileStamp, Kind, Source

SALT_BYTES: Final = 32


def hash_content(kind: Kind, location: str, files: Sequence[str]) -> str:
    """Return the SHA-256 of a file's bytes, or for a query of its text and its files' hashes.

    A query gives the same rows from the same files: :func:`~appliance.datasets.query.find_files`
    refuses those that don't.
    Raises: FileVanished, FileUnreadable; DatasetChanged if a file changes meanwhile.
    """
    digests = [_hash_file(path) for path in files]
    if kind is not Kind.QUERY:
        return digests[0]
    return hashlib.sha256(json.dumps([location, *digests]).encode()).hexdigest()


def commitment(salt: bytes, content_hash: str) -> str:
    """Return the fingerprint that contracts carry: HMAC-SHA256 of the content hash.

    Without the salt, which never leaves the node, a peer cannot test a guess at the table.
    """
    return hmac.digest(salt, bytes.fromhex(content_hash), "sha256").hex()


def require_unchanged(source: Source) -> tuple[FileStamp, ...]:
    """Return the files' stamps if the content is still what was registered.

    Only files whose stamp has changed are a reason to read the content again.
    Raises: DatasetChanged, FileVanished, FileUnreadable.
    """
    stamps = tuple(FileStamp.of(stamp.path) for stamp in source.files)
    if stamps != source.files:
        files = [stamp.path for stamp in source.files]
        if hash_content(source.kind, source.location, files) != source.content_hash:
            raise DatasetChanged(_culprit(source, stamps))
    return stamps


def require_same_stamps(stamps: Sequence[FileStamp]) -> None:
    """Raise DatasetChanged if a file was written since its stamp was taken."""
    for stamp in stamps:
        if FileStamp.of(stamp.path) != stamp:
            raise DatasetChanged(stamp.path)


def _culprit(source: Source, stamps: Sequence[FileStamp]) -> str:
    pairs = zip(source.files, stamps, strict=True)
    return next(now.path for then, now in pairs if then != now)


def _hash_file(path: str) -> str:
    before = FileStamp.of(path)
    try:
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise FileVanished(Path(path)) from None
    except OSError as error:
        raise FileUnreadable(Path(path), error.strerror or str(error)) from error
    require_same_stamps([before])
    return digest
