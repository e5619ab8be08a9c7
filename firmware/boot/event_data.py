"""What the data of an event say, for people to read: claims of the log, proven by nothing.

Source: TCG PFP 1.06 §10.4 (UEFI_VARIABLE_DATA, UEFI_IMAGE_LOAD_EVENT); UEFI 2.10 §10.3 (device
paths). See :meth:`firmware.boot.event_log.Event.proven_data` for what a digest does prove.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from firmware.boot.event_types import ACTION_TYPES, IMAGE_TYPES, VARIABLE_TYPES, EventType
from firmware.errors import MalformedInput
from firmware.reading import Reader

MOST_NAME_CHARACTERS: Final = 1024
MOST_DESCRIBED_CHARACTERS: Final = 200
MOST_PATH_NODES: Final = 64

# UEFI 2.10, table 10-2 and §10.3.5.4: a node that carries a path of a file; the end of a path.
_MEDIA, _FILE_PATH = 0x04, 0x04
_END = 0x7F


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableData:
    """UEFI_VARIABLE_DATA: a variable as it was measured."""

    namespace: UUID
    name: str
    value: bytes

    def encoded(self) -> bytes:
        """Return the bytes whose digest goes into the PCR."""
        name = self.name.encode("utf-16-le", "surrogatepass")
        return b"".join(
            (
                self.namespace.bytes_le,
                (len(name) // 2).to_bytes(8, "little"),
                len(self.value).to_bytes(8, "little"),
                name,
                self.value,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLoad:
    """UEFI_IMAGE_LOAD_EVENT: where an image was loaded from.

    The digest of such an event is the image's Authenticode hash, not a digest of these fields.
    """

    location_in_memory: int
    length_in_memory: int
    link_time_address: int
    file_path: str


def parse_variable(data: bytes) -> VariableData:
    """Return the variable that an event's data hold; MalformedInput if they hold none."""
    reader = Reader(data=data, subject="variable in an event")
    namespace = reader.guid("its GUID")
    characters = reader.number(8, "the length of its name")
    value_bytes = reader.number(8, "the length of its value")
    name = reader.take(2 * characters, "its name", most=2 * MOST_NAME_CHARACTERS)
    value = reader.take(value_bytes, "its value")
    reader.require_end("its value")
    # Any two bytes are a character here, so that encoded() gives back what was measured.
    return VariableData(
        namespace=namespace, name=name.decode("utf-16-le", "surrogatepass"), value=value
    )


def parse_image_load(data: bytes) -> ImageLoad:
    """Return what an event says of a loaded image; MalformedInput if it breaks its format."""
    reader = Reader(data=data, subject="loaded image in an event")
    location, length, link_address, path_bytes = (
        reader.number(8, what)
        for what in ("its location", "its length", "its link-time address", "its path's length")
    )
    path = reader.take(path_bytes, "its device path")
    reader.require_end("its device path")
    return ImageLoad(
        location_in_memory=location,
        length_in_memory=length,
        link_time_address=link_address,
        file_path=file_path_in(path),
    )


def file_path_in(device_path: bytes) -> str:
    r"""Return the file that a device path leads to, as ``\EFI\…``; empty if to none."""
    reader = Reader(data=device_path, subject="device path")
    names: list[str] = []
    for _ in range(MOST_PATH_NODES):
        if not reader.left:
            break
        kind = reader.number(1, "a node's type")
        subkind = reader.number(1, "a node's subtype")
        size = reader.number(2, "a node's length")
        content = reader.take(size - 4, "a node")
        if kind == _END:
            break
        if (kind, subkind) == (_MEDIA, _FILE_PATH):
            names.append(content.decode("utf-16-le", "replace").rstrip("\0"))
    else:
        raise reader.fault(f"it has more than {MOST_PATH_NODES} nodes")
    return "\\".join(name.strip("\\") for name in ["", *names]) if names else ""


def describe(kind: int, data: bytes) -> str:
    """Return in a few words what an event's data claim; never fails, shows nothing unprintable."""
    try:
        text = _described(kind, data)
    except MalformedInput as error:
        text = f"malformed: {error.what}"
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return shown[:MOST_DESCRIBED_CHARACTERS]


def _described(kind: int, data: bytes) -> str:
    if kind in VARIABLE_TYPES:
        variable = parse_variable(data)
        return f"variable {variable.name} of {len(variable.value)} bytes"
    if kind in IMAGE_TYPES:
        image = parse_image_load(data)
        return f"image {image.file_path or 'without a file'} of {image.length_in_memory} bytes"
    if kind == EventType.EV_SEPARATOR:
        return f"separator {data.hex()}" if len(data) == 4 else f"separator {data!r}"
    if kind in ACTION_TYPES:
        return data.rstrip(b"\0").decode("ascii", "replace")
    if kind == EventType.EV_IPL:
        return text_in(data)
    return f"{len(data)} bytes"


def text_in(data: bytes) -> str:
    """Return a loader's text: boot loaders write UTF-16 with a NUL, some write ASCII."""
    is_wide = len(data) >= 2 and len(data) % 2 == 0 and not any(data[1:64:2])
    return data.decode("utf-16-le" if is_wide else "utf-8", "replace").rstrip("\0")
