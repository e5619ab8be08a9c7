"""One end of the byte tunnel between two workers: what to send, what has come, what to repeat.

A tunnel outlives the streams that carry it. Each stream begins with an OPEN from either side, which
says what is expected next; what the lost stream had not delivered is then sent again. Nothing here
waits: ``conversation.py`` moves the bytes, and a test may do so as badly as it likes.
"""

from collections import deque
from collections.abc import Set
from typing import Final

from appliance.agent import frames
from appliance.agent.frames import Abort, AbortCode, Ack, Data, Fin, Open, Status
from appliance.jobs.metering import Tally
from services.errors import LocalProtocolError, PeerProtocolError

MAX_FRAMES: Final = 1024
"""Frames held in either direction: tiny ones must not cost much more than their bytes."""


class Tunnel:
    """The state of one end, between our worker and the party ``peer``.

    window_bytes: the most bytes that we hold for our worker; the peer is told, and held to it.
    stages: the stage names that the peer's status may carry.
    attempt, last_attempt: the job's one that is carried, and the last that the peer may begin.
    tally: counts our worker's bytes, once, however often they are sent again.
    """

    def __init__(
        self,
        *,
        job_id: str,
        peer: int,
        window_bytes: int,
        stages: Set[str],
        attempt: int,
        last_attempt: int,
        tally: Tally,
    ) -> None:
        self._job_id = job_id
        self._peer = peer
        self._window_bytes = window_bytes
        self._stages = stages
        self.attempt = attempt
        self._last_attempt = last_attempt
        self._tally = tally
        # Towards the peer: (offset after the frame, frame), kept until they are acknowledged.
        self._sent: deque[tuple[int, bytes]] = deque()
        self._unsent: deque[tuple[int, bytes]] = deque()
        self._end = 0
        self._acknowledged = 0
        self._handed_out = 0
        self._peer_window_bytes = frames.MIN_WINDOW_BYTES
        self._finished = False
        self._status: Status | None = None
        self._abort: AbortCode | None = None
        # From the peer. None in the queue is its end.
        self._arrived: deque[memoryview | None] = deque()
        self._expected = 0
        self._consumed = 0
        self._told_consumed = 0
        self._frames_untold = 0
        self._repeats_acknowledgement = False
        self._peer_finished = False
        self._opened = False
        self._may_repeat = False

    @property
    def is_open(self) -> bool:
        """Whether the peer has opened the present stream."""
        return self._opened

    @property
    def opening(self) -> bytes:
        """The OPEN that tells the peer how far we are."""
        return frames.encode(
            Open(
                job_id=self._job_id,
                attempt=self.attempt,
                expected=self._expected,
                window_bytes=self._window_bytes,
            )
        )

    @property
    def has_ended(self) -> bool:
        """Whether both directions have ended and both sides know."""
        ours = self._finished and self._acknowledged == self._end
        theirs = self._peer_finished and self._told_consumed == self._expected
        return ours and theirs and not self._repeats_acknowledgement

    @property
    def room_bytes(self) -> int:
        """How many bytes our worker may hand us now."""
        if self._finished or len(self._sent) + len(self._unsent) >= MAX_FRAMES:
            return 0
        free = self._peer_window_bytes - (self._end - self._acknowledged)
        return max(0, min(free, frames.MAX_PAYLOAD_BYTES))

    @property
    def held_bytes(self) -> int:
        """How many bytes this end holds, in both directions."""
        return self._end - self._acknowledged + self._expected - self._consumed

    def push(self, payload: memoryview) -> None:
        """Take bytes from our worker, at most ``room_bytes`` of them."""
        if not 0 < len(payload) <= self.room_bytes:
            raise LocalProtocolError("the relay read more than the peer has room for")
        piece = frames.encode_data(self._end, payload)
        self._end += len(payload)
        self._unsent.append((self._end, piece))

    def finish(self) -> None:
        """Say after the last byte that our worker has come to its end."""
        if self._finished:
            raise LocalProtocolError("the relay ended a direction twice")
        self._finished = True
        piece = frames.encode(Fin(self._end))
        self._end += 1
        self._unsent.append((self._end, piece))

    def set_status(self, status: Status) -> None:
        """Let the peer know how far our worker is; only the latest status is sent."""
        self._status = status

    def abort(self, code: AbortCode) -> None:
        """Let the next frame be the last: an ABORT."""
        self._abort = code

    def take(self) -> memoryview | None:
        """Return the next bytes for our worker, None at the end; only while ``has_arrived``."""
        return self._arrived[0]

    @property
    def has_arrived(self) -> bool:
        """Whether bytes, or the end, wait to be taken."""
        return bool(self._arrived)

    def consume(self) -> None:
        """Our worker has what ``take`` returned."""
        piece = self._arrived.popleft()
        self._consumed += 1 if piece is None else len(piece)
        self._frames_untold += 1

    def open_stream(self) -> bytes:
        """Begin a stream: forget the old one and return the OPEN that must be its first frame."""
        self._opened = False
        self._repeats_acknowledgement = self._consumed > 0  # the last may have been lost on its way
        return self.opening

    def next_frame(self) -> bytes | None:
        """Return what to send next on the present stream, None if there is nothing now."""
        if self._abort is not None:
            code, self._abort = self._abort, None
            return frames.encode(Abort(code))
        if not self._opened:
            return None
        if self._is_acknowledgement_due():
            self._told_consumed = self._consumed
            self._frames_untold = 0
            self._repeats_acknowledgement = False
            return frames.encode(Ack(self._consumed))
        if self._status is not None:
            status, self._status = self._status, None
            return frames.encode(status)
        if not self._unsent:
            return None
        end, piece = self._unsent.popleft()
        self._sent.append((end, piece))
        if end > self._handed_out:
            is_fin = self._finished and end == self._end
            self._tally.bytes_sent += 0 if is_fin else end - self._handed_out
            self._handed_out = end
        return piece

    def receive(self, raw: bytes) -> Status | Abort | Open | None:
        """Take a frame of the present stream; return what concerns others than this tunnel.

        An OPEN of another attempt is returned, and opens nothing.
        Raises: PeerProtocolError for whatever the peer may not send at this point.
        """
        piece = frames.parse_frame(raw, self._require)
        if not self._opened and not isinstance(piece, Abort):
            self._require(isinstance(piece, Open), "the first frame is not an opening")
        match piece:
            case Open():
                return self._receive_open(piece)
            case Data(offset, payload):
                self._receive_data(offset, payload)
            case Fin(offset):
                self._receive_fin(offset)
            case Ack(offset):
                self._receive_ack(offset)
            case Status():
                self._require(piece.stage in self._stages, "a status with an unknown stage")
                return piece
            case Abort():
                return piece
        return None

    def _receive_open(self, opening: Open) -> Open | None:
        self._require(not self._opened, "a second opening in one stream")
        self._require(opening.job_id == self._job_id, "an opening for another job")
        in_range = opening.attempt <= self._last_attempt
        self._require(
            in_range, f"begins attempt {opening.attempt + 1} of at most {self._last_attempt + 1}"
        )
        if opening.attempt != self.attempt:
            return opening
        expected = opening.expected
        in_range = self._acknowledged <= expected <= self._handed_out
        self._require(
            in_range,
            f"asks to go on at {expected}, {self._acknowledged} to {self._handed_out} were sent",
        )
        while self._sent and self._sent[-1][0] > expected:
            self._unsent.appendleft(self._sent.pop())
        delivered = self._sent[-1][0] if self._sent else self._acknowledged
        self._require(delivered == expected, "asks to go on in the middle of a frame")
        self._peer_window_bytes = opening.window_bytes
        self._opened = True
        self._may_repeat = True
        return None

    def _receive_data(self, offset: int, payload: memoryview) -> None:
        self._require(not self._peer_finished, "data after the end")
        self._require(offset == self._expected, f"data at {offset}, {self._expected} was due")
        held_bytes = self._expected - self._consumed + len(payload)
        has_room = held_bytes <= self._window_bytes and len(self._arrived) < MAX_FRAMES
        self._require(has_room, "more data than the window admits")
        self._expected += len(payload)
        self._tally.bytes_received += len(payload)
        self._arrived.append(payload)

    def _receive_fin(self, offset: int) -> None:
        self._require(not self._peer_finished, "a second end")
        self._require(offset == self._expected, f"an end at {offset}, {self._expected} was due")
        self._peer_finished = True
        self._expected += 1
        self._arrived.append(None)

    def _receive_ack(self, offset: int) -> None:
        in_range = self._acknowledged <= offset <= self._handed_out
        self._require(in_range, f"acknowledges {offset}, {self._handed_out} were sent")
        # Each acknowledges more than the last, but for the first of a stream, which may repeat it.
        self._require(offset > self._acknowledged or self._may_repeat, "acknowledges nothing new")
        self._may_repeat = False
        while self._sent and self._sent[0][0] <= offset:
            self._acknowledged, _ = self._sent.popleft()
        self._require(self._acknowledged == offset, "acknowledges a part of a frame")

    def _is_acknowledgement_due(self) -> bool:
        if self._repeats_acknowledgement:
            return True
        untold_bytes = self._consumed - self._told_consumed
        if self._peer_finished and self._consumed == self._expected:
            return untold_bytes > 0
        return untold_bytes >= self._window_bytes // 8 or self._frames_untold >= MAX_FRAMES // 8

    def _require(self, condition: bool, what: str) -> None:
        if not condition:
            raise PeerProtocolError(self._peer, what)
