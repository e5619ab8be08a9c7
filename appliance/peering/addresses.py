"""Addresses of nodes: HOST:PORT, checked before anything connects to them."""

import ipaddress
import re
from typing import Final
from urllib.parse import unquote

from appliance.peering.errors import AddressMistyped

Endpoint = tuple[str, int]

_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MOST_HOST_CHARACTERS: Final = 253


def parse_address(text: str) -> str:
    """Return the address in its one spelling: lower case, IPv6 in brackets.

    Raises: AddressMistyped.
    """
    host, port = split_address(text)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(text: str) -> tuple[str, int]:
    """Return host and port; an IPv6 host without its brackets. Raises: AddressMistyped."""
    host, colon, port = text.strip().lower().rpartition(":")
    if not colon or len(host) > _MOST_HOST_CHARACTERS or not re.fullmatch(r"[0-9]{1,5}", port):
        raise _mistyped(text)
    if not 1 <= int(port) <= 65535:
        raise _mistyped(text)
    if host.startswith("[") and host.endswith("]"):
        return _ipv6(host[1:-1], text), int(port)
    # A dotted number must be an IPv4 address: resolvers differ in what they make of others.
    if re.fullmatch(r"[0-9.]+", host):
        return _ipv4(host, text), int(port)
    if not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise _mistyped(text)
    return host, int(port)


def parse_host(text: str) -> str:
    """Return a name or an address without a port, IPv6 in brackets. Raises: AddressMistyped."""
    host = text.strip()
    is_ipv6 = ":" in host and not host.startswith("[")
    try:
        return parse_address(f"[{host}]:1" if is_ipv6 else f"{host}:1").removesuffix(":1")
    except AddressMistyped:
        raise AddressMistyped(
            f"{text[:64]!r} is not a host",
            remedy='write a name or an address without a port, such as "hospital.example" or'
            ' "192.0.2.7"',
        ) from None


def _ipv4(host: str, text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError as error:
        raise _mistyped(text) from error


def _ipv6(host: str, text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError as error:
        raise _mistyped(text) from error


def parse_endpoint(text: str) -> Endpoint | None:
    """Read what gRPC says of the other end, as ``ipv6:%5B::1%5D:40000``; None if it is not IP."""
    scheme, _, rest = unquote(text).partition(":")
    host, _, port = rest.rpartition(":")
    if scheme not in ("ipv4", "ipv6") or not port.isdecimal():
        return None
    return canonical(host.strip("[]").partition("%")[0]), int(port)


def host_of(text: str) -> str:
    """Return the address in gRPC's word for the other end; nothing if it is not IP."""
    end = parse_endpoint(text)
    return end[0] if end else ""


def network_of(text: str) -> str:
    """Return whose address gRPC's word for the other end is: a host, or an IPv6 network of one.

    What is not IP is its own network.
    """
    end = parse_endpoint(text)
    if end is None:
        return text
    address = ipaddress.ip_address(end[0])
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address), 64), strict=False))
    return end[0]


def canonical(host: str) -> str:
    """Return an address in its one spelling; IPv4 as such, also where IPv6 carries it."""
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _mistyped(text: str) -> AddressMistyped:
    return AddressMistyped(
        f"{text[:64]!r} is not an address",
        remedy='write HOST:PORT, such as "hospital.example:7443" or "[2001:db8::1]:7443"',
    )
