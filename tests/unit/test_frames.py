"""Frames read back as they were written, and each malformed one is refused with what is wrong."""

import pytest

from appliance.agent import frames
from appliance.agent.frames import Abort, AbortCode, Ack, Fin, Frame, Open, Status


class Blamed(Exception):
    pass


def require(condition: bool, what: str) -> None:
    if not condition:
        raise Blamed(what)


OPENING = Open(job_id="a2", attempt=3, expected=7, window_bytes=frames.MAX_WINDOW_BYTES)


@pytest.mark.parametrize(
    "frame",
    [
        OPENING,
        Ack(2**40),
        Fin(3),
        Status(stage="blind", fraction=0.5),
        *(Abort(code) for code in AbortCode),
    ],
)
def test_a_frame_reads_back_as_it_was_written(frame: Open | Ack | Fin | Status | Abort) -> None:
    read: Frame = frames.parse_frame(frames.encode(frame), require)

    assert read == frame


def with_version(version: int) -> bytes:
    raw = bytearray(frames.encode(OPENING))
    raw[9] = version
    return bytes(raw)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "a frame of 0 bytes is cut short"),
        (b"\x02" + bytes(7), "cut short"),
        (b"\x00" + bytes(8), "unknown type 0"),
        (b"\x02" + bytes(8), "a data frame of 0 bytes"),
        (b"\x03" + bytes(9), "an acknowledgement carries bytes"),
        (b"\x04" + bytes(9), "an end carries bytes"),
        (b"\x06" + bytes(8), "an abort with an unknown code"),
        (b"\x06" + bytes(8) + b"\x00", "an abort with an unknown code"),
        (b"\x06" + bytes(8) + b"\x01\x01", "an abort with an unknown code"),
        (b"\x05" + bytes(8) + b"{}", "malformed status"),
        (b"\x05" + bytes(8) + b"\xff", "malformed status"),
        (b"\x05" + bytes(8) + b'{"stage":"a","fraction":2}', "malformed status"),
        (b"\x05" + bytes(8) + b'{"stage":"a","fraction":0,"x":1}', "malformed status"),
        (b"\x05" + bytes(8) + b" " * 300, "malformed status"),
        (b"\x02" + b"\xff" * 8 + b"x", "offset is out of range"),
        (b"\x01" + bytes(8), "an opening of a wrong length"),
        (with_version(1), "relay version 1, we speak 2"),
        (frames.encode(OPENING) + b"/", "a malformed job id"),
        (frames.encode(OPENING) + b"a" * 64, "an opening of a wrong length"),
        (
            frames.encode(Open(job_id="a", attempt=0, expected=0, window_bytes=5)),
            "a window of 5 bytes",
        ),
    ],
)
def test_a_malformed_frame_is_refused_with_what_is_wrong(raw: bytes, what: str) -> None:
    with pytest.raises(Blamed, match=what):
        frames.parse_frame(raw, require)


def test_data_is_out_of_what_a_frame_shows_of_itself() -> None:
    frame = frames.parse_frame(frames.encode_data(0, memoryview(b"secret")), require)

    assert "secret" not in repr(frame)
