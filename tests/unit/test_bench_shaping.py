"""The slow link of the benchmarks: when bytes arrive, and that all of them do."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.shaping import WAN, Line, Pacer, shaped

FAST = Line(title="fast", bytes_per_second=1e9, burst_bytes=1 << 20, delay_seconds=0.001)

sends = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 10**6)), min_size=1, max_size=30)


def pacer(rate: float, burst: int = 0) -> Pacer:
    return Pacer(bytes_per_second=rate, burst_bytes=burst, delay_seconds=0)


@given(sends=sends, rate=st.floats(1e3, 1e9), burst=st.integers(0, 10**6))
def test_no_more_leaves_in_any_time_than_a_bucket_and_what_has_flowed_into_it(
    sends: list[tuple[float, int]], rate: float, burst: int
) -> None:
    paced = pacer(rate, burst)
    sends = sorted(sends)

    leaves = [paced.leave(now, size) for now, size in sends]

    assert leaves == sorted(leaves)
    assert all(left >= now for left, (now, _) in zip(leaves, sends, strict=True))
    for first, (now, _) in enumerate(sends):
        for last in range(first, len(sends)):
            passed = sum(size for _, size in sends[first : last + 1])
            assert passed <= (burst + rate * (leaves[last] - now)) * 1.001 + 1
    assert paced.carried_bytes == sum(size for _, size in sends)


def test_a_busy_link_is_as_fast_as_it_says() -> None:
    paced = pacer(1000.0, burst=100)

    leaves = [paced.leave(0.0, 100) for _ in range(11)]

    assert leaves[0] == 0.0  # out of the bucket, which was full
    assert leaves[-1] == pytest.approx(1.0)


def test_a_link_that_rests_saves_up_a_bucket_and_no_more() -> None:
    paced = pacer(1000.0, burst=100)
    paced.leave(0.0, 100)

    assert paced.leave(50.0, 100) == 50.0
    assert paced.leave(50.0, 100) == pytest.approx(50.1)


def test_the_wide_link_is_that_of_the_published_figure() -> None:
    frames_per_second = WAN.bytes_per_second / 1448

    assert frames_per_second * 1514 * 8 == pytest.approx(100e6)
    assert WAN.delay_seconds == 0.01


def test_all_bytes_pass_both_ways_and_are_counted_by_direction() -> None:
    sent = bytes(range(256)) * 2000

    def answer(server: socket.socket) -> None:
        with server.accept()[0] as near, near.makefile("rb") as source:
            near.sendall(source.read() * 2)  # once the other has said its last word

    with socket.create_server(("127.0.0.1", 0)) as server, shaped(FAST) as link:
        answering = threading.Thread(target=answer, args=(server,))
        answering.start()
        port = link.relay_to(1, server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port)) as far, far.makefile("rb") as source:
            far.sendall(sent)
            far.shutdown(socket.SHUT_WR)
            came = source.read()
        answering.join()

    assert came == sent * 2
    assert [one.carried_bytes for one in link.towards] == [2 * len(sent), len(sent)]


def test_a_relay_to_nobody_hangs_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = unused.getsockname()[1]
    with shaped(FAST) as link:
        port = link.relay_to(0, nobody)
        with socket.create_connection(("127.0.0.1", port)) as far:
            assert far.recv(1) == b""
