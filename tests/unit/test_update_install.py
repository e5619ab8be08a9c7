"""Installing into the slot that does not run: whole, or cut off at any step."""

import io
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from appliance.updates import errors, slots
from appliance.updates.errors import Cancelled
from appliance.updates.fate import Verdict
from appliance.updates.program import VERDICT, note_start, start_other
from appliance.updates.record import FOLDER, NOTED, Record
from appliance.updates.slots import BOOT_COUNT
from appliance.updates.states import UpdateState
from services.errors import ConfigError, ServiceError
from tests.unit.update_doubles import (
    NEW,
    NEWEST,
    RUNNING,
    SCHEMAS,
    Disk,
    PowerCut,
    here,
    release,
    write_bundle,
)

KEPT: Final = "var/lib/coffer-updates"


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "machine").make()


@pytest.fixture
def bundle(tmp_path: Path) -> bytes:
    return write_bundle(tmp_path).read_bytes()


def install(disk: Disk, data: bytes, **of_here: Any) -> None:
    disk.installation(**of_here).install(io.BytesIO(data))


def update_of(disk: Disk) -> Any:
    return Record.read(disk.root).update


def start(disk: Disk, version: str, verdict: Verdict | None = None) -> Record:
    """Note what a start of a version finds, as coffer-update@note does: not what is noted."""
    if verdict is not None:
        place = disk.root / VERDICT
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(verdict.model_dump_json())
    if (disk.root / FOLDER / f"{NOTED}{version}").exists():
        return Record.read(disk.root)
    return note_start(disk.root, version)


def rename(disk: Disk, version: str, count: str) -> None:
    """Count a start as the boot loader does, or bless it."""
    kernel = next(one for one in slots.find_kernels(disk.root) if one.version == version)
    kernel.path.rename(kernel.path.with_name(f"coffer_{version}{count}.efi"))


def test_the_other_slot_holds_the_release_and_starts_next(
    disk: Disk, bundle: bytes, tmp_path: Path
) -> None:
    install(disk, bundle)

    made = release(tmp_path / "parts", NEW)
    assert disk.content(f"coffer_{NEW}").startswith(made["usr"].read_bytes())
    assert disk.content(f"coffer_{NEW}_verity").startswith(made["usr-verity"].read_bytes())
    assert disk.content(f"coffer_{NEW}_sig").startswith(made["usr-verity-sig"].read_bytes())
    assert disk.content(f"coffer_{RUNNING}").startswith(b"old")
    assert disk.listed() == [f"coffer_{RUNNING}.efi", f"coffer_{NEW}+3-0.efi"]
    assert update_of(disk).state is UpdateState.READY
    assert [path.name for path in (disk.root / KEPT).iterdir()] == ["record.json"]


def test_a_version_that_the_slot_names_is_written_anew(disk: Disk, bundle: bytes) -> None:
    install(disk, bundle)
    disk.spoil(f"coffer_{NEW}")

    install(disk, bundle)

    assert update_of(disk).state is UpdateState.READY


def steps_of_an_installation() -> list[str]:
    return [
        *("emptied", "emptied", "emptied"),
        *("wrote usr-verity-sig", "wrote usr-verity", "wrote usr"),
        *("labelled _sig", "labelled _verity", "labelled "),
        *("copied kernel", "listed kernel"),
    ]


def test_its_steps_are_those_that_the_power_is_cut_after(disk: Disk, bundle: bytes) -> None:
    install(disk, bundle)

    assert disk.steps == steps_of_an_installation()


@pytest.mark.parametrize("step", range(len(steps_of_an_installation())))
def test_a_power_cut_after_any_step_leaves_the_old_slot_and_a_second_try_succeeds(
    disk: Disk, bundle: bytes, step: int
) -> None:
    disk.cut_after = step

    with pytest.raises(PowerCut):
        install(disk, bundle)

    assert disk.content(f"coffer_{RUNNING}").startswith(b"old")
    assert f"coffer_{RUNNING}.efi" in disk.listed()
    is_listed = any(NEW in name for name in disk.listed())
    assert is_listed == (step == len(steps_of_an_installation()) - 1), "listed before it was whole"
    start(disk, RUNNING)
    disk.cut_after = None
    install(disk, bundle)
    assert update_of(disk).state is UpdateState.READY


