"""The packets of the neighbour that tries a machine's ports: as the standards have them."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from tests.vm.network import packets
from tests.vm.network.packets import Address, Answer, Packet

MAC = bytes.fromhex("525400abcdef")
OURS4, THEIRS4 = IPv4Address("10.0.2.77"), IPv4Address("10.0.2.15")
OURS6, THEIRS6 = IPv6Address("fe80::1"), IPv6Address("fe80::2")
FAMILIES = [(OURS4, THEIRS4), (OURS6, THEIRS6)]


def refusal(tried: Packet) -> Packet:
    """Return what a kernel answers to an attempt on a port where nobody listens."""
    is_ipv4 = isinstance(tried.source, IPv4Address)
    said = (b"\3\3" if is_ipv4 else b"\1\4") + bytes(6) + tried.written()[:48]
    return Packet(
        protocol=packets.ICMP if is_ipv4 else packets.ICMPV6,
        source=tried.target,
        target=tried.source,
        content=said,
    )


@pytest.mark.parametrize(("ours", "theirs"), FAMILIES)
@pytest.mark.parametrize("protocol", [packets.TCP, packets.UDP])
def test_an_attempt_is_read_as_it_was_written(
    ours: Address, theirs: Address, protocol: int
) -> None:
    tried = packets.attempt(protocol, ours, 40000, theirs, 7443)

    assert packets.read_packet(tried.written() + b"padding") == tried
    assert packets.read_answer(refusal(tried), protocol, 40000) == (7443, Answer.REFUSES)
    assert packets.read_answer(refusal(tried), protocol, 40001) is None


@pytest.mark.parametrize(
    ("flags", "answer"), [(0x12, Answer.LISTENS), (0x14, Answer.REFUSES), (0x04, Answer.REFUSES)]
)
def test_flags_tell_who_listens(flags: int, answer: Answer) -> None:
    content = bytearray(packets.attempt(packets.TCP, THEIRS4, 7443, OURS4, 40000).content)
    content[13] = flags
    said = Packet(protocol=packets.TCP, source=THEIRS4, target=OURS4, content=bytes(content))

    assert packets.read_answer(said, packets.TCP, 40000) == (7443, answer)


def test_a_checksum_over_what_has_one_is_zero() -> None:
    """RFC 1071: so a receiver checks it."""
    head = packets.ping(OURS4, THEIRS4).written()[:20]

    assert packets.checksum(head) == 0
    assert packets.checksum(packets.ping(OURS4, THEIRS4).content) == 0
    assert packets.checksum(packets.ping(OURS6, THEIRS6).content) != 0  # with the addresses only


def test_a_card_gives_itself_the_address_of_its_mac() -> None:
    assert packets.link_address(MAC) == IPv6Address("fe80::5054:ff:feab:cdef")


def test_who_asks_for_an_address_is_told_it() -> None:
    asked = packets.solicitation(THEIRS6, MAC, OURS6)
    told = packets.advertisement(OURS6, MAC, THEIRS6)

    assert packets.is_solicited(asked, OURS6) and not packets.is_solicited(asked, THEIRS6)
    assert packets.is_advertised(told, OURS6) and not packets.is_advertised(told, THEIRS6)
    assert isinstance(asked.target, IPv6Address)
    assert packets.group_mac(asked.target) == bytes.fromhex("3333ff000001")


@pytest.mark.parametrize("content", [b"", b"\x45" + bytes(10), b"\x60" + bytes(20), bytes(60)])
def test_what_is_no_packet_is_none(content: bytes) -> None:
    assert packets.read_packet(content) is None
