"""The cards of a machine, from a tree of files such as sysfs gives."""

from pathlib import Path

from appliance.machine.cards import read_cards, read_catalogue, read_devices

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
