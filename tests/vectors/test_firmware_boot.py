"""Boots that took place, and what other programs calculate; ``firmware/README.md`` says how."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from firmware.boot.accepted import accept, require_accepted
from firmware.boot.banks import Bank
from firmware.boot.event_log import EventLog, parse_event_log
from firmware.boot.event_types import EventType
from firmware.boot.explain import explain
from firmware.boot.pe import parse_image
from firmware.boot.prediction import (
    PHASES,
    Prediction,
    predict_kernel,
    predict_sections,
    predict_secure_boot,
)
from firmware.boot.secure_boot import DISABLED, ENABLED, SecureBootVariable
from firmware.boot.signature_lists import build_signature_lists, parse_signature_lists
from firmware.boot.signed_writes import parse_signed_write
from firmware.errors import UnacceptedMeasurements
from tests.vectors.firmware_builders import image

FOLDER: Final = Path(__file__).parent / "firmware"
BOOTS: Final = ("secure_boot_on", "secure_boot_off")
BANKS: Final = (Bank.SHA1, Bank.SHA256, Bank.SHA384, Bank.SHA512)
# Of the sections that both boots measured, those whose contents are known here.
KNOWN_SECTIONS: Final = {
    ".osrel": b"NAME=Coffer\nID=coffer\nVERSION_ID=0.1\n",
    ".cmdline": b"console=ttyS0 quiet panic=-1 lockdown=integrity",
    ".uname": b"6.12.118+deb13-cloud-amd64",
}
SECTIONS: Final = (".linux", ".osrel", ".cmdline", ".initrd", ".uname", ".sbat")

# Made with sbsign 0.9.4: the SHA-256 in the signature of each image.
AUTHENTICODE: Final = [
    (
        image([(".text", b"\xc3"), (".osrel", b"ID=coffer\n"), (".linux", bytes(range(256)) * 5)]),
        "8ae43f48543e648172e19dc994ea4389a3309826ca48a6f41f2846a97e834b25",
    ),
    (
        image([(".text", b"\xc3"), (".data", b"1234")], is_wide=False),
        "2c61be99f8d683568b30049a771fed8cd788e4f7800c288cf24293a2c2f5aab3",
    ),
]


def log_of(boot: str) -> EventLog:
    return parse_event_log((FOLDER / f"{boot}.bin").read_bytes())


def pcrs_of(boot: str, bank: Bank) -> dict[int, bytes]:
    values = json.loads((FOLDER / f"{boot}_pcrs.json").read_text())[bank.algorithm]
    return {int(pcr): bytes.fromhex(value) for pcr, value in values.items()}


def variables() -> dict[SecureBootVariable, bytes | None]:
    """Return the Secure Boot variables of the boot with Secure Boot on."""
    enrolled = (SecureBootVariable.PK, SecureBootVariable.KEK, SecureBootVariable.DB)
    values: dict[SecureBootVariable, bytes | None] = {
        one: (FOLDER / f"{one.label}.esl").read_bytes() for one in enrolled
    }
    return values | {
        SecureBootVariable.SECURE_BOOT: ENABLED,
        SecureBootVariable.DBX: None,
    }


def secure_boot(bank: Bank) -> Prediction:
    """Return PCR 7 with Secure Boot on, when the key in db vouched for what was loaded, twice."""
    given = variables()
    (signature,) = parse_signature_lists(given[SecureBootVariable.DB] or b"")
    return predict_secure_boot(given, [signature, signature], bank)


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("boot", BOOTS)
def test_replay_gives_the_pcrs_that_the_tpm_showed(boot: str, bank: Bank) -> None:
    log = log_of(boot)

    replayed = dict.fromkeys(range(16), bank.zeros) | log.replay(bank)

    assert log.banks == BANKS
    assert pcrs_of(boot, bank).items() <= replayed.items()


@pytest.mark.parametrize("bank", BANKS)
def test_pcr_7_is_predicted_with_secure_boot_on(bank: Bank) -> None:
    assert secure_boot(bank).value == pcrs_of("secure_boot_on", bank)[7]


@pytest.mark.parametrize("bank", BANKS)
def test_pcr_7_is_predicted_with_secure_boot_off(bank: Bank) -> None:
    absent: dict[SecureBootVariable, bytes | None] = dict.fromkeys(variables())

    prediction = predict_secure_boot(absent | {SecureBootVariable.SECURE_BOOT: DISABLED}, [], bank)

    assert prediction.value == pcrs_of("secure_boot_off", bank)[7]


@pytest.mark.parametrize("boot", BOOTS)
def test_the_stub_measured_names_and_contents_in_the_predicted_order(boot: str) -> None:
    events = log_of(boot).of_pcr(11)
    contents = {name: KNOWN_SECTIONS.get(name, b"unknown") for name in SECTIONS}

    steps = predict_sections(reversed(contents.items()), Bank.SHA256).steps

    assert len(events) == len(steps) == 2 * len(SECTIONS)
    for at, (step, event) in enumerate(zip(steps, events, strict=True)):
        if at % 2 == 0 or SECTIONS[at // 2] in KNOWN_SECTIONS:
            assert step.digest == event.digests[Bank.SHA256], step.what


@pytest.mark.parametrize("boot", BOOTS)
def test_only_what_a_digest_covers_is_proven(boot: str) -> None:
    log = log_of(boot)

    proven = {event.kind for event in log.events if event.proven_data() is not None}
    loaded = [e for e in log.events if e.kind == EventType.EV_EFI_BOOT_SERVICES_APPLICATION]

    assert loaded
    assert EventType.EV_EFI_BOOT_SERVICES_APPLICATION not in proven
    assert {EventType.EV_SEPARATOR, EventType.EV_EFI_VARIABLE_DRIVER_CONFIG} <= proven
    assert "\\EFI\\Linux\\coffer.efi" in loaded[1].title


def test_the_difference_between_the_boots_is_that_secure_boot_is_off() -> None:
    bank = Bank.SHA256
    boot = "secure_boot_off"

    (found,) = explain([secure_boot(bank)], pcrs_of(boot, bank), log_of(boot))

    assert "expected variable SecureBoot" in found.what
    assert "proven by its digest: variable SecureBoot is 00" in found.what


def test_the_boot_with_secure_boot_off_is_not_accepted() -> None:
    accepted = [accept("0.1", [secure_boot(Bank.SHA256)])]

    assert require_accepted(pcrs_of("secure_boot_on", Bank.SHA256), accepted) is accepted[0]
    with pytest.raises(UnacceptedMeasurements, match=r"PCR 7 differ from release 0\.1"):
        require_accepted(pcrs_of("secure_boot_off", Bank.SHA256), accepted)


@pytest.mark.parametrize("name", ["PK", "KEK", "db"])
def test_lists_that_the_firmware_took_are_parsed_and_built_alike(name: str) -> None:
    value = (FOLDER / f"{name}.esl").read_bytes()

    (signature,) = parse_signature_lists(value)

    assert signature.certificate().subject.rfc4514_string() == f"CN={name}"
    assert build_signature_lists([signature]) == value


def test_a_signed_write_that_the_firmware_took_is_parsed_and_built_alike() -> None:
    data = (FOLDER / "KEK.auth").read_bytes()

    write = parse_signed_write(data)

    assert write.signed_at == datetime(2026, 11, 29, 9, tzinfo=UTC)
    assert write.value == (FOLDER / "KEK.esl").read_bytes()
    assert write.encoded() == data


def measured_cases() -> list[Any]:
    cases: list[Any] = json.loads((FOLDER / "systemd_measure.json").read_text())["cases"]
    return cases


@pytest.mark.parametrize("case", measured_cases(), ids=["all", "two"])
@pytest.mark.parametrize("bank", BANKS)
def test_pcr_11_is_predicted_as_systemd_measure_does(case: dict[str, Any], bank: Bank) -> None:
    sections = [(name, text.encode()) for name, text in reversed(case["sections"].items())]
    uki = image([(".text", b"\xc3"), *reversed(sections)])

    for at, phase in enumerate(PHASES, 1):
        expected = case["expected"][bank.algorithm][":".join(PHASES[:at])]
        predicted = predict_kernel(uki, bank, phases=PHASES[:at])
        assert predicted.value.hex() == expected, phase


@pytest.mark.parametrize(("data", "digest"), AUTHENTICODE, ids=["PE32+", "PE32"])
def test_authenticode_hashes_are_those_that_sbsign_signs(data: bytes, digest: str) -> None:
    assert parse_image(data).authenticode(Bank.SHA256).hex() == digest
