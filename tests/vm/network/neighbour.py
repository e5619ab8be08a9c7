"""A neighbour on a machine's network that tries its TCP ports: Ethernet frames, made and read here.

No packet passes through this host's own network, so nothing needs rights or an address on it.
"""

import socket
import struct
import time
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Final, Self

MAC: Final = bytes.fromhex("525400c0ffee")
ADDRESS: Final = IPv4Address("10.0.2.77")
EVERYONE: Final = b"\xff" * 6
MOST_FRAME_BYTES: Final = 65536
SYN: Final = 0x02
RST: Final = 0x04
SYN_ACK: Final = 0x12
_ARP: Final = 0x0806
_IPV4: Final = 0x0800
_TCP: Final = 6
_SENDING_SECONDS: Final = 10.0
_SOURCE_PORT: Final = 40000


class Neighbour:
    """One of the two ends of a network's segment: a pair of datagram sockets in a folder."""

    def __init__(self, here: Path, there: Path) -> None:
        self._there = str(there)
        self._here = here
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        self._here.unlink(missing_ok=True)
        self._wire.bind(str(self._here))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wire.close()

    def find(self, address: IPv4Address, seconds: float) -> bytes:
        """Return the MAC of the neighbour with an address."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._send(EVERYONE, _ARP, arp(1, ADDRESS, EVERYONE, address))
            for frame in self._received(1.0):
                if is_arp(frame, 2) and frame[28:32] == address.packed:
                    return frame[22:28]
        raise TimeoutError(f"nobody on the network has {address}")

    def answers(
        self, address: IPv4Address, mac: bytes, ports: Iterable[int], *, rate: int
    ) -> dict[int, int]:
        """Try to connect to ports; return the flags with which each answered, if it did.

        rate: of attempts a second
        """
        flags: dict[int, int] = {}
        for port in ports:
            self._send(mac, _IPV4, attempt(address, port))
            self._take(flags, self._received(1 / rate), address)
        self._take(flags, self._received(5.0), address)
        return flags

    def _take(self, flags: dict[int, int], frames: Iterable[bytes], address: IPv4Address) -> None:
        for frame in frames:
            if frame[12:14] == _IPV4.to_bytes(2) and frame[23] == _TCP:
                begin = 14 + (frame[14] & 15) * 4
                source, target = struct.unpack_from(">HH", frame, begin)
                if target == _SOURCE_PORT and frame[26:30] == address.packed:
                    flags[source] = frame[begin + 13] & 0x3F

    def _received(self, seconds: float) -> Iterator[bytes]:
        """Yield what comes in for a while; answer whoever asks for our MAC."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._wire.settimeout(left)
            try:
                frame = self._wire.recv(MOST_FRAME_BYTES)
            except (TimeoutError, BlockingIOError):
                return
            if is_arp(frame, 1) and frame[38:42] == ADDRESS.packed:
                asker = IPv4Address(frame[28:32])
                self._send(frame[6:12], _ARP, arp(2, ADDRESS, frame[22:28], asker))
            yield frame

    def _send(self, mac: bytes, kind: int, content: bytes) -> None:
        self._wire.settimeout(_SENDING_SECONDS)
        frame = mac + MAC + kind.to_bytes(2) + content
        self._wire.sendto(frame.ljust(60, b"\0"), self._there)


def arp(operation: int, sender: IPv4Address, target_mac: bytes, target: IPv4Address) -> bytes:
    """Return an ARP request (1) or reply (2) from us."""
    head = struct.pack(">HHBBH", 1, _IPV4, 6, 4, operation)
    return head + MAC + sender.packed + target_mac + target.packed


def is_arp(frame: bytes, operation: int) -> bool:
    """Tell whether a frame is such an ARP message."""
    return frame[12:14] == _ARP.to_bytes(2) and frame[20:22] == operation.to_bytes(2)


def attempt(address: IPv4Address, port: int) -> bytes:
    """Return the packet that begins a connection to a port."""
    segment = struct.pack(">HHIIBBHHH", _SOURCE_PORT, port, 1, 0, 5 << 4, SYN, 1024, 0, 0)
    pseudo = ADDRESS.packed + address.packed + struct.pack(">BBH", 0, _TCP, len(segment))
    segment = segment[:16] + checksum(pseudo + segment).to_bytes(2) + segment[18:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, _TCP, 0)
    head += ADDRESS.packed + address.packed
    return head[:10] + checksum(head).to_bytes(2) + head[12:] + segment


def checksum(data: bytes) -> int:
    """Return the internet checksum of an even number of bytes."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
