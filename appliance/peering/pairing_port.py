"""The port of those who come with a code: open while one lives, and a little longer.

It says to who comes late why not. Nodes that were invited have one, new operators another.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.api.peer_pb2_grpc import add_PairingServicer_to_server
from appliance.identity.certificates import NEVER
from appliance.peering import tls
from appliance.peering.addresses import split_address
from appliance.peering.errors import PairingPortTaken

PAIRING_NAME: Final = "pairing.coffer.internal"
MOST_CONCURRENT: Final = 16
_MOST_MESSAGE_BYTES: Final = 64 << 10

Interceptor = grpc.aio.ServerInterceptor
# Has a servicer answer a server's calls.
Add = Callable[[Any, grpc.aio.Server], None]


def leaf_hash(certificate_der: bytes) -> bytes:
    """Return what the pairing protocol binds of the port's TLS certificate."""
    return hashlib.sha256(certificate_der).digest()


class PairingPort:
    """A TLS port for nodes that do not know each other; its certificate tells nobody anything.

    Each opening has a key of its own. Who is who is settled inside, by the pairing protocol.
    """

    def __init__(self, server: grpc.aio.Server, number: int, certificate_der: bytes) -> None:
        self._server = server
        self.number = number
        self.leaf_hash = leaf_hash(certificate_der)

    @classmethod
    async def open(
        cls,
        listen: str,
        servicer: object,
        interceptors: Sequence[Interceptor],
        add: Add = add_PairingServicer_to_server,
    ) -> "PairingPort":
        """Open the port at ``listen``, HOST:PORT with 0 for any. Raises: PairingPortTaken."""
        key_pem, certificate_der = _throwaway()
        server = grpc.aio.server(
            interceptors=list(interceptors),
            options=[
                *(option for option in tls.server_options() if "message_length" not in option[0]),
                ("grpc.max_receive_message_length", _MOST_MESSAGE_BYTES),
            ],
            maximum_concurrent_rpcs=MOST_CONCURRENT,
        )
        add(servicer, server)
        credentials = tls.anonymous_server_credentials(key_pem, certificate_der)
        try:
            number = server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            await server.stop(None)
            raise PairingPortTaken(
                f"the pairing port {listen} cannot be opened",
                remedy="see who uses it (ss -ltnp), or choose another with --pairing-port",
            ) from error
        await server.start()
        return cls(server, number, certificate_der)

    async def close(self) -> None:
        """Close the port; an answer that is under way is still given."""
        await self._server.stop(2.0)


def _throwaway() -> tuple[bytes, bytes]:
    """Return a key (PEM) and a self-signed certificate (DER) for one opening of the port."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PAIRING_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # For ever, lest a wrong clock fail here without a reason: pairing compares the clocks.
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(NEVER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(PAIRING_NAME)]), False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.DER)


def shown_address(host: str, number: int) -> str:
    """Return HOST:PORT as an invitation shows it."""
    bare, _ = split_address(f"{host}:{number}")
    return f"[{bare}]:{number}" if ":" in bare else f"{bare}:{number}"


def has_pairing_name(certificate_der: bytes) -> bool:
    """Tell whether a server's certificate is a pairing port's; it proves nothing."""
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        names: Any = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return PAIRING_NAME in names.value.get_values_for_type(x509.DNSName)
    except (ValueError, x509.ExtensionNotFound):
        return False
