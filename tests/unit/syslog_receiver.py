"""A receiver of syslog over TLS for tests, and a throw-away CA that vouches for it."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# RFC 5424, section 6, for messages without structured data and without a BOM.
MESSAGE: Final = re.compile(
    rb"<(?P<priority>[1-9]\d{0,2})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z)"
    rb" (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<process>[!-~]{1,128})"
    rb" (?P<kind>[!-~]{1,32}) - (?P<said>(?!\xef\xbb\xbf).*)",
    re.DOTALL,
)


class Authority:
    """A CA; ``file`` is its certificate."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.BasicConstraints(ca=True, path_length=0)
        made = self._builder(self._name, self._key).add_extension(usage, critical=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))

    def vouch_for(self, *names: str) -> ssl.SSLContext:
        """Return TLS of a server with these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        known = [
            x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
            for name in names
        ]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
        made = self._builder(subject, key).add_extension(
            x509.SubjectAlternativeName(known), critical=False
        )
        both = self._folder / "receiver.pem"
        both.write_bytes(
            _pem(made.sign(self._key, hashes.SHA256()))
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@dataclass
class Receiver:
    """Keeps what it has read whole, over all of its lives.

    dies_after: how many messages of one connection it reads before it drops it with the rest
    unread, as if its process was killed. takes: whether it reads at all.
    """

    context: ssl.SSLContext
    dies_after: int | None = None
    takes: bool = True
    port: int = 0
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0
    versions: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Receiver"]:
        # A small limit, so that much is left unread when it dies.
        server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self.context, limit=2048
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()
            await server.wait_closed()

    async def has(self, count: int) -> None:
        """Wait for so many messages."""
        async with asyncio.timeout(20):
            while len(self.messages) < count:
                await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections += 1
        self.versions.add(writer.get_extra_info("ssl_object").version())
        read = 0
        try:
            while self.dies_after is None or read < self.dies_after:
                if not self.takes:
                    writer.transport.pause_reading()  # type: ignore[attr-defined] # TLS has it
                    await asyncio.sleep(3600)
                count = (await reader.readuntil(b" ")).decode("ascii")
                assert re.fullmatch(r"[1-9][0-9]*\ ", count), count
                self.messages.append(await reader.readexactly(int(count)))
                read += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.transport.abort()

    def __post_init__(self) -> None:
        self._writers: list[asyncio.StreamWriter] = []
