"""When a recovery key was made is known, and nothing passes for one that somebody has."""

import asyncio
from pathlib import Path

import pytest
from pydantic import BaseModel

from appliance.machine import orders
from appliance.machine.ask import Facts
from appliance.machine.errors import OrderRefused
from appliance.machine.recovery import NOTE, Recovery, RecoveryKey

KEY = "-".join(["cbdefghi", "jklnrtuv"] * 4)
NOW = 1_796_040_000_000


class Disk:
    """Stands in for the helper: a disk that has kinds of keys, or does nothing at all."""

    def __init__(self, *kinds: str, is_lost: bool = False) -> None:
        self.kinds, self.is_lost = list(kinds), is_lost
        self.asked: list[BaseModel] = []

    def __call__(self, order: BaseModel, *, tell: object = None) -> Facts:
        self.asked.append(order)
        if self.is_lost:
            raise OrderRefused("it went away", remedy="none")
        if isinstance(order, orders.AddRecoveryKey):
            self.kinds = ["tpm2", "recovery"]
            return {"recovery_key": KEY, "kinds": ["tpm2", "recovery"]}
        return {"kinds": [*self.kinds]}


def recovery(state: Path, disk: Disk, *, has_operators: bool = True) -> Recovery:
    """Return it as an agent has it after its start."""
    return Recovery(state, disk, has_operators=lambda: has_operators, now_milliseconds=lambda: NOW)


def look(state: Path, disk: Disk, *, has_operators: bool = True) -> RecoveryKey:
    made = recovery(state, disk, has_operators=has_operators)
    return asyncio.run(made.look(is_appliance=True))


def test_a_key_that_was_made_is_told_once_and_its_time_is_kept(tmp_path: Path) -> None:
    disk = Disk("tpm2")
    before = look(tmp_path, disk)

    told = asyncio.run(recovery(tmp_path, disk).add())
    after = look(tmp_path, disk)

    assert before.made_milliseconds is None
    assert before.problems()
    assert (told, after.made_milliseconds, after.problems()) == (KEY, NOW, ())
    assert not [file for file in tmp_path.iterdir() if KEY[:8] in file.read_text()]


def test_nobody_is_missed_before_there_is_an_operator_or_outside(tmp_path: Path) -> None:
    disk = Disk("tpm2")
    alone = look(tmp_path, disk, has_operators=False)
    elsewhere = asyncio.run(recovery(tmp_path, disk).look(is_appliance=False))

    assert not (*alone.problems(), *elsewhere.problems())
    assert disk.asked == []


def test_a_key_of_the_disk_that_no_note_tells_of_counts_and_is_asked_for_once(
    tmp_path: Path,
) -> None:
    disk = Disk("tpm2", "recovery")

    found = look(tmp_path, disk)
    again = look(tmp_path, disk)

    assert (found.made_milliseconds, found.problems()) == (0, ())
    assert again == found
    assert len(disk.asked) == 1


def test_a_disk_without_a_key_is_asked_once_by_an_agent(tmp_path: Path) -> None:
    disk = Disk("tpm2")
    kept = recovery(tmp_path, disk)

    for _ in range(3):
        assert asyncio.run(kept.look(is_appliance=True)).problems()
    assert len(disk.asked) == 1


def test_a_key_whose_making_broke_off_counts_for_nothing(tmp_path: Path) -> None:
    disk = Disk("tpm2")
    asyncio.run(recovery(tmp_path, disk).add())
    lost = Disk("tpm2", "recovery", is_lost=True)  # it made one that nobody was told

    with pytest.raises(OrderRefused, match="went away"):
        asyncio.run(recovery(tmp_path, lost).add())

    assert look(tmp_path, Disk("tpm2", "recovery")).problems()


def test_a_helper_that_does_not_answer_costs_only_the_answer(tmp_path: Path) -> None:
    assert look(tmp_path, Disk(is_lost=True)).problems()


def test_no_key_is_made_where_that_cannot_be_noted(tmp_path: Path) -> None:
    disk = Disk("tpm2")

    with pytest.raises(OrderRefused, match="cannot be noted: No such file") as caught:
        asyncio.run(recovery(tmp_path / "nowhere", disk).add())

    assert "full" in caught.value.remedy
    assert disk.asked == []


def test_a_key_reaches_its_reader_though_its_time_cannot_be_noted(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()

    class Vanishing(Disk):
        def __call__(self, order: BaseModel, *, tell: object = None) -> Facts:
            state.rename(tmp_path / "gone")
            return super().__call__(order)

    assert asyncio.run(recovery(state, Vanishing("tpm2")).add()) == KEY


@pytest.mark.parametrize("noted", ["", "-1", "begun", "soon", "9" * 31, "\u0663", "\0" * 40])
def test_a_note_that_is_no_time_counts_for_nothing(tmp_path: Path, noted: str) -> None:
    (tmp_path / NOTE).write_text(noted)

    assert look(tmp_path, Disk("tpm2")).problems()
