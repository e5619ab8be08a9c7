"""One party of OpenMined's PSI: ``peers_openmined.py RANK PORT IN.csv``.

Runs in an environment that has OpenMined's package and nothing of ours. Rank 0 is its client and
learns the intersection; the server's set goes as a Golomb-compressed set, its default.
"""

import socket
import struct
import sys
import time
from pathlib import Path

import private_set_intersection.python as psi

FALSE_POSITIVE_RATE = 1e-9


def connected(rank: int, port: int) -> socket.socket:
    """Return a socket to the other party."""
    if rank == 0:
        with socket.create_server(("127.0.0.1", port)) as server:
            return server.accept()[0]
    for _ in range(500):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise TimeoutError("the other party does not listen")


def send(link: socket.socket, data: bytes) -> None:
    """Send bytes behind their length."""
    link.sendall(struct.pack(">Q", len(data)) + data)


def receive(link: socket.socket) -> bytes:
    """Return the bytes that the other party sent."""
    with link.makefile("rb") as source:
        (length,) = struct.unpack(">Q", source.read(8))
        return source.read(length)


def be_client(link: socket.socket, items: list[str]) -> int:
    """Ask, hear the server's set, and count what both hold."""
    client = psi.client.CreateWithNewKey(True)
    send(link, client.CreateRequest(items).SerializeToString())
    setup = psi.ServerSetup()
    setup.ParseFromString(receive(link))
    send(link, b"")  # one message at a time: both sides' buffers are small
    response = psi.Response()
    response.ParseFromString(receive(link))
    return len(client.GetIntersection(setup, response))


def be_server(link: socket.socket, items: list[str]) -> int:
    """Answer the client."""
    server = psi.server.CreateWithNewKey(True)
    request = psi.Request()
    request.ParseFromString(receive(link))
    structure = psi.DataStructure.GCS
    setup = server.CreateSetupMessage(FALSE_POSITIVE_RATE, len(items), items, structure)
    send(link, setup.SerializeToString())
    receive(link)
    send(link, server.ProcessRequest(request).SerializeToString())
    return 0


def main(rank: int, port: int, source: str) -> None:
    """Run one party."""
    items = Path(source).read_text().split()[1:]  # behind the column's name
    with connected(rank, port) as link:
        print("ready", flush=True)
        sys.stdin.readline()
        print("done", (be_server if rank else be_client)(link, items), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
