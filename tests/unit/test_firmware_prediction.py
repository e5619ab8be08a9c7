from collections.abc import Mapping

import pytest

from firmware.boot.accepted import accept, parse_accepted, require_accepted, write_accepted
from firmware.boot.banks import Bank
from firmware.boot.event_log import parse_event_log
from firmware.boot.event_types import EventType
from firmware.boot.explain import MEANINGS, explain
from firmware.boot.pe import parse_image
from firmware.boot.prediction import (
    BOOT_ATTEMPT,
    Prediction,
    Step,
    inner_kernel,
    predict_boot_loaders,
    predict_kernel,
    predict_secure_boot,
)
from firmware.boot.secure_boot import ENABLED, SecureBootVariable
from firmware.errors import MalformedInput, UnacceptedMeasurements, UnpredictableMeasurement
from tests.vectors.firmware_builders import event, header, image, number

BANK = Bank.SHA256
KERNEL = (".linux", b"kernel")
PLAIN = [KERNEL, (".cmdline", b"quiet")]
PROFILES = [
    *PLAIN,
    (".profile", b"ID=regular"),
    (".profile", b"ID=reset"),
    (".cmdline", b"reset"),
]


def digests_of(prediction: Prediction) -> list[bytes]:
    return [step.digest for step in prediction.steps]


def digests(*contents: bytes) -> list[bytes]:
    return [BANK.digest(one) for one in contents]


def test_a_section_is_measured_by_its_name_and_its_contents() -> None:
    prediction = predict_kernel(image([(".text", b"code"), *reversed(PLAIN)]), BANK)

    assert digests_of(prediction) == digests(b".linux\0", b"kernel", b".cmdline\0", b"quiet")
    assert prediction.value == BANK.extended(digests_of(prediction))


def test_the_signature_of_the_measurements_is_not_measured() -> None:
    signed = image([*PLAIN, (".pcrsig", b"{}")])

    assert predict_kernel(signed, BANK) == predict_kernel(image(PLAIN), BANK)


def test_what_the_file_lacks_of_a_section_is_measured_as_zeros() -> None:
    data = image([(".linux", b"kernel")])
    size_at = data.index(b".linux") + 8
    longer = data[:size_at] + number(1000, 4) + data[size_at + 4 :]

    assert digests_of(predict_kernel(longer, BANK))[1:] == digests(b"kernel".ljust(1000, b"\0"))


def test_an_empty_section_is_not_measured_and_takes_no_place() -> None:
    empty = image([(".osrel", b""), *PROFILES[:-1], (".cmdline", b"")])

    assert predict_kernel(empty, BANK, profile=1) == predict_kernel(
        image(PROFILES[:-1]), BANK, profile=1
    )


def test_the_first_profile_is_taken_by_itself() -> None:
    uki = image(PROFILES)

    assert predict_kernel(uki, BANK) == predict_kernel(uki, BANK, profile=0)
    assert digests(b"quiet", b"ID=regular") == digests_of(predict_kernel(uki, BANK))[3::2]


def test_sections_of_a_profile_take_the_place_of_the_general_ones() -> None:
    prediction = predict_kernel(image(PROFILES), BANK, profile=1)

    assert digests(b"kernel", b"reset", b"ID=reset") == digests_of(prediction)[1::2]


@pytest.mark.parametrize("profile", [-1, 2, 255])
def test_a_profile_that_the_image_lacks_cannot_be_predicted(profile: int) -> None:
    with pytest.raises(UnpredictableMeasurement, match="the image has 2 profiles"):
        predict_kernel(image(PROFILES), BANK, profile=profile)


@pytest.mark.parametrize("name", [".dtbauto", ".hwids", ".efifw"])
def test_a_section_that_depends_on_the_machine_cannot_be_predicted(name: str) -> None:
    with pytest.raises(UnpredictableMeasurement, match="depends on the machine"):
        predict_kernel(image([*PLAIN, (name, b"?")]), BANK)


def test_a_section_that_stands_twice_cannot_be_predicted() -> None:
    with pytest.raises(UnpredictableMeasurement, match=r"\.cmdline stands twice"):
        predict_kernel(image([*PLAIN, (".cmdline", b"init=/bin/sh")]), BANK)


