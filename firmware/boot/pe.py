"""Read as much of a PE image as its measurements need: its sections and its Authenticode hash.

Source: Microsoft PE Format (headers, section table, attribute certificate table) and "Windows
Authenticode Portable Executable Signature Format", "Calculating the PE image hash".
"""

from dataclasses import dataclass
from typing import Final

from firmware.boot.banks import Bank
from firmware.errors import MalformedInput
from firmware.reading import Reader

MOST_IMAGE_BYTES: Final = 1024 * 1024 * 1024
MOST_SECTIONS: Final = 512
MOST_ZEROS_BYTES: Final = 64 * 1024 * 1024

_PE_OFFSET_AT: Final = 0x3C
_COFF_BYTES: Final = 20
_SECTION_BYTES: Final = 40
_CERTIFICATES: Final = 4  # the entry of the data directories
# By the magic of the optional header: where its number of data directories stands.
_DIRECTORY_COUNT_AT: Final = {0x10B: 92, 0x20B: 108}
_CHECKSUM_AT: Final = 64
_SIZE_OF_HEADERS_AT: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: its name, and what of it lies in the file.

    memory_bytes: how much the loader maps; what the file lacks of it is zeros
    """

    name: str
    file_offset: int
    file_bytes: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A PE image with what its headers say, checked against its size."""

    data: bytes
    sections: tuple[Section, ...]
    headers_bytes: int
    checksum_at: int
    certificates_entry_at: int | None
    certificates: tuple[int, int]

    def contents(self, section: Section) -> bytes:
        """Return a section as it lies in memory: cut or filled with zeros to its size there."""
        stored = min(section.file_bytes, section.memory_bytes)
        piece = self.data[section.file_offset : section.file_offset + stored]
        return piece + bytes(section.memory_bytes - stored)

    def authenticode(self, bank: Bank) -> bytes:
        """Return the hash that firmware measures, and that signatures of the image sign.

        All but the checksum, the directory's entry of the certificates, and these themselves:
        headers, then sections in the order of the file, then what lies behind them.
        """
        data = memoryview(self.data)  # its pieces are no copies
        pieces = [data[: self.checksum_at]]
        after = self.checksum_at + 4
        if self.certificates_entry_at is not None:
            pieces.append(data[after : self.certificates_entry_at])
            after = self.certificates_entry_at + 8
        pieces.append(data[after : self.headers_bytes])
        hashed = self.headers_bytes
        for section in sorted(self.sections, key=lambda one: one.file_offset):
            if section.file_bytes:
                end = section.file_offset + section.file_bytes
                pieces.append(data[section.file_offset : end])
                hashed += section.file_bytes
        pieces.append(data[hashed : len(data) - self.certificates[1]])
        return bank.digest(b"".join(pieces))


def parse_image(data: bytes) -> Image:
    """Return what a PE image's headers say; MalformedInput names what in them cannot be."""
    reader = Reader(data=data, subject="PE image")
    if len(data) > MOST_IMAGE_BYTES:
        raise reader.fault(f"{len(data)} bytes are more than {MOST_IMAGE_BYTES}")
    if reader.take(2, "its DOS header") != b"MZ":
        raise reader.fault("it does not begin with MZ")
    pe_at = _jump(reader, _PE_OFFSET_AT).number(4, "the place of its PE header")
    if _jump(reader, pe_at).take(4, "its PE signature") != b"PE\0\0":
        raise reader.fault("its PE signature is missing")
    coff = Reader(data=reader.take(_COFF_BYTES, "its COFF header"), subject="COFF header")
    count = _jump(coff, 2).number(2, "the number of sections")
    optional_bytes = _jump(coff, 16).number(2, "the size of the optional header")
    if count > MOST_SECTIONS:
        raise reader.fault(f"it has {count} sections, more than {MOST_SECTIONS}")
    optional_at = reader.at
    optional = Reader(
        data=reader.take(optional_bytes, "its optional header"), subject="optional header"
    )
    headers_bytes = _jump(optional, _SIZE_OF_HEADERS_AT).number(4, "the size of headers")
    entry_at, certificates = _certificates(optional)
    sections = tuple(_parse_section(reader) for _ in range(count))
    if not reader.at <= headers_bytes <= len(data):
        raise reader.fault(f"its headers cannot have {headers_bytes} bytes")
    image = Image(
        data=data,
        sections=sections,
        headers_bytes=headers_bytes,
        checksum_at=optional_at + _CHECKSUM_AT,
        certificates_entry_at=None if entry_at is None else optional_at + entry_at,
        certificates=certificates,
    )
    _require_places(image)
    return image


def _jump(reader: Reader, at: int) -> Reader:
    """Move a reader to a place in its bytes, which may lie before where it stands."""
    if not 0 <= at <= len(reader.data):
        raise reader.fault(f"it points to byte {at} of {len(reader.data)}")
    reader.at = at
    return reader


def _certificates(optional: Reader) -> tuple[int | None, tuple[int, int]]:
    """Return where in the optional header the certificates' entry stands, and what it says."""
    magic = _jump(optional, 0).number(2, "its magic")
    if magic not in _DIRECTORY_COUNT_AT:
        raise optional.fault(f"its magic 0x{magic:x} is neither PE32 nor PE32+")
    count_at = _DIRECTORY_COUNT_AT[magic]
    if _jump(optional, count_at).number(4, "the number of data directories") <= _CERTIFICATES:
        return None, (0, 0)
    entry_at = count_at + 4 + 8 * _CERTIFICATES
    _jump(optional, entry_at)
    place = optional.number(4, "the place of certificates")
    size = optional.number(4, "the size of certificates")
    return entry_at, (place, size)


def _parse_section(reader: Reader) -> Section:
    """Return the next entry of the section table."""
    entry = Reader(data=reader.take(_SECTION_BYTES, "an entry of its sections"), subject="section")
    raw_name = entry.take(8, "its name").rstrip(b"\0")
    memory_bytes = entry.number(4, "its size in memory")
    entry.number(4, "its address")
    file_bytes = entry.number(4, "its size in the file")
    file_offset = entry.number(4, "its place in the file")
    return Section(
        name=raw_name.decode("ascii", "backslashreplace"),
        file_offset=file_offset,
        file_bytes=file_bytes,
        memory_bytes=memory_bytes,
    )


def _require_places(image: Image) -> None:
    """Refuse sections and certificates that overlap one another, the headers or the file's end."""
    zeros = sum(max(0, one.memory_bytes - one.file_bytes) for one in image.sections)
    if zeros > MOST_ZEROS_BYTES:
        raise _fault(f"its sections have {zeros} bytes in memory that the file lacks")
    end_of_sections = image.headers_bytes
    for section in sorted(image.sections, key=lambda one: one.file_offset):
        if not section.file_bytes:
            continue
        if section.file_offset < end_of_sections:
            raise _fault(f"section {section.name} overlaps what lies before it")
        end_of_sections = section.file_offset + section.file_bytes
        if end_of_sections > len(image.data):
            raise _fault(f"truncated: section {section.name} ends at byte {end_of_sections}")
    place, size = image.certificates
    if size and (place < end_of_sections or place + size != len(image.data)):
        raise _fault("its certificates do not lie at its end")


def _fault(what: str) -> MalformedInput:
    return MalformedInput(f"PE image: {what}")
