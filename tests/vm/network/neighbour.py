"""A neighbour on a machine's network that tries its ports: Ethernet frames, made and read here.

No packet passes through this host's own network, so nothing needs rights or an address on it.
"""

import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.vm.network import packets
from tests.vm.network.packets import Address, Answer, Packet

MAC: Final = bytes.fromhex("525400c0ffee")
ADDRESS: Final = IPv4Address("10.0.2.77")
LINK_ADDRESS: Final = packets.link_address(MAC)
PORT: Final = 40000
EVERYONE: Final = b"\xff" * 6
MOST_FRAME_BYTES: Final = 65536
_SENDING_SECONDS: Final = 10.0
_LAST_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who is tried: an address, and the card that has it."""

    address: Address
    mac: bytes

    @property
    def source(self) -> Address:
        """Our address of the same family."""
        return ADDRESS if isinstance(self.address, IPv4Address) else LINK_ADDRESS


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

    def find(self, address: Address, seconds: float) -> Target:
        """Return the neighbour with an address. Raises: TimeoutError if nobody says to have it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._ask_for(address)
            for frame in self._received(1.0):
                if has(frame, address):
                    return Target(address=address, mac=frame[6:12])
        raise TimeoutError(f"nobody on the network has {address}")

    def is_there(self, target: Target, seconds: float) -> bool:
        """Tell whether a neighbour answers a ping: what it does not answer else, it drops."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._send_packet(target.mac, packets.ping(target.source, target.address))
            for frame in self._received(1.0):
                packet = packets.read_packet(frame[14:])
                if packet and packet.source == target.address and packets.is_echo(packet):
                    return True
        return False

    def answers(
        self,
        target: Target,
        protocol: int,
        ports: Iterable[int],
        *,
        rate: int,
        from_port: int = PORT,
    ) -> dict[int, Answer]:
        """Try ports; return how each answered, if it did.

        rate: of attempts a second
        """
        found: dict[int, Answer] = {}
        for port in ports:
            tried = packets.attempt(protocol, target.source, from_port, target.address, port)
            self._send_packet(target.mac, tried)
            self._take(found, target, protocol, from_port, 1 / rate)
        self._take(found, target, protocol, from_port, _LAST_SECONDS)
        return found

    def _take(
        self,
        found: dict[int, Answer],
        target: Target,
        protocol: int,
        from_port: int,
        seconds: float,
    ) -> None:
        for frame in self._received(seconds):
            packet = packets.read_packet(frame[14:])
            if packet and packet.source == target.address:
                answer = packets.read_answer(packet, protocol, from_port)
                if answer is not None:
                    found[answer[0]] = answer[1]

    def _ask_for(self, address: Address) -> None:
        if isinstance(address, IPv4Address):
            asked = packets.arp(1, MAC, ADDRESS, EVERYONE, address)
            self._send(EVERYONE, packets.ARP, asked)
        else:
            asking = packets.solicitation(LINK_ADDRESS, MAC, address)
            assert isinstance(asking.target, IPv6Address)
            self._send_packet(packets.group_mac(asking.target), asking)

    def _received(self, seconds: float) -> Iterator[bytes]:
        """Yield what comes in for a while; answer whoever asks for our MAC."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._wire.settimeout(left)
            try:
                frame = self._wire.recv(MOST_FRAME_BYTES)
            except (TimeoutError, BlockingIOError):
                return
            self._answer(frame)
            yield frame

    def _answer(self, frame: bytes) -> None:
        packet = packets.read_packet(frame[14:])
        if packets.is_arp(frame, 1) and frame[38:42] == ADDRESS.packed:
            asker = IPv4Address(frame[28:32])
            self._send(frame[6:12], packets.ARP, packets.arp(2, MAC, ADDRESS, frame[22:28], asker))
        elif packet and packets.is_solicited(packet, LINK_ADDRESS):
            asking = packet.source
            if isinstance(asking, IPv6Address) and not asking.is_unspecified:
                told = packets.advertisement(LINK_ADDRESS, MAC, asking)
                self._send_packet(frame[6:12], told)

    def _send_packet(self, mac: bytes, packet: Packet) -> None:
        self._send(mac, packet.kind, packet.written())

    def _send(self, mac: bytes, kind: int, content: bytes) -> None:
        self._wire.settimeout(_SENDING_SECONDS)
        frame = mac + MAC + kind.to_bytes(2) + content
        self._wire.sendto(frame.ljust(60, b"\0"), self._there)


def has(frame: bytes, address: Address) -> bool:
    """Tell whether a frame's sender says to have an address."""
    if isinstance(address, IPv4Address):
        return packets.is_arp(frame, 2) and frame[28:32] == address.packed
    packet = packets.read_packet(frame[14:])
    return packet is not None and packets.is_advertised(packet, address)