def test_an_image_without_a_kernel_is_no_unified_kernel_image() -> None:
    with pytest.raises(UnpredictableMeasurement, match=r"no \.linux section"):
        predict_kernel(image([(".text", b"code")]), BANK)


def test_a_phase_that_systemd_does_not_measure_is_refused() -> None:
    with pytest.raises(UnpredictableMeasurement, match="no phase"):
        predict_kernel(image(PLAIN), BANK, phases=["shutdown"])


def test_pcr_4_holds_the_attempt_a_separator_and_what_was_loaded() -> None:
    loader, uki = image([(".text", b"loader")]), image([(".linux", image([(".text", b"k")]))])
    images = {"loader": loader, "image": uki, "kernel": inner_kernel(uki)}

    prediction = predict_boot_loaders(images, BANK)

    assert digests_of(prediction)[:2] == digests(BOOT_ATTEMPT, bytes(4))
    assert [step.what for step in prediction.steps[2:]] == list(images)
    assert digests_of(prediction)[3] == parse_image(uki).authenticode(BANK)


def test_an_authenticode_hash_leaves_out_checksum_and_certificates() -> None:
    data = image(PLAIN)
    signature = bytes(range(64))
    checksum_at = 64 + 24 + 64
    entry_at = 64 + 24 + 112 + 8 * 4
    signed = bytearray(data + signature)
    signed[checksum_at : checksum_at + 4] = b"\1\2\3\4"
    signed[entry_at : entry_at + 8] = number(len(data), 4) + number(len(signature), 4)

    assert parse_image(bytes(signed)).authenticode(BANK) == parse_image(data).authenticode(BANK)


def test_an_authenticode_hash_covers_what_lies_behind_the_sections() -> None:
    plain, longer = (parse_image(image(PLAIN, trailer=one)) for one in (b"", b"more"))

    assert plain.authenticode(BANK) != longer.authenticode(BANK)


def changed(at: int, value: bytes) -> bytes:
    data = image(PLAIN)
    return data[:at] + value + data[at + len(value) :]


SECTION_AT = image(PLAIN).index(b".cmdline")
NO_IMAGES = {
    "truncated: its DOS header": b"M",
    "does not begin with MZ": bytes(4096),
    "points to byte 4000000": changed(0x3C, number(4_000_000, 4)),
    "its PE signature is missing": changed(64, b"PX"),
    "600 sections, more than": changed(70, number(600, 2)),
    "truncated: its optional header": changed(84, number(60_000, 2)),
    "neither PE32": changed(88, number(0x107, 2)),
    "its headers cannot have": changed(88 + 60, number(0xFFFFFFFF, 4)),
    "truncated: section .cmdline ends": changed(SECTION_AT + 16, number(0xFFFFFF00, 4)),
    "overlaps what lies before it": changed(SECTION_AT + 20, number(512, 4)),
    "bytes in memory that the file lacks": changed(SECTION_AT + 8, number(0xFFFFFFFF, 4)),
    "certificates do not lie at its end": changed(88 + 112 + 8 * 4, number(512, 4) + number(8, 4)),
}


@pytest.mark.parametrize("fault", list(NO_IMAGES))
def test_what_is_no_image_is_refused_and_the_fault_named(fault: str) -> None:
    with pytest.raises(MalformedInput, match=fault.replace(".", r"\.")):
        parse_image(NO_IMAGES[fault])


def test_pcr_7_cannot_be_predicted_without_all_variables() -> None:
    with pytest.raises(UnpredictableMeasurement, match="the value of PK is not given"):
        predict_secure_boot({SecureBootVariable.SECURE_BOOT: ENABLED}, [], BANK)


def test_variables_that_may_be_absent_are_measured_only_if_they_exist() -> None:
    values: dict[SecureBootVariable, bytes | None] = dict.fromkeys(SecureBootVariable)

    without = predict_secure_boot(values, [], BANK)
    with_dbr = predict_secure_boot(values | {SecureBootVariable.DBR: b""}, [], BANK)

    assert [step.what for step in without.steps] == [
        *(f"variable {name}" for name in ("SecureBoot", "PK", "KEK", "db", "dbx")),
        "separator",
    ]
    assert len(with_dbr.steps) == len(without.steps) + 1


def prediction_of(*contents: bytes, pcr: int = 4) -> Prediction:
    steps = tuple(Step(what=one.decode(), digest=BANK.digest(one)) for one in contents)
    return Prediction(pcr=pcr, bank=BANK, steps=steps)


