from pathlib import Path
from typing import Any

import pytest

import firmware.cards
from firmware.cards.catalogue import DATA_FILE, Catalogue, Profile, parse_catalogue
from firmware.cards.found import FoundCard, PCIDevice, ProblemKind, find_cards
from firmware.errors import MalformedInput

TEXT = (Path(firmware.cards.__file__).parent / DATA_FILE).read_text(encoding="utf-8")
CATALOGUE = parse_catalogue(TEXT)
FIRMWARE = {
    file.file: file.sha256 or "00" * 32 for family in CATALOGUE.family for file in family.firmware
}
FAMILY = """
[[family]]
name = "one"
title = "One"
profile = "base"
module = "one"
binds_as = "one"
licence = "MIT"
speeds_up = ["hashes"]
devices = [{ id = "1234:5678", title = "One" }]
"""


def device(id: str = "8086:4944", **values: Any) -> PCIDevice:
    vendor, number = (int(one, 16) for one in id.split(":"))
    given: dict[str, Any] = {"address": "0000:65:00.0", "device_class": 0x0B4000} | values
    return PCIDevice(vendor=vendor, device=number, **given)


def find(*devices: PCIDevice, **missing: str) -> tuple[FoundCard, ...]:
    return find_cards(devices, CATALOGUE, FIRMWARE | missing)


def kinds(card: FoundCard) -> list[ProblemKind]:
    return [problem.kind for problem in card.problems]


def test_a_card_with_its_driver_and_firmware_has_no_problem() -> None:
    (card,) = find(device(driver="4xxx"))

    assert card.is_usable
    assert card.family is not None
    assert (card.family.name, card.title) == ("qat-402xx", "402xx")


def test_a_card_without_driver_is_told_which_module_it_needs() -> None:
    (card,) = find(device())

    assert kinds(card) == [ProblemKind.NO_DRIVER]
    assert "it needs qat_4xxx" in card.problems[0].what
    assert "profile qat" in card.problems[0].remedy


def test_a_card_with_another_driver_is_told_which() -> None:
    (card,) = find(device("10de:2335", driver="nouveau"))

    assert kinds(card) == [ProblemKind.OTHER_DRIVER]
    assert "driver nouveau is bound to H200 SXM, not nvidia" in card.problems[0].what


def test_missing_and_wrong_firmware_are_told_apart() -> None:
    seen = {"qat_402xx.bin": "ab" * 32}

    (card,) = find_cards([device(driver="4xxx")], CATALOGUE, seen)

    assert kinds(card) == [ProblemKind.WRONG_FIRMWARE, ProblemKind.MISSING_FIRMWARE]
    assert "begins abababababababab, not b82b6faf0d1da97b" in card.problems[0].what
    assert "firmware-intel-misc 20250410-2" in card.problems[0].remedy
    assert "qat_402xx_mmp.bin of 402xx is missing" in card.problems[1].what


def test_firmware_without_a_known_hash_must_only_be_there() -> None:
    (there,) = find(device("8086:4940", driver="4xxx"))
    (absent,) = find_cards([device("8086:4940", driver="4xxx")], CATALOGUE, {})

    assert there.is_usable
    assert kinds(absent) == 2 * [ProblemKind.MISSING_FIRMWARE]


@pytest.mark.parametrize("device_class", [0x030200, 0x0B4000, 0x100000, 0x108000, 0x120000])
def test_an_unknown_accelerator_is_not_passed_over(device_class: int) -> None:
    (card,) = find(device("10de:2901", device_class=device_class))

    assert kinds(card) == [ProblemKind.UNKNOWN_CARD]
    assert card.family is None


def test_what_is_no_card_is_passed_over() -> None:
    network = device("8086:1521", device_class=0x020000, driver="igb")

    assert find(network) == ()


