"""What the image's definition says of its two slots, held against what updates rely on."""

import configparser
from pathlib import Path
from typing import Final

import pytest

from appliance.updates.install import LABELS, SYSUPDATE
from appliance.updates.manifest import MOST_BYTES, Part
from appliance.updates.record import FOLDER, NOTED
from appliance.updates.slots import BOOT_COUNT, TRIES
from appliance.updates.staged import staged_name
from appliance.updates.startable import SBVERIFY
from image.places import DEFINITION

EXTRA: Final = DEFINITION / "mkosi.extra/usr/lib"
SLOT: Final = sorted((EXTRA / "sysupdate.d").iterdir())
START: Final = EXTRA / "sysupdate.start.d/90-uki.transfer"
UNITS: Final = EXTRA / "systemd/system"
SIZES: Final = {"K": 1 << 10, "M": 1 << 20}


def read(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(file)
    return parser


def bytes_of(size: str) -> int:
    return int(size[:-1]) * SIZES[size[-1]]


@pytest.mark.parametrize("transfer", [*SLOT, START], ids=lambda path: path.name)
def test_what_runs_is_never_replaced_and_only_verified_parts_are_taken(transfer: Path) -> None:
    said = read(transfer)

    assert said["Transfer"]["ProtectVersion"] == "%A"
    assert said["Source"]["Type"] == "regular-file"
    assert said["Source"]["Path"] == f"/{FOLDER / 'staged'}"


def test_each_part_of_a_slot_has_its_transfer_and_its_label() -> None:
    found = {}
    for transfer in SLOT:
        said = read(transfer)
        assert said["Target"]["Path"] == "auto"
        found[said["Target"]["MatchPartitionType"]] = said["Target"]["MatchPattern"]

    assert found == {name: f"coffer_@v{ending}" for name, ending in LABELS.items()}


def test_parts_are_staged_by_the_names_that_transfers_look_for() -> None:
    version, partition = "20261101.000000", "0" * 32
    for transfer in [*SLOT, START]:
        said = read(transfer)
        name = said["Target"].get("MatchPartitionType", "uki")
        pattern = said["Source"]["MatchPattern"].replace("@v", version).replace("@u", partition)
        part = Part(
            name=name,  # type: ignore[arg-type]
            size_bytes=1,
            stored_bytes=1,
            sha256="0" * 64,
            partition_id="" if name == "uki" else partition,
        )
        assert staged_name(version, part) == pattern


def test_the_kernel_image_is_counted_and_placed_by_a_component_of_its_own() -> None:
    said = read(START)["Target"]

    assert said["TriesLeft"] == str(TRIES)
    assert said["PathRelativeTo"] == "boot"
    assert said["MatchPattern"].split()[0] == "coffer_@v+@l-@d.efi"


@pytest.mark.parametrize("slot", ["1", "2"])
def test_both_slots_take_the_largest_part_that_a_bundle_may_hold(slot: str) -> None:
    for number, name in (("0", "usr-verity-sig"), ("1", "usr-verity"), ("2", "usr")):
        said = read(next((EXTRA / "repart.d").glob(f"{slot}{number}-*.conf")))["Partition"]
        assert said["Type"] == name
        if "SizeMinBytes" in said:
            assert bytes_of(said["SizeMinBytes"]) >= MOST_BYTES[name]
            assert said["SizeMaxBytes"] == said["SizeMinBytes"]


def test_the_boot_partition_takes_two_kernel_images() -> None:
    said = read(EXTRA / "repart.d/00-esp.conf")["Partition"]

    assert bytes_of(said["SizeMinBytes"]) >= 2 * MOST_BYTES["uki"]


def test_the_health_check_runs_in_counted_starts_alone_and_a_bad_one_restarts() -> None:
    said = read(UNITS / "coffer-health.service")

    assert said["Unit"]["ConditionPathExists"] == f"/{BOOT_COUNT}"
    assert said["Unit"]["Before"] == "boot-complete.target"
    assert said["Unit"]["OnFailure"] == "coffer-update@unhealthy.service"
    ended = read(UNITS / "coffer-update@unhealthy.service.d/50-restart.conf")
    assert ended["Unit"]["FailureAction"] == "reboot"
    assert said["Install"]["RequiredBy"] == "boot-complete.target"
    assert said["Service"]["User"] == "coffer"


def test_no_start_waits_for_a_note_where_there_is_nothing_to_note() -> None:
    said = read(UNITS / "coffer-update@note.service.d/50-start.conf")

    assert said["Unit"]["ConditionPathExists"] == f"!/{FOLDER / NOTED}%A"


def test_the_image_holds_what_writes_and_counts() -> None:
    kept = (DEFINITION / "programs").read_text().split()

    for program in (
        SYSUPDATE,
        SBVERIFY,
        "/usr/lib/systemd/systemd-import",
        "/usr/lib/systemd/systemd-bless-boot",
    ):
        assert program.removeprefix("/usr/") in kept
