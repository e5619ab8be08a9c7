"""Whatever bytes come, the parsers of firmware give a value or name a fault, and lose nothing."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.boot.banks import Bank
from firmware.boot.event_data import VariableData, describe, parse_variable
from firmware.boot.event_log import Event, parse_event_log
from firmware.boot.event_types import EventType
from firmware.boot.explain import explain
from firmware.boot.pe import parse_image
from firmware.boot.prediction import (
    MEASURED_SECTIONS,
    Prediction,
    Step,
    predict_kernel,
    predict_sections,
)
from firmware.boot.signature_lists import (
    Signature,
    SignatureType,
    build_signature_lists,
    parse_signature_lists,
)
from firmware.boot.signed_writes import SignedWrite, parse_signed_write
from firmware.cards.catalogue import parse_catalogue
from firmware.errors import FirmwareError, MalformedInput
from tests.vectors.firmware_builders import event, header, image

BANK = Bank.SHA256
BANKS = (Bank.SHA1, Bank.SHA256)
MEASURED_KINDS = [kind for kind in EventType if kind is not EventType.EV_NO_ACTION]

Measured = tuple[int, int, bytes]
pcrs = st.integers(0, 23)
kinds = st.sampled_from(MEASURED_KINDS)
measurements = st.lists(st.tuples(pcrs, kinds, st.binary(max_size=64)), max_size=12)
contents = st.dictionaries(st.sampled_from(MEASURED_SECTIONS), st.binary(max_size=600))


def log_bytes(measured: Sequence[Measured]) -> bytes:
    return header(BANKS) + b"".join(event(*one, BANKS) for one in measured)


@st.composite
def signatures(draw: st.DrawFn) -> Signature:
    kind = draw(st.sampled_from(SignatureType))
    least, most = (kind.size, kind.size) if kind.size else (1, 80)
    data = draw(st.binary(min_size=least, max_size=most))
    return Signature(owner=draw(st.uuids()), kind=kind, data=data)


@given(measured=measurements)
def test_a_log_is_read_as_it_was_written(measured: list[Measured]) -> None:
    log = parse_event_log(log_bytes(measured))

    assert [(one.pcr, one.kind, one.data) for one in log.events[1:]] == measured


@given(measured=measurements)
def test_replay_is_the_same_as_extending_one_pcr_after_another(measured: list[Measured]) -> None:
    measured = [one for one in measured if one[1] != EventType.EV_EFI_HCRTM_EVENT]
    log = parse_event_log(log_bytes(measured))

    expected = {
        pcr: BANK.extended(BANK.digest(data) for at, _, data in measured if at == pcr)
        for pcr, _, _ in measured
    }

    assert log.replay(BANK) == expected


@given(measured=measurements, cut=st.integers(1, 40))
def test_a_log_that_is_cut_within_an_event_is_refused(measured: list[Measured], cut: int) -> None:
    data = log_bytes([*measured, (0, 5, b"last")])
    last_bytes = len(event(0, 5, b"last", BANKS))

    with pytest.raises(MalformedInput, match="truncated"):
        parse_event_log(data[: -min(cut, last_bytes - 1)])


@given(measured=measurements.filter(bool), at=st.integers(0), flip=st.integers(1, 255))
def test_a_changed_byte_of_a_log_changes_its_replay_or_what_is_proven(
    measured: list[Measured], at: int, flip: int
) -> None:
    data = bytearray(log_bytes(measured))
    place = len(header(BANKS)) + at % (len(data) - len(header(BANKS)))
    data[place] ^= flip
    honest = parse_event_log(log_bytes(measured))

    try:
        log = parse_event_log(bytes(data))
        replayed = log.replay(Bank.SHA1), log.replay(Bank.SHA256)
    except FirmwareError:
        return

    if replayed == (honest.replay(Bank.SHA1), honest.replay(Bank.SHA256)):
        assert {one.pcr for one in log.events} == {one.pcr for one in honest.events}
        for ours, theirs in zip(honest.events, log.events, strict=True):
            kind_changed = ours.kind != theirs.kind
            assert kind_changed or theirs.data == ours.data or theirs.proven_data() is None


PARSERS: dict[str, Callable[[bytes], object]] = {
    "event log": parse_event_log,
    "events": lambda data: parse_event_log(header(BANKS) + data),
    "image": parse_image,
    "sections": lambda data: predict_kernel(data, BANK),
    "signature lists": parse_signature_lists,
    "signature lists of any type": lambda data: parse_signature_lists(data, skips_unknown=True),
    "signed write": parse_signed_write,
    "variable": parse_variable,
    "catalogue": lambda data: parse_catalogue(data.decode("latin-1")),
}
SEEDS = (
    log_bytes([(7, 4, bytes(4))]),
    image([(".linux", b"kernel"), (".profile", b"ID=a")]),
    build_signature_lists([Signature(owner=UUID(int=1), kind=SignatureType.X509, data=b"x")]),
    SignedWrite(
        signed_at=datetime(2026, 1, 1, tzinfo=UTC), pkcs7=b"\x30\x00", value=b"v"
    ).encoded(),
)


@st.composite
def disturbed(draw: st.DrawFn) -> bytes:
    """Return something well-formed in which some bytes were changed, and that may be cut."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))])


