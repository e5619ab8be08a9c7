"""Two tunnels over streams that drop at the worst moments still carry what the workers wrote."""

import contextlib
from collections import deque
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from appliance.agent import frames
from appliance.agent.frames import Ack, Data, Fin, Open, Status
from appliance.agent.tunnel import MAX_FRAMES, Tunnel
from appliance.jobs.metering import Tally
from services.errors import PeerProtocolError

WINDOW_BYTES = frames.MIN_WINDOW_BYTES
JOB = "job1"


def tunnel(peer: int = 1, tally: Tally | None = None) -> Tunnel:
    return Tunnel(
        job_id=JOB,
        peer=peer,
        window_bytes=WINDOW_BYTES,
        stages={"blind"},
        attempt=1,
        last_attempt=2,
        tally=tally or Tally(),
    )


@dataclass
class End:
    """One end with its worker: what the worker wrote, what it read, and what is on its way here."""

    tunnel: Tunnel
    wrote: bytearray = field(default_factory=bytearray)
    read: bytearray = field(default_factory=bytearray)
    inbound: deque[bytes] = field(default_factory=deque)
    saw_end: bool = False

    def write(self, count: int) -> None:
        count = min(count, self.tunnel.room_bytes)
        if count:
            piece = bytes((len(self.wrote) + i) % 251 for i in range(min(count, 7))) + bytes(
                max(0, count - 7)
            )
            self.tunnel.push(memoryview(piece))
            self.wrote += piece

    def consume(self) -> None:
        if self.tunnel.has_arrived:
            piece = self.tunnel.take()
            if piece is None:
                self.saw_end = True
            else:
                self.read += piece
            self.tunnel.consume()


class Link:
    """A stream between two ends that can be cut; what is under way is then gone."""

    def __init__(self) -> None:
        self.tallies = (Tally(), Tally())
        self.ends = (End(tunnel(1, self.tallies[0])), End(tunnel(0, self.tallies[1])))
        self.connect()

    def connect(self) -> None:
        for end in self.ends:
            end.inbound.clear()
        for here, there in (self.ends, self.ends[::-1]):
            there.inbound.append(here.tunnel.open_stream())

    def send(self, side: int) -> bool:
        frame = self.ends[side].tunnel.next_frame()
        if frame is not None:
            self.ends[1 - side].inbound.append(frame)
        return frame is not None

    def deliver(self, side: int) -> bool:
        end = self.ends[side]
        if end.inbound:
            end.tunnel.receive(end.inbound.popleft())
            return True
        return False

    def settle(self) -> None:
        """Let everything arrive and be read."""
        busy = True
        while busy:
            busy = False
            for side, end in enumerate(self.ends):
                busy |= self.deliver(side) | self.send(side) | end.tunnel.has_arrived
                end.consume()


sides = st.integers(0, 1)
moves = st.one_of(
    st.tuples(st.just("write"), sides, st.one_of(st.integers(1, 20), st.integers(1, 300_000))),
    st.tuples(st.just("send"), sides, st.just(0)),
    st.tuples(st.just("deliver"), sides, st.just(0)),
    st.tuples(st.just("consume"), sides, st.just(0)),
    st.tuples(st.just("cut"), sides, st.just(0)),
)


@given(st.lists(moves, max_size=120))
def test_every_byte_arrives_once_and_in_order_however_often_the_stream_is_cut(
    walk: list[tuple[str, int, int]],
) -> None:
    link = Link()

    for move, side, count in walk:
        match move:
            case "write":
                link.ends[side].write(count)
            case "send":
                link.send(side)
            case "deliver":
                link.deliver(side)
            case "consume":
                link.ends[side].consume()
            case "cut":
                link.connect()
        assert all(end.tunnel.held_bytes <= 2 * WINDOW_BYTES + 2 for end in link.ends)
    for end in link.ends:
        end.tunnel.finish()
    link.connect()
    link.settle()

    left, right = link.ends
    assert (left.read, right.read) == (right.wrote, left.wrote)
    assert left.saw_end and right.saw_end
    assert left.tunnel.has_ended and right.tunnel.has_ended
    for here, there, end in zip(link.tallies, link.tallies[::-1], link.ends, strict=True):
        assert here.bytes_sent == there.bytes_received == len(end.wrote)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3 * MAX_FRAMES))
def test_tiny_frames_are_limited_in_number_and_still_all_arrive(sizes: list[int]) -> None:
    link = Link()
    left, right = link.ends
    link.settle()

    for size in sizes:
        if not left.tunnel.room_bytes:
            link.connect()  # the acknowledgements that were under way are lost
            link.settle()
        left.write(size)
        link.send(0)
    link.settle()

    assert right.read == left.wrote
    assert len(left.wrote) == sum(sizes)


hostile = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda n: frames.encode(Ack(n)), st.integers(0, 2**62)),
    st.builds(lambda n: frames.encode(Fin(n)), st.integers(0, 2**62)),
    st.builds(
        lambda n, p: frames.encode_data(n, memoryview(p)),
        st.integers(0, 50),
        st.binary(max_size=30),
    ),
    st.builds(
        lambda n, a, w: frames.encode(Open(job_id=JOB, attempt=a, expected=n, window_bytes=w)),
        st.integers(0, 50),
        st.integers(0, 4),
        st.integers(0, 2**24),
    ),
    st.builds(
        lambda s, f: frames.encode(Status(stage=s, fraction=f)), st.text(max_size=10), st.floats()
    ),
)


@given(st.lists(hostile, max_size=30))
def test_whatever_a_peer_sends_it_is_taken_or_blamed_on_the_peer(junk: list[bytes]) -> None:
    end = End(tunnel())
    end.tunnel.open_stream()

    with contextlib.suppress(PeerProtocolError):
        for frame in junk:
            end.tunnel.receive(frame)
            end.tunnel.next_frame()

    assert end.tunnel.held_bytes <= 2 * WINDOW_BYTES + 2


@given(st.integers(0, 2**62), st.binary(min_size=1, max_size=100))
def test_data_frames_read_back_as_they_were_written(offset: int, payload: bytes) -> None:
    raw = frames.encode_data(offset, memoryview(payload))

    read = frames.parse_frame(raw, lambda condition, what: None)

    assert read == Data(offset, memoryview(payload))
