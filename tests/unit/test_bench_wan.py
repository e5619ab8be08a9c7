"""The slow network of the benchmarks: when bytes arrive, and that all of them do."""

import socket
import threading

from hypothesis import given
from hypothesis import strategies as st

from bench import wan
from bench.wan import Pace

sends = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 10**6)), min_size=1, max_size=30)


@given(sends=sends, rate=st.floats(1e3, 1e9), delay=st.floats(0, 1))
def test_bytes_arrive_in_order_no_faster_than_the_rate_and_after_the_delay(
    sends: list[tuple[float, int]], rate: float, delay: float
) -> None:
    pace = Pace(bytes_a_second=rate, delay_seconds=delay)
    sends = sorted(sends)

    arrivals = [pace.arrival(now, size) for now, size in sends]

    assert arrivals == sorted(arrivals)
    first, last = sends[0][0], arrivals[-1]
    total = sum(size for _, size in sends)
    assert last >= first + delay + total / rate - 1e-6
    for (now, size), arrival in zip(sends, arrivals, strict=True):
        assert arrival >= now + size / rate + delay - 1e-6


def test_all_bytes_pass_both_ways() -> None:
    sent = bytes(range(256)) * 2000

    def echo(server: socket.socket) -> None:
        link, _ = server.accept()
        with link:
            while data := link.recv(1 << 16):
                link.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=echo, args=(server,), daemon=True).start()
        target = server.getsockname()[1]
        with (
            wan.slowed(target, mbit=1000, delay_ms=1) as port,
            socket.create_connection(("127.0.0.1", port)) as link,
        ):
            sender = threading.Thread(target=link.sendall, args=(sent,))
            sender.start()
            came = b""
            while len(came) < len(sent):
                came += link.recv(1 << 16)
            sender.join()

    assert came == sent
