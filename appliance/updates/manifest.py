"""What a bundle says of itself, in the words that are signed; nothing here trusts it yet."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from appliance.updates.errors import ManifestMalformed

MOST_MANIFEST_BYTES: Final = 64 << 10
MOST_BYTES: Final = {
    "usr-verity-sig": 16 << 10,
    "usr-verity": 32 << 20,
    "usr": 768 << 20,
    "uki": 192 << 20,
}
"""The most that each part may have: a slot's partition, and what the boot partition takes twice.

Its order is that of the parts in a bundle. What starts the rest comes last.
"""

Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{8}\.[0-9]{6}$")]
"""Date and time of a release's sources; of one length, so that texts compare as versions do."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Seconds = Annotated[int, Field(ge=0, lt=1 << 37)]
"""Since 1970-01-01 UTC."""
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Revision = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,32}$")]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Part(_Said):
    """One of a release's four parts.

    size_bytes:   that it takes in its slot; stored_bytes: that come in the bundle, the rest is 0.
    sha256:       of the bytes that come.
    partition_id: of the partition that it becomes, by which the kernel image finds it; else empty.
    """

    name: Literal["usr-verity-sig", "usr-verity", "usr", "uki"]
    size_bytes: Annotated[int, Field(gt=0)]
    stored_bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256
    partition_id: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{32})?$")]


class Manifest(_Said):
    """A release as its bundle describes it.

    oldest_replaced: the oldest version that may be running when this one is installed.
    schemas:         the revisions of the node's database that it can read, oldest first.
    """

    format: Literal[1]
    image: Word
    version: Version
    architecture: Word
    created: Seconds
    expires: Seconds
    oldest_replaced: Version
    schemas: Annotated[tuple[Revision, ...], Field(min_length=1, max_length=1000)]
    parts: Annotated[tuple[Part, ...], Field(max_length=len(MOST_BYTES))]

    def part(self, name: str) -> Part:
        """Return the part of a name that is in :data:`MOST_BYTES`."""
        return next(part for part in self.parts if part.name == name)


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest, whose parts are all there, once, in order, none too big.

    Raises: ManifestMalformed
    """
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        raise ManifestMalformed(_told(error)) from None
    names = [part.name for part in manifest.parts]
    if names != list(MOST_BYTES):
        raise ManifestMalformed(f"its parts are not {', '.join(MOST_BYTES)}")
    for part in manifest.parts:
        if part.size_bytes > MOST_BYTES[part.name]:
            raise ManifestMalformed(f"the part {part.name} is too big for a slot")
        if part.stored_bytes > part.size_bytes:
            raise ManifestMalformed(f"more is stored of the part {part.name} than it has")
        if bool(part.partition_id) == (part.name == "uki"):
            raise ManifestMalformed(f"the part {part.name} is not named as a partition should be")
    if manifest.expires <= manifest.created:
        raise ManifestMalformed("it expires before it was made")
    return manifest


def _told(error: ValidationError) -> str:
    """Name the first place that is wrong; nothing of a stranger's text."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part)[:40] for part in first["loc"] if str(part).isascii())
    return f"{place or 'JSON'}: {first['type'].replace('_', ' ')}"
