"""A disk's partition table, whole and damaged."""

import io

import pytest

from appliance.updates.errors import InstallFailed
from appliance.updates.gpt import read_partitions
from tests.unit.update_doubles import SECTOR, partition_table


def disk(*, is_first_whole: bool, is_second_whole: bool) -> io.BytesIO:
    """Return a disk with a header at its begin and one at its end, both of the same entries."""
    table = bytearray(partition_table(["one", "two"]))
    second = bytearray(table[SECTOR : 2 * SECTOR])
    if not is_first_whole:
        table[SECTOR + 16] ^= 1
    if not is_second_whole:
        second[16] ^= 1
    return io.BytesIO(bytes(table) + bytes(SECTOR * 8) + bytes(second))


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_either_copy_tells_the_partitions(first: bool, second: bool) -> None:
    found = read_partitions(disk(is_first_whole=first, is_second_whole=second))

    assert list(found) == ["one", "two"]


def test_with_both_damaged_it_is_refused() -> None:
    with pytest.raises(InstallFailed, match="damaged"):
        read_partitions(disk(is_first_whole=False, is_second_whole=False))


@pytest.mark.parametrize("size", [0, 1, 512, 5000])
def test_a_disk_without_a_table_is_refused(size: int) -> None:
    with pytest.raises(InstallFailed, match="no partition table"):
        read_partitions(io.BytesIO(bytes(size)))
