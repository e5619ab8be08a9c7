from typing import Annotated, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.errors import PeerProtocolError
from services.psi import messages
from services.psi.agreement import Agreement
from services.wire import Column, Size, decode, encode, join, message, most_bytes, secret

MOST_ROWS = 20


@message("test/sample", version=3)
class Sample:
    number: int
    marker: Annotated[bytes, Size(4)]
    bits: Annotated[NDArray[np.bool_], Column(np.bool_)]
    words: Annotated[NDArray[np.uint64], Column(np.uint64)] = secret()
    pairs: Annotated[NDArray[np.int16], Column(np.int16, 2)] = secret()


def column(dtype: Any, numbers: st.SearchStrategy[int], width: int = 1) -> Any:
    rows = st.lists(st.lists(numbers, min_size=width, max_size=width), max_size=MOST_ROWS)
    return rows.map(lambda rows: np.array(rows, dtype).reshape(-1, width))


samples = st.builds(
    Sample,
    number=st.integers(0, 2**63 - 1),
    marker=st.binary(min_size=4, max_size=4),
    bits=column(np.bool_, st.integers(0, 1)).map(np.ravel),
    words=column(np.uint64, st.integers(0, 2**64 - 1)).map(np.ravel),
    pairs=column(np.int16, st.integers(-(2**15), 2**15 - 1), 2),
)


def decoded_or_blamed(message_type: type[Any], data: bytes) -> Any:
    """Decode, allowing nothing to be raised but blame of the peer."""
    try:
        return decode(message_type, data, sender=7, rows=MOST_ROWS)
    except PeerProtocolError as error:
        assert error.rank == 7
        return None


@given(sample=samples)
def test_a_message_survives_the_wire(sample: Sample) -> None:
    data = join(encode(sample))

    came = decode(Sample, data, sender=1, rows=MOST_ROWS)

    assert (came.number, came.marker) == (sample.number, sample.marker)
    for name in ("bits", "words", "pairs"):
        sent, received = getattr(sample, name), getattr(came, name)
        assert received.dtype == sent.dtype
        assert received.shape == sent.shape
        assert np.array_equal(received, sent)
        assert not received.flags.writeable
    assert len(data) <= most_bytes(Sample, MOST_ROWS)


@given(sample=samples)
def test_a_message_is_plain_messagepack(sample: Sample) -> None:
    tag, version, fields = msgspec.msgpack.decode(join(encode(sample)))

    assert (tag, version, len(fields)) == ("test/sample", 3, 5)


@given(data=st.binary(max_size=300))
def test_junk_is_blamed(data: bytes) -> None:
    assert decoded_or_blamed(Sample, data) is None


@given(sample=samples, place=st.integers(0), byte=st.integers(1, 255))
def test_a_flipped_byte_is_blamed_or_changes_a_value(sample: Sample, place: int, byte: int) -> None:
    data = bytearray(join(encode(sample)))
    data[place % len(data)] ^= byte

    came = decoded_or_blamed(Sample, bytes(data))

    assert came is None or join(encode(came)) != join(encode(sample))


@given(sample=samples, cut=st.integers(0))
def test_a_truncated_message_is_blamed(sample: Sample, cut: int) -> None:
    data = join(encode(sample))

    assert decoded_or_blamed(Sample, data[: cut % len(data)]) is None


@given(sample=samples, more=st.binary(min_size=1, max_size=20))
def test_trailing_bytes_are_blamed(sample: Sample, more: bytes) -> None:
    assert decoded_or_blamed(Sample, join(encode(sample)) + more) is None


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(max_size=80),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(fields=json_like)
@pytest.mark.parametrize("message_type", [Sample, Agreement, messages.Blinded, messages.Matches])
def test_well_formed_messagepack_of_other_shapes_is_blamed_or_reads(
    message_type: type[Any], fields: Any
) -> None:
    tag = join(encode(SPECIMENS[message_type]))
    name, version, _ = msgspec.msgpack.decode(tag)

    decoded_or_blamed(message_type, msgspec.msgpack.encode([name, version, fields]))
    decoded_or_blamed(message_type, msgspec.msgpack.encode(fields))


SPECIMENS: dict[type[Any], Any] = {
    Sample: Sample(
        1, b"abcd", np.zeros(1, bool), np.zeros(1, np.uint64), np.zeros((1, 2), np.int16)
    ),
    Agreement: Agreement(bytes(32), 1, 2, 0, bytes(16)),
    messages.Blinded: messages.Blinded(np.zeros((1, 32), np.uint8)),
    messages.Matches: messages.Matches(np.zeros(1, np.bool_)),
}


@pytest.mark.parametrize(
    "opening", [b"\x91", b"\x81\xa1a", b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"]
)
def test_deep_or_vast_structures_are_blamed(opening: bytes) -> None:
    assert decoded_or_blamed(Sample, b"\x93\xabtest/sample\x03" + opening * 50_000) is None
    assert decoded_or_blamed(Sample, opening * 50_000) is None


def test_text_that_is_not_utf8_is_blamed() -> None:
    assert decoded_or_blamed(Sample, b"\x93\xa2\xff\xfe\x01\x90") is None
