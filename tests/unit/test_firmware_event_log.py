import pytest

from firmware.boot.banks import Bank
from firmware.boot.event_data import VariableData, describe, file_path_in, parse_variable
from firmware.boot.event_log import MOST_DATA_BYTES, parse_event_log
from firmware.boot.event_types import EventType
from firmware.boot.secure_boot import GLOBAL_VARIABLE
from firmware.errors import MalformedInput, UnknownBank
from tests.vectors.firmware_builders import event, header, number, old_event

BANKS = (Bank.SHA256, Bank.SHA384)
SEPARATOR = event(7, EventType.EV_SEPARATOR, bytes(4), BANKS)
SECURE_BOOT = VariableData(namespace=GLOBAL_VARIABLE, name="SecureBoot", value=b"\1")


def locality(value: int) -> bytes:
    data = b"StartupLocality\0" + bytes((value,))
    return event(0, EventType.EV_NO_ACTION, data, (Bank.SHA256,), measured=b"")


def test_events_keep_their_order_their_digests_and_their_data() -> None:
    log = parse_event_log(header(BANKS) + SEPARATOR + event(4, 0x80000007, b"go", BANKS))

    assert log.banks == BANKS
    assert [(one.number, one.pcr, one.data[:2]) for one in log.events[1:]] == [
        (1, 7, b"\0\0"),
        (2, 4, b"go"),
    ]
    assert log.events[2].digests == {bank: bank.digest(b"go") for bank in BANKS}


def test_replay_extends_what_was_measured_and_nothing_that_only_informs() -> None:
    informs = event(7, EventType.EV_NO_ACTION, b"hello")
    log = parse_event_log(header([Bank.SHA256]) + informs + event(7, 0x4, b"\0\0\0\0"))

    expected = Bank.SHA256.extend(bytes(32), Bank.SHA256.digest(bytes(4)))
    assert log.replay(Bank.SHA256) == {7: expected}


def test_pcr_0_begins_with_the_locality_of_the_start_of_the_tpm() -> None:
    log = parse_event_log(header([Bank.SHA256]) + locality(3) + event(0, 0x8, b"firmware"))

    start = bytes(31) + b"\3"
    assert log.replay(Bank.SHA256)[0] == Bank.SHA256.extend(start, Bank.SHA256.digest(b"firmware"))


def test_a_bank_that_the_log_lacks_cannot_be_replayed() -> None:
    log = parse_event_log(header(BANKS) + SEPARATOR)

    with pytest.raises(UnknownBank, match="no bank sha1"):
        log.replay(Bank.SHA1)


def test_an_event_without_a_digest_of_the_bank_ends_the_replay() -> None:
    log = parse_event_log(header(BANKS) + event(7, 0x4, bytes(4), [Bank.SHA256]))

    with pytest.raises(UnknownBank, match="event 1 has no sha384 digest"):
        log.replay(Bank.SHA384)


def test_a_log_of_sha_1_alone_is_read_too() -> None:
    log = parse_event_log(old_event(7, 0x4, Bank.SHA1.digest(bytes(4)), bytes(4)))

    assert log.banks == (Bank.SHA1,)
    assert log.events[0].proven_data() == bytes(4)
    assert set(log.replay(Bank.SHA1)) == {7}


def test_a_renamed_event_is_replayed_alike_and_its_data_stay_proven() -> None:
    data = SECURE_BOOT.encoded()
    honest, forged = (
        parse_event_log(header([Bank.SHA256]) + event(7, kind, data))
        for kind in (EventType.EV_EFI_VARIABLE_DRIVER_CONFIG, EventType.EV_UNUSED)
    )

    assert honest.replay(Bank.SHA256) == forged.replay(Bank.SHA256)
    assert honest.events[1].proven_data() == forged.events[1].proven_data() == data


def test_data_that_the_digest_is_not_of_are_not_proven() -> None:
    data = SECURE_BOOT.encoded()
    kind = EventType.EV_EFI_VARIABLE_DRIVER_CONFIG
    log = parse_event_log(header([Bank.SHA256]) + event(7, kind, data, measured=b"else"))

    assert log.events[1].proven_data() is None
    assert "variable SecureBoot of 1 bytes" in log.events[1].title


def test_data_are_proven_only_when_every_bank_agrees() -> None:
    place = number(7, 4) + number(0x4, 4) + number(2, 4)
    digests = number(0x0B, 2) + Bank.SHA256.digest(b"data") + number(0x0C, 2) + bytes(48)
    log = parse_event_log(header(BANKS) + place + digests + number(4, 4) + b"data")

    assert log.events[1].proven_data() is None


