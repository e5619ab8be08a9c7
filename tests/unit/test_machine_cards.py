"""The cards of a machine, from a tree of files such as sysfs gives."""

from pathlib import Path

from appliance.machine.card_readings import read_measured
from appliance.machine.cards import read_cards, read_catalogue, read_devices
from firmware.cards.catalogue import Limit
from firmware.cards.health import Health, judge

PLAIN = {"subsystem_vendor": "0x1af4", "subsystem_device": "0x1100", "class": "0x00ff00"}


def lay(root: Path, address: str, vendor: str, device: str, driver: str = "") -> Path:
    folder = root / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    for name, text in {**PLAIN, "vendor": vendor, "device": device}.items():
        folder.joinpath(name).write_text(f"{text}\n")
    if driver:
        bound = root / "sys/bus/pci/drivers" / driver
        bound.mkdir(parents=True, exist_ok=True)
        folder.joinpath("driver").symlink_to(bound)
    return folder


def test_a_stand_in_card_without_a_driver_is_a_named_problem(tmp_path: Path) -> None:
    lay(tmp_path, "0000:00:05.0", "0x1234", "0x11e8")
    lay(tmp_path, "0000:00:01.0", "0x8086", "0x2918", "lpc_ich")

    [card] = read_cards(tmp_path)

    assert card.pci.address == "0000:00:05.0"
    assert [problem.kind.value for problem in card.problems] == ["no-driver"]


def test_firmware_is_missing_until_it_is_the_catalogues(tmp_path: Path) -> None:
    family = next(one for one in read_catalogue().family if one.name == "nvidia-gsp-tu10x")
    lay(tmp_path, "0000:65:00.0", "0x10de", "0x1eb8", family.binds_as)

    [before] = read_cards(tmp_path)
    for file in family.firmware:
        path = tmp_path / "usr/lib/firmware" / file.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"another")
    [after] = read_cards(tmp_path)

    assert {problem.kind.value for problem in before.problems} == {"missing-firmware"}
    assert {problem.kind.value for problem in after.problems} == {"wrong-firmware"}


def test_a_device_that_goes_away_is_left_out(tmp_path: Path) -> None:
    lay(tmp_path, "0000:00:05.0", "0x1234", "0x11e8").joinpath("class").unlink()

    assert read_devices(tmp_path) == ()
    assert read_cards(tmp_path / "nowhere") == ()


def test_a_card_that_reads_back_as_itself_is_well_and_one_that_does_not_is_a_problem(
    tmp_path: Path,
) -> None:
    folder = lay(tmp_path, "0000:00:05.0", "0x1af4", "0x1054", "virtio-pci")
    folder.joinpath("config").write_bytes(bytes.fromhex("f41a5410") + bytes(60))
    [well] = read_cards(tmp_path)
    folder.joinpath("config").write_bytes(b"\xff" * 64)  # what a bus reads where nothing answers
    [lost] = read_cards(tmp_path)

    assert [(one.metric, one.value, one.health) for one in well.readings] == [
        ("configuration_reads_failed", 0.0, Health.WELL)
    ]
    assert well.is_usable
    assert [problem.kind.value for problem in lost.problems] == ["unwell"]
    assert "configuration_reads_failed is 1" in lost.problems[0].what


def test_errors_heat_and_state_are_read_as_the_drivers_show_them(tmp_path: Path) -> None:
    folder = lay(tmp_path, "0000:6b:00.0", "0x8086", "0x4946", "420xx")
    files = {
        "qat/state": "down\n",
        "qat_ras/errors_correctable": "3\n",
        "qat_ras/errors_fatal": "0\n",
        "aer_dev_fatal": "Undefined 9\nTOTAL_ERR_FATAL 9\n",
        "aer_dev_nonfatal": "DLP 1\nTOTAL_ERR_NONFATAL 2\n",
        "hwmon/hwmon3/temp1_input": "61500\n",
        "hwmon/hwmon3/temp2_input": "soon\n",
    }
    for name, text in files.items():
        folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(name).write_text(text)

    measured = read_measured(read_devices(tmp_path)[0], folder)
    [card] = read_cards(tmp_path)

    assert measured == {
        "temperature_celsius": 61.5,
        "errors_correctable": 3.0,
        "errors_nonfatal": 2.0,
        "errors_fatal": 0.0,
        "devices_down": 1.0,
    }
    assert {one.metric: one.health for one in card.readings} == {
        "devices_down": Health.FAILED,
        "errors_correctable": Health.WARNING,
        "errors_nonfatal": Health.WARNING,
        "errors_fatal": Health.WELL,
    }


def test_a_number_that_cannot_be_compared_is_not_well() -> None:
    limit = Limit(metric="temperature_celsius", warn_above=80, fail_above=90)

    assert [
        judge({"temperature_celsius": value, "unheard_of": 1.0}, [limit])[0].health
        for value in (80.0, 80.5, 90.5, float("nan"))
    ] == [Health.WELL, Health.WARNING, Health.FAILED, Health.FAILED]
    assert judge({}, [limit]) == ()
