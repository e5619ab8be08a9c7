"""Reads an update bundle, as a stream of unknown honesty, once, in pieces.

A bundle is one file: a line that says what it is, a length, a signed envelope with the manifest,
and the four parts that the manifest lists, back to back, nothing after. It has no names of files,
no offsets and no compression, so that there is nothing in it to lie about but what is signed.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO, Final, Protocol

from appliance.updates.errors import (
    BundleForeign,
    BundleTooLong,
    BundleTruncated,
    ManifestMalformed,
    PartDamaged,
)
from appliance.updates.manifest import Manifest, Part, parse_manifest
from appliance.updates.trust import BUNDLE_TYPE, MOST_ENVELOPE_BYTES, Trust

MAGIC: Final = b"coffer update bundle 1\n"
LENGTH_BYTES: Final = 4
"""Of the envelope's length, the highest byte first."""
PIECE_BYTES: Final = 1 << 20


class Source(Protocol):
    """What bytes come from: an open file."""

    def read(self, count: int, /) -> bytes:
        """Return some of the next bytes, none at the end."""


Sink = Callable[[Part], AbstractContextManager[BinaryIO]]
"""Opens what a part is written to: a seekable file that is empty."""


def read_manifest(source: Source, trust: Trust) -> Manifest:
    """Return what the bundle says of itself, once that is seen to be signed.

    Raises: BundleForeign, BundleTruncated, ManifestMalformed, BundleUnsigned.
    """
    begins = _read(source, len(MAGIC), "header", short=BundleForeign)
    if begins != MAGIC:
        raise BundleForeign
    length = int.from_bytes(_read(source, LENGTH_BYTES, "header"), "big")
    if not 0 < length <= MOST_ENVELOPE_BYTES:
        raise ManifestMalformed("the envelope is too long")
    return parse_manifest(trust.verified(_read(source, length, "manifest"), BUNDLE_TYPE))


def copy_parts(
    source: Source, manifest: Manifest, sink: Sink, tell: Callable[[int, int], None]
) -> None:
    """Write each part to its sink while it is hashed; a part that is wrong ends it.

    What was written counts only if this returns. tell: hears how many bytes of how many were read.
    Raises: BundleTruncated, PartDamaged, BundleTooLong.
    """
    done, total = 0, sum(part.stored_bytes for part in manifest.parts)
    for part in manifest.parts:
        digest = hashlib.sha256()
        with sink(part) as file:
            left = part.stored_bytes
            while left:
                piece = source.read(min(left, PIECE_BYTES))
                if not piece:
                    raise BundleTruncated(f"part {part.name}")
                digest.update(piece)
                file.write(piece)
                left -= len(piece)
                done += len(piece)
                tell(done, total)
            if digest.hexdigest() != part.sha256:
                raise PartDamaged(part.name)
            file.truncate(part.size_bytes)
    if source.read(1):
        raise BundleTooLong


def _read(
    source: Source, count: int, what: str, *, short: type[BundleForeign] | None = None
) -> bytes:
    """Return exactly so many bytes."""
    read = b""
    while len(read) < count:
        piece = source.read(count - len(read))
        if not piece:
            raise short() if short else BundleTruncated(what)
        read += piece
    return read
