"""The peer port and the peers' ports: TLS 1.3 with the right certificates, and nothing else."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from appliance.peering import tls
from appliance.peering.diagnosis import Cause
from appliance.peering.errors import PeerUnknown
from tests.agent.linked_nodes import LinkedNode, trouble_of, two_nodes


def tls_client(node: LinkedNode | None, highest: ssl.TLSVersion) -> ssl.SSLContext:
    from appliance.peering.diagnosis import _context

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if node is not None:
        context = _context(node.keeper.current())
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = highest
    context.set_alpn_protocols(["h2"])
    return context


def first_answer(context: ssl.SSLContext, port: int) -> bytes:
    """Return what a server says to an HTTP/2 client; nothing if it hangs up."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    plain = socket.create_connection(("127.0.0.1", port), timeout=3)
    hung_up = suppress(ConnectionResetError, BrokenPipeError)
    with plain, context.wrap_socket(plain) as secured, hung_up:
        secured.sendall(preface)
        return secured.recv(9)
    return b""


def test_the_peer_port_takes_tls_1_3_with_a_peers_certificate_and_nothing_else(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            stranger = LinkedNode(tmp_path, "stranger")
            newest = ssl.TLSVersion.TLSv1_3
            ask = asyncio.to_thread

            assert await ask(first_answer, tls_client(right, newest), left.port)
            assert await ask(first_answer, tls_client(None, newest), left.port) == b""
            assert await ask(first_answer, tls_client(stranger, newest), left.port) == b""
            with pytest.raises(ssl.SSLError):
                await ask(first_answer, tls_client(right, ssl.TLSVersion.TLSv1_2), left.port)

    asyncio.run(run())


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve connections on a thread with ``answer``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        ended = threading.Event()

        def loop() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.settimeout(3)
                        answer(connection)

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def speak_old_tls(node: LinkedNode) -> Callable[[socket.socket], None]:
    import os

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    leaf = node.keeper.current()
    file = os.memfd_create("leaf")
    os.write(file, leaf.private_key_pem + leaf.chain_pem)
    context.load_cert_chain(f"/proc/self/fd/{file}")
    os.close(file)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(100)

    return answer


def say_http(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("manner", ["tls 1.2", "http"])
def test_a_server_that_speaks_no_tls_1_3_is_told_apart(tmp_path: Path, manner: str) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            answer = speak_old_tls(right) if manner == "tls 1.2" else say_http
            with serving(answer) as port:
                left.knows(right, port)
                trouble = await trouble_of(left, right)

            assert trouble.cause is Cause.NOT_TLS
            assert "TLS 1.3" in trouble.what

    asyncio.run(run())


def test_a_connection_over_an_older_tls_is_nobodys(tmp_path: Path) -> None:
    node = LinkedNode(tmp_path, "hospital")
    leaf = node.keeper.current()
    pins = {node.node_id: node.key.public_der}
    shown = {"x509_pem_cert": [leaf.chain_pem]}

    now = node.now()
    assert tls.peer_of(shown | {"ssl_tls_version": [b"TLSv1.3"]}, pins, now) == node.node_id
    with pytest.raises(PeerUnknown):
        tls.peer_of(shown | {"ssl_tls_version": [b"TLSv1.2"]}, pins, now)
    with pytest.raises(PeerUnknown):
        tls.peer_of(shown, pins, now)
    with pytest.raises(PeerUnknown):
        tls.peer_of({"ssl_tls_version": [b"TLSv1.3"]}, pins, now)
