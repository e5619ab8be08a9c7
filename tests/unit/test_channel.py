import asyncio
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.channel import Channel, together
from services.errors import LocalProtocolError, PeerLost, PeerProtocolError
from services.transport.loopback import pair
from services.transport.metered import Metered, Traffic
from services.wire import Column, Size, decode, encode, join, message, most_bytes, secret
from tests.conversation import both


@message("test/note")
class Note:
    number: int


@message("test/note", version=2)
class NewerNote:
    number: int


@message("test/letter")
class Letter:
    seal: Annotated[bytes, Size(2)]
    text: Annotated[NDArray[np.uint8], Column(np.uint8, 4)] = secret()


def letter(rows: int) -> Letter:
    return Letter(b"ab", np.zeros((rows, 4), np.uint8))


def test_messages_arrive_in_order() -> None:
    left, right = (Channel(end) for end in pair())

    async def say() -> None:
        for number in range(10):
            await left.send(Note(number))

    async def hear() -> list[int]:
        return [(await right.receive(Note)).number for _ in range(10)]

    _, heard = both(say(), hear())
    assert heard == list(range(10))


def test_a_message_of_another_version_is_blamed_with_both_versions() -> None:
    with pytest.raises(
        PeerProtocolError, match="party 4: message test/note: version 2 came, ours is 1"
    ):
        decode(Note, join(encode(NewerNote(1))), sender=4)


def test_a_column_with_more_rows_than_were_due_is_blamed() -> None:
    with pytest.raises(PeerProtocolError, match="has 3 rows, at most 2 were due"):
        decode(Letter, join(encode(letter(3))), sender=1, rows=2)


def test_a_column_with_part_of_a_row_is_blamed() -> None:
    data = join(encode(letter(2)))
    torn = data[:-9] + b"\x07" + data[-8:-1]

    with pytest.raises(PeerProtocolError, match="not made of rows"):
        decode(Letter, torn, sender=1, rows=2)


def test_a_message_longer_than_its_type_allows_is_blamed_unread() -> None:
    left, right = pair()

    with pytest.raises(PeerProtocolError, match=r"party 0: a message of .* bytes, at most"):
        both(Channel(left).send(letter(100)), Channel(right).receive(Letter, rows=2))


def test_no_message_is_allowed_to_be_vast() -> None:
    assert most_bytes(Letter, 2**40) == 16 * 2**20


@pytest.mark.parametrize(
    "unfit",
    [
        Letter(b"abc", np.zeros((1, 4), np.uint8)),
        Letter(b"ab", np.zeros((1, 5), np.uint8)),
        Letter(b"ab", np.zeros(4, np.uint8)),
        Letter(b"ab", np.zeros((1, 4), np.int64)),
        Letter(b"ab", np.zeros((2**22, 4), np.uint8)),
        Note(-1),
        Note(2**63),
        Note(True),
    ],
)
def test_an_unfit_message_of_our_own_is_our_bug(unfit: Any) -> None:
    with pytest.raises(LocalProtocolError):
        encode(unfit)


def test_a_column_that_is_not_contiguous_is_sent_as_its_rows() -> None:
    wide = np.arange(16, dtype=np.uint8).reshape(2, 8)

    came = decode(Letter, join(encode(Letter(b"ab", wide[:, ::2]))), sender=1, rows=2)

    assert came.text.tolist() == [[0, 2, 4, 6], [8, 10, 12, 14]]


def test_secret_fields_are_not_shown() -> None:
    assert repr(letter(1)) == "Letter(seal=b'ab')"


def test_messages_are_frozen_and_not_comparable() -> None:
    note = Note(1)

    with pytest.raises(AttributeError):
        note.number = 2  # type: ignore[misc]
    assert note != Note(1)


def test_a_field_of_another_type_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="not among the types"):

        @message("test/loose")
        class Loose:
            name: str


def test_require_blames_the_peer() -> None:
    channel = Channel(pair()[0])

    channel.require(True, "nothing")
    with pytest.raises(PeerProtocolError, match="party 1: said nothing") as caught:
        channel.require(False, "said nothing")
    assert caught.value.rank == 1


def test_parts_of_a_role_run_together_and_the_first_to_fail_stops_the_others() -> None:
    stopped: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append("waits")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise PeerLost(1, "gone")

    with pytest.raises(PeerLost, match="gone"):
        asyncio.run(together(waits(), fails()))
    assert stopped == ["waits"]


def test_a_meter_counts_bytes_messages_and_rounds_and_tells_of_each() -> None:
    end, far = pair()
    heard: list[Traffic] = []
    meter = Metered(end, heard.append)
    near = Channel(meter)

    async def ask() -> None:
        for number in range(2):
            await near.send(Note(number))
            await near.send(Note(number))
            await near.receive(Note)
            await near.receive(Note)

    async def answer() -> None:
        for _ in range(4):
            await Channel(far).send(await Channel(far).receive(Note))

    both(ask(), answer())

    one = len(join(encode(Note(0))))
    assert meter.traffic == Traffic(
        sent_bytes=4 * one,
        received_bytes=4 * one,
        sent_messages=4,
        received_messages=4,
        rounds=2,
    )
    assert len(heard) == 8
    assert near.peer == meter.peer == 1