@pytest.mark.parametrize("state", ["checking", "writing"])
def test_a_power_cut_is_told_at_the_next_start(
    disk: Disk, bundle: bytes, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*words: Any, **others: Any) -> Any:
        raise PowerCut

    target = "copy_parts" if state == "checking" else "slots.unlist_others"
    monkeypatch.setattr(f"appliance.updates.install.{target}", cut)
    with pytest.raises(PowerCut):
        install(disk, bundle)
    assert update_of(disk).state.value == state

    found = start(disk, RUNNING)

    assert found.update is not None
    assert found.update.state is UpdateState.FAILED
    assert "cut off" in found.update.reason


def test_a_power_cut_after_the_last_step_is_an_update_all_the_same(
    disk: Disk, bundle: bytes
) -> None:
    disk.cut_after = len(steps_of_an_installation()) - 1
    with pytest.raises(PowerCut):
        install(disk, bundle)
    rename(disk, NEW, "+2-1")

    assert start(disk, NEW).update.state is UpdateState.TRYING  # type: ignore[union-attr]


@pytest.mark.parametrize("what", ["usr", "usr-verity", "usr-verity-sig"])
def test_a_slot_that_does_not_hold_what_was_written_is_not_listed(
    disk: Disk, bundle: bytes, what: str
) -> None:
    ending = {"usr": "", "usr-verity": "_verity", "usr-verity-sig": "_sig"}[what]
    write = disk.run

    def lossy(*words: str, seconds: float) -> str:
        said = write(*words, seconds=seconds)
        if f"coffer_{NEW}{ending}" in disk.labels:
            disk.spoil(f"coffer_{NEW}{ending}")
        return said

    installation = disk.installation()
    broken = type(installation)(
        trust=installation.trust,
        here=installation.here,
        schemas=SCHEMAS,
        run=lossy,
        root=disk.root,
    )

    with pytest.raises(errors.InstallFailed, match=f"part {what} as"):
        broken.install(io.BytesIO(bundle))
    assert disk.listed() == [f"coffer_{RUNNING}.efi"]
    assert update_of(disk).state is UpdateState.FAILED


def test_nothing_is_written_to_a_slot_for_a_part_that_is_wrong(disk: Disk, bundle: bytes) -> None:
    with pytest.raises(errors.PartDamaged):
        install(disk, bundle[:-1] + bytes([bundle[-1] ^ 1]))

    assert disk.steps == []
    assert disk.listed() == [f"coffer_{RUNNING}.efi"]
    assert update_of(disk).reason
    assert [path.name for path in (disk.root / KEPT).iterdir()] == ["record.json"]


def test_what_waits_for_a_restart_is_replaced_by_a_newer_one(
    disk: Disk, bundle: bytes, tmp_path: Path
) -> None:
    install(disk, bundle)
    install(disk, write_bundle(tmp_path, NEWEST).read_bytes())

    assert disk.listed() == [f"coffer_{RUNNING}.efi", f"coffer_{NEWEST}+3-0.efi"]


def test_what_waits_for_a_restart_can_be_withdrawn(disk: Disk, bundle: bytes) -> None:
    install(disk, bundle)

    slots.withdraw(disk.root, RUNNING)

    assert disk.listed() == [f"coffer_{RUNNING}.efi"]
    assert update_of(disk).state is UpdateState.CANCELLED


@pytest.mark.parametrize("has_update", [False, True])
def test_where_none_waits_the_other_version_stays_on_the_list(
    disk: Disk, bundle: bytes, has_update: bool
) -> None:
    if has_update:
        install(disk, bundle)
        start(disk, NEW)
        rename(disk, NEW, "")
        start(disk, NEW)
    listed = disk.listed()

    with pytest.raises(ConfigError, match=r"cannot become|no update to cancel"):
        slots.withdraw(disk.root, NEW if has_update else RUNNING)

    assert disk.listed() == listed


