"""What a neighbour sends and reads: packets of both families of addresses, made here by hand.

Pure. What is read has no extension headers; what has any is none of our answers.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

ARP: Final = 0x0806
IPV4: Final = 0x0800
IPV6: Final = 0x86DD
ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
ICMPV6: Final = 58
_SOLICITATION: Final = 135
_ADVERTISEMENT: Final = 136
_SYN: Final = 0x02
_RST: Final = 0x04
# Of ICMP and ICMPv6: what asks for an echo, what answers, and what says that nobody is there.
_ECHO: Final = {ICMP: 8, ICMPV6: 128}
_ECHOED: Final = {ICMP: 0, ICMPV6: 129}
_UNREACHABLE: Final = {ICMP: 3, ICMPV6: 1}


class Answer(Enum):
    """What a port does with whoever tries it; one that drops what comes does not answer."""

    LISTENS = "listens"
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """What an IP packet carries, and between whom."""

    protocol: int
    source: Address
    target: Address
    content: bytes

    @property
    def kind(self) -> int:
        """Of a frame that holds it."""
        return IPV4 if isinstance(self.source, IPv4Address) else IPV6

    def written(self) -> bytes:
        """Return its bytes."""
        length = len(self.content)
        ends = self.source.packed + self.target.packed
        if self.kind == IPV6:
            # Neighbours are believed only with the highest hop limit, which no router lets stand.
            return struct.pack(">IHBB", 6 << 28, length, self.protocol, 255) + ends + self.content
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, self.protocol, 0) + ends
        return head[:10] + checksum(head).to_bytes(2) + head[12:] + self.content


def read_packet(content: bytes) -> Packet | None:
    """Return the packet in a frame's content, as far as it is there; None if it is no IP."""
    if len(content) >= 40 and content[0] >> 4 == 6:
        source, target = IPv6Address(content[8:24]), IPv6Address(content[24:40])
        length = int.from_bytes(content[4:6])
        return Packet(
            protocol=content[6], source=source, target=target, content=content[40 : 40 + length]
        )
    if len(content) >= 20 and content[0] >> 4 == 4:
        begin, end = (content[0] & 15) * 4, int.from_bytes(content[2:4])
        return Packet(
            protocol=content[9],
            source=IPv4Address(content[12:16]),
            target=IPv4Address(content[16:20]),
            content=content[begin:end],
        )
    return None


def attempt(protocol: int, source: Address, from_port: int, target: Address, port: int) -> Packet:
    """Return the packet that tries a TCP port, or asks something of a UDP port."""
    if protocol == TCP:
        head = (from_port, port, 1, 0, 5 << 4, _SYN, 1024, 0, 0)
        return _summed(TCP, source, target, struct.pack(">HHIIBBHHH", *head), at=16)
    asked = struct.pack(">HHHH", from_port, port, 12, 0) + b"who?"
    return _summed(UDP, source, target, asked, at=6)


def read_answer(packet: Packet, protocol: int, from_port: int) -> tuple[int, Answer] | None:
    """Return the port that answers an attempt from a port, and how; None if it is no answer."""
    if packet.protocol == protocol and len(packet.content) >= 8:
        port, target = struct.unpack_from(">HH", packet.content)
        if target != from_port:
            return None
        if protocol == UDP:
            return port, Answer.LISTENS
        flags = packet.content[13] & 0x3F
        return port, Answer.REFUSES if flags & _RST else Answer.LISTENS
    kind = _UNREACHABLE.get(packet.protocol)
    if kind is not None and packet.content[:1] == bytes([kind]):
        # It quotes what it answers, at least as far as the ports.
        quoted = read_packet(packet.content[8:])
        if quoted is not None and quoted.protocol == protocol and len(quoted.content) >= 4:
            source, port = struct.unpack_from(">HH", quoted.content)
            return (port, Answer.REFUSES) if source == from_port else None
    return None


def ping(source: Address, target: Address) -> Packet:
    """Return what asks for an echo."""
    protocol = ICMP if isinstance(source, IPv4Address) else ICMPV6
    asked = struct.pack(">BBHHH", _ECHO[protocol], 0, 0, 7, 1) + b"echo"
    return _summed(protocol, source, target, asked, at=2)


def is_echo(packet: Packet) -> bool:
    """Tell whether a packet answers a ping."""
    kind = _ECHOED.get(packet.protocol)
    return kind is not None and packet.content[:1] == bytes([kind])


def solicitation(source: IPv6Address, mac: bytes, wanted: IPv6Address) -> Packet:
    """Return what asks all who may have an address for the MAC of who has it."""
    group = IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + wanted.packed[13:])
    said = struct.pack(">BBHI", _SOLICITATION, 0, 0, 0) + wanted.packed + b"\x01\x01" + mac
    return _summed(ICMPV6, source, group, said, at=2)


def advertisement(source: IPv6Address, mac: bytes, target: IPv6Address) -> Packet:
    """Return the answer to who asks for our MAC."""
    flags = 0x60000000  # asked for; in place of what was known
    said = struct.pack(">BBHI", _ADVERTISEMENT, 0, 0, flags) + source.packed + b"\x02\x01" + mac
    return _summed(ICMPV6, source, target, said, at=2)


def is_solicited(packet: Packet, wanted: IPv6Address) -> bool:
    """Tell whether a packet asks for the MAC of who has an address."""
    asks = packet.protocol == ICMPV6 and packet.content[:1] == bytes([_SOLICITATION])
    return asks and packet.content[8:24] == wanted.packed


def is_advertised(packet: Packet, wanted: IPv6Address) -> bool:
    """Tell whether a packet says who has an address."""
    tells = packet.protocol == ICMPV6 and packet.content[:1] == bytes([_ADVERTISEMENT])
    return tells and packet.content[8:24] == wanted.packed


def group_mac(address: IPv6Address) -> bytes:
    """Return where frames to a group of neighbours go."""
    return b"\x33\x33" + address.packed[12:]


def link_address(mac: bytes) -> IPv6Address:
    """Return the address on the link that a card gives itself [RFC 4291, appendix A]."""
    middle = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return IPv6Address(IPv6Address("fe80::").packed[:8] + middle)


def arp(
    operation: int, mac: bytes, sender: IPv4Address, asked: bytes, target: IPv4Address
) -> bytes:
    """Return an ARP request (1) or reply (2)."""
    head = struct.pack(">HHBBH", 1, IPV4, 6, 4, operation)
    return head + mac + sender.packed + asked + target.packed


def is_arp(frame: bytes, operation: int) -> bool:
    """Tell whether a frame is such an ARP message."""
    return frame[12:14] == ARP.to_bytes(2) and frame[20:22] == operation.to_bytes(2)


def checksum(data: bytes) -> int:
    """Return the internet checksum."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _summed(protocol: int, source: Address, target: Address, content: bytes, *, at: int) -> Packet:
    """Return a packet with the checksum in its place; ICMP's alone leaves out who talks to whom."""
    pseudo = b""
    if protocol != ICMP:
        pseudo = source.packed + target.packed + struct.pack(">II", len(content), protocol)
    total = checksum(pseudo + content).to_bytes(2)
    return Packet(
        protocol=protocol,
        source=source,
        target=target,
        content=content[:at] + total + content[at + 2 :],
    )