def test_a_card_that_is_told_by_its_subsystem_is_unknown_with_another() -> None:
    (known,) = find(
        device("8086:bcce", subsystem_vendor=0x8086, subsystem_device=0x1770, driver="dfl-pci")
    )
    (unknown,) = find(device("8086:bcce", subsystem_vendor=0x8086, device_class=0x120000))

    assert known.is_usable
    assert kinds(unknown) == [ProblemKind.UNKNOWN_CARD]


@pytest.mark.parametrize("id", ["1af4:1054", "1234:11e8"])
def test_stand_ins_are_known_whatever_their_class(id: str) -> None:
    (card,) = find(device(id, device_class=0x00FF00))

    assert card.family is not None
    assert card.family.is_stand_in
    assert kinds(card) == [ProblemKind.NO_DRIVER]


def test_cards_come_by_their_address() -> None:
    first, second = (device(address=f"0000:{bus}:00.0") for bus in ("0a", "b1"))

    assert [card.pci for card in find(second, first)] == [first, second]


@pytest.mark.parametrize(
    "values",
    [
        {"address": "65:00.0"},
        {"address": "0000:65:00.0\n"},
        {"device_class": 1 << 24},
        {"subsystem_vendor": -1},
        {"driver": "../evil"},
        {"driver": ""},
    ],
)
def test_values_that_sysfs_does_not_show_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(MalformedInput):
        device(**values)


def test_every_profile_has_a_family_and_every_package_a_hash() -> None:
    for profile in Profile:
        assert CATALOGUE.of_profile(profile)
    for family in CATALOGUE.family:
        for file in family.firmware:
            assert (file.package is None) == (file.sha256 is None), file.file


def test_every_family_of_whole_cards_has_limits_of_its_health() -> None:
    without = {
        family.name
        for family in CATALOGUE.family
        if not family.limits and not family.is_stand_in and not family.name.endswith("-vf")
    }

    assert without == {"fpga-alveo"}  # its other function tells


@pytest.mark.parametrize("generation", ["0435", "37c8", "19e2", "4940", "4942", "4944", "4946"])
def test_quickassist_of_generations_2_to_4_is_known(generation: str) -> None:
    known = CATALOGUE.find(f"8086:{generation}", "0000:0000")

    assert known
    assert known[0].profile is Profile.QAT


def test_a_family_is_read() -> None:
    catalogue: Catalogue = parse_catalogue(FAMILY)

    assert [one.name for one in catalogue.family] == ["one"]


LIMIT = 'limits = [{ metric = "errors" }]'
NAN = 'limits = [{ metric = "errors", fail_above = nan }]'
FILE = '[[family.firmware]]\nfile = "{}"\nlicence = "MIT"\n'
NO_CATALOGUES = {
    "Expected": "family = {}",
    "required field `family`": "",
    "unknown field `colour`": FAMILY + 'colour = "red"',
    "Invalid enum value 'gold'": FAMILY.replace("hashes", "gold"),
    "matching regex": FAMILY.replace("1234:5678", "1234:567G"),
    "family one stands there twice": 2 * FAMILY,
    "PCI id 1234:5678 stands there twice": FAMILY + FAMILY.replace('name = "one"', 'name = "two"'),
    "errors of one has no limit": FAMILY + LIMIT,
    "has no limit": FAMILY + NAN,
    "a SHA-256 of no package": FAMILY + FILE.format("a.bin") + f'sha256 = "{"00" * 32}"',
    r"family\[0\]\.firmware": FAMILY + FILE.format("../a.bin"),
    r"firmware\[0\]\.file": FAMILY + FILE.format("/a.bin"),
    "more than 1048576 characters": "#" * (1024 * 1024 + 1),
}


@pytest.mark.parametrize("fault", list(NO_CATALOGUES))
def test_what_is_no_catalogue_is_refused_and_the_fault_named(fault: str) -> None:
    with pytest.raises(MalformedInput, match=fault):
        parse_catalogue(NO_CATALOGUES[fault])
