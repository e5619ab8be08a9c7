"""What a virtual machine is made of, as QEMU is told."""

from pathlib import Path
from uuid import UUID

import pytest

from image.errors import MachineError
from image.hardware import Console, Firmware, Hardware, Router, Segment, Wire
from image.storage import Storage

NUMBER = UUID("12345678-1234-4234-8234-0123456789ab")


def words_of(hardware: Hardware) -> str:
    """Return QEMU's words as one line."""
    return " ".join(hardware.words(NUMBER, Console.FOLDER))


def test_no_card_means_none() -> None:
    words = words_of(Hardware(networks=()))

    assert "-nic none" in words
    assert "virtio-net" not in words


def test_ports_are_forwarded_from_loopback_alone() -> None:
    words = words_of(Hardware(networks=(Router(forwards={17443: 7443}),)))

    assert "hostfwd=tcp:127.0.0.1:17443-:7443" in words


def test_a_comma_in_a_string_of_the_firmware_ends_nothing() -> None:
    words = Hardware(strings=("a=b,c",)).words(NUMBER, Console.FOLDER)

    assert "type=11,value=a=b,,c" in words


def test_two_machines_share_a_segment_whose_ends_are_crossed(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"

    first = words_of(Hardware(networks=(Router(), Segment(here=one, there=other))))
    second = words_of(Hardware(networks=(Segment(here=other, there=one),)))

    folder = "/coffer/segment"
    crossed = "local.path={}/{},remote.type=unix,remote.path={}/{}"
    assert crossed.format(folder, "one", folder, "other") in first
    assert crossed.format(folder, "other", folder, "one") in second
    assert "-netdev user" in first
    assert "-netdev user" not in second


def test_of_two_machines_on_a_wire_one_listens_and_the_other_comes_back(tmp_path: Path) -> None:
    first = words_of(Hardware(networks=(Router(), Wire(socket=tmp_path / "w", listens=True))))
    second = words_of(Hardware(networks=(Wire(socket=tmp_path / "w", listens=False),)))

    way = "addr.type=unix,addr.path=/coffer/wire/w"
    assert f"-netdev stream,id=network1,server=on,{way} -device virtio-net-pci" in first
    assert f"-netdev stream,id=network0,server=off,reconnect-ms=1000,{way}" in second


@pytest.mark.parametrize("firmware", list(Firmware))
def test_its_firmware_is_what_it_runs(firmware: Firmware) -> None:
    assert str(firmware.code) in words_of(Hardware(firmware=firmware))


def test_a_copy_of_the_disk_alone_is_another_machine(tmp_path: Path) -> None:
    image = tmp_path / "image.raw"
    image.write_bytes(b"disk")
    owner = Storage(folder=tmp_path / "owner", image=image)
    owner.prepare()
    (owner.folder / "disk.qcow2").write_bytes(b"stored")
    (owner.folder / "variables.qcow2").write_bytes(b"keys")
    (owner.folder / "tpm").mkdir()

    owner.copy(tmp_path / "thief", with_tpm=False)
    owner.copy(tmp_path / "same", with_tpm=True)
    thief = Storage(folder=tmp_path / "thief", image=image)
    same = Storage(folder=tmp_path / "same", image=image)
    thief.prepare()
    same.prepare()

    assert (thief.folder / "disk.qcow2").read_bytes() == b"stored"
    assert not (thief.folder / "tpm").exists()
    assert thief.number != owner.number
    assert same.number == owner.number


def test_a_machine_of_another_image_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "image.raw"
    image.write_bytes(b"disk")
    Storage(folder=tmp_path / "machine", image=image).prepare()
    image.write_bytes(b"another disk")

    with pytest.raises(MachineError):
        Storage(folder=tmp_path / "machine", image=image).prepare()


def test_devices_come_as_they_are_named() -> None:
    assert "-device edu,bus=slot-1" in words_of(Hardware(devices=("edu,bus=slot-1",)))
