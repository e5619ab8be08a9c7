"""Addresses of nodes: HOST:PORT, checked before anything connects to them."""

import ipaddress
import re
from typing import Final

from appliance.peering.errors import AddressMistyped

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


def _mistyped(text: str) -> AddressMistyped:
    return AddressMistyped(
        f"{text[:64]!r} is not an address",
        remedy='write HOST:PORT, such as "hospital.example:7443" or "[2001:db8::1]:7443"',
    )
