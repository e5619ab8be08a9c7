"""Build event logs and PE images from parts, for tests of what parses them."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

from firmware.boot.banks import Bank
from firmware.boot.event_log import SPEC_ID_SIGNATURE
from firmware.boot.event_types import EventType

FILE_ALIGNMENT: Final = 512
MEMORY_ALIGNMENT: Final = 4096


def number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def old_event(pcr: int, kind: int, digest: bytes, data: bytes) -> bytes:
    """Return a TCG_PCR_EVENT."""
    return number(pcr, 4) + number(kind, 4) + digest + number(len(data), 4) + data


def header(banks: Sequence[Bank], *, sizes: Mapping[Bank, int] | None = None) -> bytes:
    """Return the first event of a crypto-agile log; ``sizes`` lies about those of digests."""
    algorithms = b"".join(
        number(bank.identifier, 2) + number((sizes or {}).get(bank, bank.size), 2) for bank in banks
    )
    data = SPEC_ID_SIGNATURE + number(0, 4) + bytes((0, 2, 0, 2))
    data += number(len(banks), 4) + algorithms + b"\0"
    return old_event(0, EventType.EV_NO_ACTION, bytes(20), data)


def event(
    pcr: int,
    kind: int,
    data: bytes,
    banks: Iterable[Bank] = (Bank.SHA256,),
    *,
    measured: bytes | None = None,
) -> bytes:
    """Return a TCG_PCR_EVENT2 whose digests are those of ``measured``, else of its data."""
    source = data if measured is None else measured
    digests = [number(bank.identifier, 2) + bank.digest(source) for bank in banks]
    place = number(pcr, 4) + number(kind, 4) + number(len(digests), 4)
    return place + b"".join(digests) + number(len(data), 4) + data


def _up(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def image(
    sections: Sequence[tuple[str, bytes]], *, is_wide: bool = True, trailer: bytes = b""
) -> bytes:
    """Return a PE32+ (or PE32) image that holds some sections and nothing to run."""
    optional_bytes = 240 if is_wide else 224
    headers_bytes = _up(64 + 24 + optional_bytes + 40 * len(sections), FILE_ALIGNMENT)
    sizes = [_up(len(data), FILE_ALIGNMENT) for _, data in sections]
    spans = [_up(max(len(data), 1), MEMORY_ALIGNMENT) for _, data in sections]
    offsets = list(accumulate(sizes, initial=headers_bytes))
    addresses = list(accumulate(spans, initial=MEMORY_ALIGNMENT))
    table = b"".join(
        struct.pack(
            "<8sIIIIIIHHI", name.encode(), len(data), address, size, offset, 0, 0, 0, 0, 0x40000040
        )
        for (name, data), address, size, offset in zip(
            sections, addresses, sizes, offsets, strict=False
        )
    )
    body = b"".join(
        data.ljust(size, b"\0") for (_, data), size in zip(sections, sizes, strict=True)
    )
    optional = _optional_header(is_wide, addresses[-1], headers_bytes)
    machine = 0x8664 if is_wide else 0x14C
    coff = struct.pack("<HHIIIHH", machine, len(sections), 0, 0, 0, optional_bytes, 0x22E)
    head = b"MZ" + bytes(58) + number(64, 4) + b"PE\0\0" + coff + optional + table
    return head.ljust(headers_bytes, b"\0") + body + trailer


def _optional_header(is_wide: bool, image_bytes: int, headers_bytes: int) -> bytes:
    magic = 0x20B if is_wide else 0x10B
    text = struct.pack("<HBBIIIII", magic, 2, 0, 0, 0, 0, 0, MEMORY_ALIGNMENT)
    text += struct.pack("<Q", 0x140000000) if is_wide else struct.pack("<II", 0, 0x400000)
    text += struct.pack("<II", MEMORY_ALIGNMENT, FILE_ALIGNMENT) + bytes(16)
    text += struct.pack("<IIIHH", image_bytes, headers_bytes, 0, 10, 0)
    return text + bytes(32 if is_wide else 16) + struct.pack("<II", 0, 16) + bytes(128)