def test_a_new_version_that_is_not_known_to_be_good_installs_nothing(
    disk: Disk, bundle: bytes
) -> None:
    rename(disk, RUNNING, "+2-1")
    (disk.root / BOOT_COUNT).parent.mkdir(parents=True)
    (disk.root / BOOT_COUNT).write_bytes(b"")

    with pytest.raises(errors.InstallFailed, match="health"):
        install(disk, bundle)


def test_a_machine_started_from_elsewhere_keeps_what_is_on_its_disk(
    disk: Disk, bundle: bytes
) -> None:
    (disk.kernels / f"coffer_{RUNNING}.efi").rename(disk.kernels / f"coffer_{NEWEST}.efi")

    with pytest.raises(errors.InstallFailed, match="is not in the boot partition"):
        install(disk, bundle)
    assert disk.listed() == [f"coffer_{NEWEST}.efi"]


def test_cancelling_is_kept_as_such(
    disk: Disk, bundle: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(*words: Any, **others: Any) -> Any:
        raise Cancelled

    monkeypatch.setattr("appliance.updates.install.copy_parts", cancelled)

    with pytest.raises(Cancelled):
        install(disk, bundle)
    assert update_of(disk).state is UpdateState.CANCELLED


def test_a_full_disk_is_told(disk: Disk, bundle: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1 << 20

    monkeypatch.setattr("shutil.disk_usage", lambda place: Usage)

    with pytest.raises(errors.InstallFailed, match="MiB are free"):
        install(disk, bundle)


# What becomes of it.
def test_a_start_that_was_counted_as_good_raises_the_floor(disk: Disk, bundle: bytes) -> None:
    install(disk, bundle)
    rename(disk, NEW, "+2-1")
    tried = start(disk, NEW)
    rename(disk, NEW, "")
    good = start(disk, NEW)

    assert tried.update is not None
    assert good.update is not None
    assert (tried.update.state, tried.floor) == (UpdateState.TRYING, "")
    assert (good.update.state, good.floor) == (UpdateState.GOOD, NEW)
    assert start(disk, NEW) == good


def test_a_start_is_noted_if_anything_has_happened_since_the_last_note(
    disk: Disk, bundle: bytes
) -> None:
    noted = disk.root / FOLDER / f"{NOTED}{RUNNING}"
    start(disk, RUNNING)
    was_noted = noted.exists()

    install(disk, bundle)
    start(disk, RUNNING)  # the update waits still

    assert was_noted
    assert not noted.exists()
    slots.withdraw(disk.root, RUNNING)
    assert not noted.exists()
    start(disk, RUNNING)
    assert noted.exists()


def test_a_start_that_is_not_counted_as_good_yet_is_noted_again(disk: Disk, bundle: bytes) -> None:
    noted = disk.root / FOLDER / f"{NOTED}{RUNNING}"
    rename(disk, RUNNING, "+2-1")
    start(disk, RUNNING)
    was_noted = noted.exists()

    rename(disk, RUNNING, "")
    record = start(disk, RUNNING)

    assert not was_noted
    assert record.floor == RUNNING
    assert noted.exists()


def test_a_version_that_ran_out_of_tries_fell_back_for_the_reason_its_check_gave(
    disk: Disk, bundle: bytes
) -> None:
    install(disk, bundle)
    rename(disk, NEW, "+0-3")

    found = start(disk, RUNNING, Verdict(version=NEW, reasons=("the agent does not answer",)))

    assert found.update is not None
    assert found.update.state is UpdateState.FELL_BACK
    assert (
        found.update.reason
        == f"fell back from {NEW} to {RUNNING} because the agent does not answer"
    )
    assert found.floor == RUNNING


@pytest.mark.parametrize("verdict", [None, Verdict(version=RUNNING, reasons=("of old",))])
def test_a_version_that_never_came_to_its_check_fell_back_too(
    disk: Disk, bundle: bytes, verdict: Verdict | None
) -> None:
    install(disk, bundle)
    rename(disk, NEW, "+0-3")

    found = start(disk, RUNNING, verdict)

    assert found.update is not None
    assert "did not come as far as its health check" in found.update.reason


def test_an_update_that_has_tries_left_still_waits(disk: Disk, bundle: bytes) -> None:
    install(disk, bundle)

    assert start(disk, RUNNING).update.state is UpdateState.READY  # type: ignore[union-attr]


def test_after_it_fell_back_the_same_bundle_may_be_tried_again(disk: Disk, bundle: bytes) -> None:
    install(disk, bundle)
    rename(disk, NEW, "+0-3")
    start(disk, RUNNING)

    install(disk, bundle)

    assert disk.listed() == [f"coffer_{RUNNING}.efi", f"coffer_{NEW}+3-0.efi"]


def test_the_version_before_starts_again_if_an_operator_says_so(disk: Disk, bundle: bytes) -> None:
    install(disk, bundle)
    rename(disk, NEW, "")
    start(disk, NEW)

    start_other(disk.root, here(version=NEW))

    assert disk.listed() == [f"coffer_{RUNNING}+3.efi", f"coffer_{NEW}+0.efi"]
    record = Record.read(disk.root)
    assert record.update is not None
    assert (record.update.version, record.update.replaced) == (RUNNING, NEW)
    assert record.floor == NEW


def test_a_version_before_that_does_not_start_leaves_the_present_one_good(
    disk: Disk, bundle: bytes
) -> None:
    install(disk, bundle)
    rename(disk, NEW, "")
    start(disk, NEW)
    start_other(disk.root, here(version=NEW))
    rename(disk, RUNNING, "+0-3")

    found = start(disk, NEW)

    assert found.update is not None
    assert found.update.state is UpdateState.FELL_BACK
    assert disk.listed() == [f"coffer_{RUNNING}+0-3.efi", f"coffer_{NEW}.efi"]


def test_a_version_on_trial_is_not_counted_as_good_by_its_own_start(
    disk: Disk, bundle: bytes
) -> None:
    install(disk, bundle)
    rename(disk, NEW, "+0-3")
    (disk.root / BOOT_COUNT).parent.mkdir(parents=True)
    (disk.root / BOOT_COUNT).write_bytes(b"")

    start(disk, NEW)

    assert f"coffer_{NEW}+0-3.efi" in disk.listed()


@pytest.mark.parametrize(
    ("count", "other", "is_useful"),
    [("+1-2", "", True), ("+0-3", "", True), ("+1-2", "+0", True), ("+0-3", "+0-3", False)],
)
def test_a_start_that_was_not_good_is_given_up_only_for_something_better(
    disk: Disk, bundle: bytes, count: str, other: str, is_useful: bool
) -> None:
    install(disk, bundle)
    rename(disk, NEW, count)
    rename(disk, RUNNING, other)

    assert slots.has_better(disk.root) is is_useful


def test_a_version_before_that_cannot_read_the_database_does_not_start(
    disk: Disk, bundle: bytes
) -> None:
    install(disk, bundle)
    rename(disk, NEW, "")
    start(disk, NEW)

    with pytest.raises(errors.StateUnreadable):
        start_other(disk.root, here(version=NEW, revision="9999"))
    assert disk.listed() == [f"coffer_{RUNNING}.efi", f"coffer_{NEW}.efi"]


def test_there_may_be_nothing_else_to_start(disk: Disk) -> None:
    with pytest.raises(errors.NothingToStart):
        start_other(disk.root, here())


def test_a_record_that_cannot_be_read_is_not_forgotten(disk: Disk, bundle: bytes) -> None:
    (disk.root / KEPT / "record.json").write_text("{")

    with pytest.raises(ServiceError):
        install(disk, bundle)


def test_anyone_may_read_the_record_and_root_alone_writes_it(disk: Disk, bundle: bytes) -> None:
    before = signal.getsignal(signal.SIGTERM)

    install(disk, bundle)

    assert (disk.root / KEPT / "record.json").stat().st_mode & 0o777 == 0o644
    assert signal.getsignal(signal.SIGTERM) is before


def test_where_no_bundle_can_be_opened_the_record_says_why(disk: Disk) -> None:
    @contextmanager
    def nothing() -> Iterator[io.BytesIO]:
        raise errors.InstallFailed("there is no bundle on a USB stick", remedy="plug in one")
        yield io.BytesIO()

    with pytest.raises(errors.InstallFailed):
        disk.installation().install(nothing())

    assert update_of(disk).state is UpdateState.FAILED
    assert update_of(disk).reason == "there is no bundle on a USB stick"