@pytest.mark.parametrize("measured", [b".linux\0", b".linux", ".linux".encode("utf-16-le")])
def test_the_text_of_a_boot_loader_is_proven_in_the_forms_that_loaders_measure(
    measured: bytes,
) -> None:
    wide = ".linux\0".encode("utf-16-le")
    log = parse_event_log(
        header([Bank.SHA256]) + event(11, EventType.EV_IPL, wide, measured=measured)
    )

    assert log.events[1].proven_data() == measured


def test_the_bare_value_of_a_boot_variable_is_proven() -> None:
    data = VariableData(namespace=GLOBAL_VARIABLE, name="BootOrder", value=b"\1\0").encoded()
    kind = EventType.EV_EFI_VARIABLE_BOOT
    log = parse_event_log(header([Bank.SHA256]) + event(1, kind, data, measured=b"\1\0"))

    assert log.events[1].proven_data() == b"\1\0"


HEADER_AND_MORE = header([Bank.SHA256]) + number(7, 4) + number(4, 4)
DIGEST = number(0x0B, 2) + bytes(32)
NO_LOGS = {
    "truncated: the PCR of event 0": b"",
    "truncated: the data of event 1": header(BANKS) + SEPARATOR[:-1],
    "truncated: the PCR of event 2": header(BANKS) + SEPARATOR + b"\0",
    "sha256 digests have 32 bytes, not 20": header(BANKS, sizes={Bank.SHA256: 20}),
    "sha256 stands there twice": header([Bank.SHA256, Bank.SHA256]),
    "0 algorithms are not 1 to": header([]),
    "names PCR 24": header([Bank.SHA256]) + event(24, 0x4, bytes(4)),
    "names PCR 4294967295": header([Bank.SHA256]) + event(0xFFFFFFFF, 0x4, bytes(4)),
    "event 1 has 0 digests": HEADER_AND_MORE + number(0, 4),
    "event 1 has 4000000000 digests": HEADER_AND_MORE + number(4_000_000_000, 4),
    "event 1 has a sha1 digest": HEADER_AND_MORE + number(1, 4) + number(4, 2) + bytes(20),
    "0x0099 is no digest algorithm": HEADER_AND_MORE + number(1, 4) + number(0x99, 2),
    "event 1 has two sha256 digests": header(BANKS)
    + number(7, 4)
    + number(4, 4)
    + number(2, 4)
    + 2 * DIGEST,
    f"more than {MOST_DATA_BYTES}": HEADER_AND_MORE + number(1, 4) + DIGEST + number(0xFFFFFFFF, 4),
    "gives no locality": header([Bank.SHA256]) + locality(1),
    "its header has a digest": b"\0\0\0\0\3\0\0\0\1" + header(BANKS)[9:],
    "1 bytes follow its vendor's data": old_event(0, 3, bytes(20), header(BANKS)[32:] + b"\0"),
    "version 1.2 is not 2.0": header(BANKS).replace(bytes((0, 2, 0, 2)), bytes((2, 1, 0, 2)), 1),
}


@pytest.mark.parametrize("fault", list(NO_LOGS))
def test_what_is_no_log_is_refused_and_the_fault_named(fault: str) -> None:
    with pytest.raises(MalformedInput, match=fault):
        parse_event_log(NO_LOGS[fault])


def test_a_variable_is_encoded_as_it_was_parsed() -> None:
    assert parse_variable(SECURE_BOOT.encoded()) == SECURE_BOOT


def test_a_variable_with_bytes_behind_it_is_refused() -> None:
    with pytest.raises(MalformedInput, match="1 bytes follow its value"):
        parse_variable(SECURE_BOOT.encoded() + b"\0")


def test_a_device_path_leads_to_its_file() -> None:
    name = "\\EFI\\BOOT\\BOOTX64.EFI\0".encode("utf-16-le")
    node = bytes((4, 4)) + number(4 + len(name), 2) + name

    assert file_path_in(node + bytes((0x7F, 0xFF, 4, 0))) == "\\EFI\\BOOT\\BOOTX64.EFI"


def test_a_device_path_whose_node_is_shorter_than_its_header_is_refused() -> None:
    with pytest.raises(MalformedInput, match="truncated: a node"):
        file_path_in(bytes((4, 4, 3, 0)))


def test_a_description_shows_nothing_that_could_move_the_cursor() -> None:
    shown = describe(EventType.EV_EFI_ACTION, b"\x1b[2Jcleared\n")

    assert shown.isprintable()
    assert "cleared" in shown
