"""The vendor's server of updates: a signed word on what is newest, and the bundle it names.

Only the signatures are believed. TLS keeps from others what is fetched; the address is an
operator's, and nothing that the server says leads anywhere else.
"""

import hashlib
import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal, NoReturn
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from appliance.updates.errors import (
    BundleForMachine,
    BundleForOther,
    IndexStale,
    ManifestMalformed,
    PartDamaged,
    SourceUnusable,
)
from appliance.updates.manifest import MOST_BYTES, Seconds, Sha256, Version, Word
from appliance.updates.rules import CLOCK_SECONDS, Here
from appliance.updates.trust import INDEX_TYPE, MOST_ENVELOPE_BYTES, Trust

MOST_BUNDLE_BYTES: Final = sum(MOST_BYTES.values()) + 2 * MOST_ENVELOPE_BYTES
MOST_URL: Final = 500
SILENCE_SECONDS: Final = 60.0
_PIECE_BYTES: Final = 1 << 20
_TELL_BYTES: Final = 4 << 20


class Index(BaseModel):
    """Which bundle is the newest, and until when that may be believed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1]
    image: Word
    architecture: Word
    version: Version
    created: Seconds
    expires: Seconds
    bundle: Annotated[str, StringConstraints(pattern=r"^coffer_[0-9]{8}\.[0-9]{6}\.bundle$")]
    size_bytes: Annotated[int, Field(gt=0, le=MOST_BUNDLE_BYTES)]
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A folder on an HTTPS server.

    authority: PEM of who vouches for its certificate; empty for the public ones.
    """

    url: str
    authority: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no such folder. Raises: SourceUnusable."""
        try:
            split = urlsplit(self.url)
            is_fit = split.scheme == "https" and split.hostname and not split.username
        except ValueError:
            is_fit = False
        bad = len(self.url) > MOST_URL or any(ord(one) <= 32 or ord(one) > 126 for one in self.url)
        if not is_fit or bad or split.query or split.fragment:
            raise SourceUnusable(
                "this is no address of a folder on an HTTPS server",
                remedy="give it as https://host/folder",
            )
        self._context()

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a small file of the folder. Raises: SourceUnusable."""
        with self._open(name, {}) as reply:
            data = bytes(reply.read(most_bytes + 1))
        if len(data) > most_bytes:
            raise SourceUnusable(f"{name} on the server is too long", remedy=_SEE_SERVER)
        return data

    def fetch(self, index: Index, target: Path, tell: Callable[[int], None]) -> None:
        """Fetch the bundle that an index names, going on where an earlier attempt has ended.

        Raises: SourceUnusable, PartDamaged if it is not the one that the index names.
        """
        have = min(target.stat().st_size if target.exists() else 0, index.size_bytes)
        if have < index.size_bytes:
            self._fetch_rest(index, target, have, tell)
        digest = hashlib.sha256()
        with target.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
        if digest.hexdigest() != index.sha256:
            target.unlink()
            raise PartDamaged("bundle")

    def _fetch_rest(
        self, index: Index, target: Path, have: int, tell: Callable[[int], None]
    ) -> None:
        wanted = {"Range": f"bytes={have}-"} if have else {}
        with self._open(index.bundle, wanted) as reply:
            begin = f"bytes {have}-{index.size_bytes - 1}/{index.size_bytes}"
            is_rest = reply.status == 206 and reply.headers.get("Content-Range") == begin
            have = have if is_rest else 0
            told = have
            with target.open("r+b" if is_rest else "wb") as file:
                file.seek(have)
                while have < index.size_bytes:
                    piece = self._piece(reply, min(_PIECE_BYTES, index.size_bytes - have))
                    file.write(piece)
                    have += len(piece)
                    if have - told >= _TELL_BYTES:
                        told = have
                        tell(have)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())

    def _piece(self, reply: Any, count: int) -> bytes:
        try:
            piece = bytes(reply.read(count))
        except (OSError, HTTPException) as error:
            raise SourceUnusable(
                f"the server fell silent ({type(error).__name__})",
                remedy="try again; what was fetched is kept",
            ) from None
        if not piece:
            raise SourceUnusable(
                "the server ended too early", remedy="try again; what was fetched is kept"
            )
        return piece

    def _open(self, name: str, headers: Mapping[str, str]) -> Any:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=self._context()),
            _NoRedirects(),
        )
        request = urllib.request.Request(  # noqa: S310 - its scheme was checked
            f"{self.url.rstrip('/')}/{name}", headers={"User-Agent": "coffer", **headers}
        )
        try:
            return opener.open(request, timeout=SILENCE_SECONDS)
        except urllib.error.HTTPError as error:
            error.close()
            raise SourceUnusable(
                f"the server answers {error.code} for {name}", remedy=_SEE_SERVER
            ) from None
        except (OSError, HTTPException) as error:
            cause = getattr(error, "reason", error)
            raise SourceUnusable(
                f"the server of updates cannot be reached ({str(cause)[:200]})",
                remedy="check its address, its certificate and the network",
            ) from None

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cadata=self.authority or None)
        except (ssl.SSLError, ValueError):
            raise SourceUnusable(
                "the authority is no certificate", remedy="give it as a PEM file"
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


_SEE_SERVER: Final = "see that the vendor's files lie in the folder, whole"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A server that leads elsewhere is refused: an operator said where updates come from."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> NoReturn:
        raise urllib.error.HTTPError(req.full_url, code, msg, headers, fp)


def index_name(here: Here) -> str:
    """Return the name of the index for machines such as this."""
    return f"{here.image}_{here.architecture}.index.json"


def read_index(data: bytes, trust: Trust, here: Here, *, seen: int) -> Index:
    """Return the index if it is signed, for this machine, in date, and no older than one seen.

    seen: when the newest index so far was made.
    Raises: BundleUnsigned, ManifestMalformed, BundleForOther, BundleForMachine, IndexStale.
    """
    try:
        index = Index.model_validate_json(trust.verified(data, INDEX_TYPE))
    except ValidationError:
        raise ManifestMalformed("the index of updates cannot be read") from None
    if index.image != here.image:
        raise BundleForOther(index.image)
    if index.architecture != here.architecture:
        raise BundleForMachine(index.architecture, here.architecture)
    if index.created < seen:
        raise IndexStale("is older than one that was here before")
    if index.expires <= here.now:
        raise IndexStale("has expired")
    if index.created > here.now + CLOCK_SECONDS:
        raise IndexStale("is of a time to come")
    return index


def write_json(path: Path, said: object) -> None:
    """Keep a small file whole and durably."""
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(said, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
