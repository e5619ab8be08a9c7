"""Who may be named a receiver of the ledger."""

from pathlib import Path

import pytest

from appliance.governance.receiver import (
    MOST_AUTHORITY_BYTES,
    ReceiverUnfit,
    parse_address,
    parse_authority,
)
from tests.unit.syslog_receiver import Authority


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("logs.example", "logs.example:6514"),
        ("logs.example:7000", "logs.example:7000"),
        ("192.0.2.9", "192.0.2.9:6514"),
        ("[2001:db8::9]", "[2001:db8::9]:6514"),
        ("[2001:db8::9]:7000", "[2001:db8::9]:7000"),
    ],
)
def test_it_has_the_port_of_syslog_by_default(named: str, address: str) -> None:
    assert parse_address(named) == address


@pytest.mark.parametrize(
    "named",
    [
        "",
        ":6514",
        "logs.example:",
        "logs.example:x",
        "logs.example:0",
        "logs.example:65536",
        "2001:db8::9",
        "https://logs.example",
        "logs example",
        "logs.example\n",
        "x" * 256,
    ],
)
def test_what_is_no_address_is_refused(named: str) -> None:
    with pytest.raises(ReceiverUnfit, match="is no address of a receiver"):
        parse_address(named)


def test_of_a_cas_file_the_certificates_alone_are_kept(tmp_path: Path) -> None:
    pem = Authority(tmp_path).file.read_bytes()
    other = Authority(tmp_path, "other").file.read_bytes()

    kept = parse_authority(b"# a CA\n" + pem + b"\nand another\n" + other)

    assert kept == (pem + other).decode("ascii")


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"", "holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate"),
        (b"-----BEGIN EC PRIVATE KEY-----", "holds a private key"),
        (b"x" * (MOST_AUTHORITY_BYTES + 1), "has 65,537 bytes"),
    ],
)
def test_what_is_no_ca_is_refused(pem: bytes, why: str) -> None:
    with pytest.raises(ReceiverUnfit, match=why):
        parse_authority(pem)
