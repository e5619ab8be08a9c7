"""What a worker tells of an error: whose fault it is, and by which closed word."""

from pathlib import Path

import pytest

from appliance.agent.blame import failed
from appliance.datasets.errors import BadValue, DigitsShort, DiskFull
from appliance.jobs.reasons import Reason
from services.errors import ConfigError, PeerLost, PeerProtocolError, RoomShort, ServiceError


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RoomShort("the columns of row 1 take 66 bytes"), Reason.ROOM),
        (DigitsShort("table.csv", 1, "size", "more than 2 digits"), Reason.DIGITS),
        (BadValue("table.csv", 1, "size", "the value is infinite"), Reason.DATA),
        (ConfigError("two few"), Reason.TERMS),
        (PeerLost(1, "gone"), Reason.PEER_LOST),
    ],
)
def test_an_error_has_the_word_of_its_nearest_kind(error: ServiceError, reason: Reason) -> None:
    told = failed(error)

    assert told.reason == reason.word
    assert (told.what, told.remedy) == (error.what, error.remedy)


def test_the_peers_fault_is_told_before_what_it_led_to() -> None:
    both = ExceptionGroup("", [PeerLost(1, "gone"), PeerProtocolError(1, "too many elements")])

    assert failed(both).reason == Reason.PEER_BROKE_RULES.word


def test_a_full_disk_is_told_though_the_connection_broke_too() -> None:
    both = ExceptionGroup("", [PeerLost(1, "gone"), DiskFull(Path("/folder"))])

    assert failed(both).reason == Reason.DISK_FULL.word


def test_who_packs_rows_may_say_so_beside_a_result_and_who_reads_numbers_may_not() -> None:
    assert Reason.ROOM.beside_result is Reason.ROOM
    assert Reason.DIGITS.beside_result is Reason.UNFINISHED