def told(expected: list[bytes], measured: list[bytes], *, pcr: int = 4) -> str:
    """Return what is told of one PCR into which something else was measured."""
    data = b"".join(event(pcr, EventType.EV_EFI_ACTION, one) for one in measured)
    log = parse_event_log(header([BANK]) + data)
    seen = {pcr: prediction_of(*measured).value}
    (found,) = explain([prediction_of(*expected, pcr=pcr)], seen, log)
    return found.what


@pytest.mark.parametrize(
    ("measured", "what"),
    [
        ([b"a", b"x", b"c"], "expected b, measured was event 2 (EV_EFI_ACTION): x"),
        ([b"a", b"c"], "not measured: b"),
        ([b"a", b"b"], "not measured: c"),
        ([b"a", b"b", b"c", b"d"], "measured in addition: event 4 (EV_EFI_ACTION): d"),
        ([b"a", b"x", b"b", b"c"], "measured in addition: event 2 (EV_EFI_ACTION): x"),
    ],
)
def test_the_first_measurement_that_differs_is_told(measured: list[bytes], what: str) -> None:
    assert told([b"a", b"b", b"c"], measured) == what


def test_phases_after_the_log_has_ended_are_recognised() -> None:
    expected = [b"a", b"enter-initrd"]

    assert told(expected, [b"x"], pcr=11).startswith("expected a, measured was event 1")
    log = parse_event_log(header([BANK]) + event(11, 0xD, b"a"))
    seen = {11: prediction_of(b"a", b"enter-initrd", b"leave-initrd").value}
    (found,) = explain([prediction_of(*expected, pcr=11)], seen, log)
    assert found.what == "measured in addition: phase leave-initrd"


def test_a_log_that_does_not_lead_to_the_pcr_explains_nothing() -> None:
    log = parse_event_log(header([BANK]) + event(4, 0x5, b"x"))

    (found,) = explain([prediction_of(b"a")], {4: bytes(32)}, log)

    assert "does not lead to its value" in found.what
    assert found.event is None


def test_nothing_is_told_of_a_pcr_that_is_as_predicted() -> None:
    prediction = prediction_of(b"a")

    assert explain([prediction], {4: prediction.value}) == ()


@pytest.mark.parametrize("seen", [{}, {4: bytes(32)}])
def test_without_a_log_the_pcrs_meaning_is_told(seen: Mapping[int, bytes]) -> None:
    (found,) = explain([prediction_of(b"a")], seen)

    assert found.meaning == f"PCR 4 holds {MEANINGS[4].holds}"
    assert found.remedy


def test_accepted_measurements_are_read_as_they_were_written() -> None:
    boot = accept("1.0", [prediction_of(b"a"), prediction_of(b"b", pcr=11)])

    assert parse_accepted(write_accepted(boot)) == boot
    assert b'"bank": "sha256"' in write_accepted(boot)


def test_the_nearest_accepted_release_is_named() -> None:
    old, new = (
        accept(name, [prediction_of(one), prediction_of(b"same", pcr=7)])
        for name, one in (("1.0", b"old"), ("1.1", b"new"))
    )
    seen = {4: prediction_of(b"other").value, 7: prediction_of(b"same").value}

    with pytest.raises(UnacceptedMeasurements, match=r"PCR 4 differ from release 1\.0"):
        require_accepted(seen, [old, new])


def test_where_no_release_is_accepted_nothing_is() -> None:
    with pytest.raises(UnacceptedMeasurements, match="no release is accepted"):
        require_accepted({4: bytes(32)}, [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"release": "1", "bank": "sha256", "pcrs": {}}',
        '{"release": "1", "bank": "sha256", "pcrs": {"24": "%s"}}' % ("00" * 32),
        '{"release": "1", "bank": "sha256", "pcrs": {"4": "%s"}}' % ("00" * 20),
        '{"release": "1\\n", "bank": "sha256", "pcrs": {"4": "%s"}}' % ("00" * 32),
        '{"release": "1", "bank": "sha256", "pcrs": {"4": "%s"}, "more": 1}' % ("00" * 32),
    ],
)
def test_what_is_no_list_of_accepted_measurements_is_refused(text: str) -> None:
    with pytest.raises(MalformedInput, match="accepted measurements"):
        parse_accepted(text.encode())