@pytest.mark.parametrize("parser", list(PARSERS))
@given(data=st.binary(max_size=300) | disturbed())
def test_any_bytes_are_parsed_or_refused(parser: str, data: bytes) -> None:
    try:
        PARSERS[parser](data)
    except FirmwareError as error:
        assert error.what


@given(kind=st.sampled_from(EventType) | st.integers(0, 2**32 - 1), data=st.binary(max_size=200))
def test_any_event_can_be_described_and_asked_what_it_proves(kind: int, data: bytes) -> None:
    digests = {BANK: BANK.digest(data)}
    seen = Event(number=1, pcr=1, kind=kind, digests=digests, data=data)

    assert describe(kind, data).isprintable()
    assert seen.title.isprintable()
    assert seen.proven_data() == data


@given(namespace=st.uuids(), name=st.text(max_size=20), value=st.binary(max_size=40))
def test_a_variable_survives_its_encoding(namespace: UUID, name: str, value: bytes) -> None:
    variable = VariableData(namespace=namespace, name=name, value=value)

    assert parse_variable(variable.encoded()) == variable


@given(entries=st.lists(signatures(), max_size=6))
def test_signature_lists_survive_their_encoding(entries: list[Signature]) -> None:
    assert parse_signature_lists(build_signature_lists(entries)) == tuple(entries)


@given(
    at=st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9999, 12, 31)),
    value=st.binary(max_size=100),
)
def test_signed_writes_survive_their_encoding(at: datetime, value: bytes) -> None:
    signed_at = at.replace(microsecond=0, tzinfo=UTC)
    write = SignedWrite(signed_at=signed_at, pkcs7=b"\x30\x02\x05\x00", value=value)

    assert parse_signed_write(write.encoded()) == write


@given(data=st.data(), sections=contents)
def test_pcr_11_does_not_depend_on_the_order_of_sections(
    data: st.DataObject, sections: dict[str, bytes]
) -> None:
    other_order = data.draw(st.permutations(list(sections.items())))

    assert predict_sections(other_order, BANK) == predict_sections(sections.items(), BANK)


@given(sections=contents, code=st.binary(max_size=700), is_wide=st.booleans())
def test_an_image_holds_the_sections_that_it_was_built_of(
    sections: dict[str, bytes], code: bytes, is_wide: bool
) -> None:
    built = [(".text", code), *sections.items()]
    parsed = parse_image(image(built, is_wide=is_wide))

    assert [(one.name, parsed.contents(one)) for one in parsed.sections] == built


@given(
    expected=st.lists(st.binary(max_size=3), max_size=6),
    measured=st.lists(st.binary(max_size=3), max_size=6),
    pcr=st.sampled_from([4, 7, 11]),
)
def test_a_difference_is_told_exactly_where_there_is_one(
    expected: list[bytes], measured: list[bytes], pcr: int
) -> None:
    steps = tuple(Step(what=one.hex(), digest=BANK.digest(one)) for one in expected)
    prediction = Prediction(pcr=pcr, bank=BANK, steps=steps)
    log = parse_event_log(header([BANK]) + b"".join(event(pcr, 5, one) for one in measured))
    seen = {pcr: BANK.extended(BANK.digest(one) for one in measured)}

    found = explain([prediction], seen, log)

    assert bool(found) == (expected != measured)
    for one in found:
        assert one.what
        assert one.remedy
