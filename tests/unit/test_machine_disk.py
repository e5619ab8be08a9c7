"""Keys of the disk, and the end of all of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.machine.doing import disk_keys, factory_reset, tpm
from appliance.machine.errors import OrderRefused, ProgramFailed
from appliance.machine.orders import (
    AddRecoveryKey,
    BindDisk,
    FactoryReset,
    ShowDiskKeys,
    parse_order,
)
from appliance.machine.tools import Tools
from tests.repository import tree
from tests.unit.machine_doubles import Programs, root_below, tools

KEY = "-".join(["cbdefghi", "jklnrtuv"] * 4)
SLOTS = "SLOT TYPE\n   0 tpm2\n   1 recovery\n"
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@pytest.fixture
def programs() -> Programs:
    made = Programs()
    made.says[("systemd-cryptenroll",)] = SLOTS
    return made


@pytest.fixture
def box(tmp_path: Path, programs: Programs) -> Tools:
    root = root_below(tmp_path)
    (root / "dev/disk/by-partlabel").mkdir(parents=True)
    (root / disk_keys.VOLUME).write_bytes(b"key" * (16 << 20))
    (root / "sys/class/dmi/id").mkdir(parents=True)
    (root / "sys/class/dmi/id/product_serial").write_text("SN-0042\n")
    (root / "sys/firmware/efi/efivars").mkdir(parents=True)
    (root / SECURE_BOOT).write_bytes(b"\x06\0\0\0\x01")
    return tools(root, programs)


def test_the_kinds_of_keys_are_told(box: Tools) -> None:
    assert disk_keys.show_disk_keys(ShowDiskKeys(), box) == {"kinds": ["tpm2", "recovery"]}


def test_a_recovery_key_replaces_the_older_and_is_told_once(box: Tools, programs: Programs) -> None:
    programs.says[("systemd-cryptenroll", disk_keys.BY_TPM)] = f"{KEY}\n"

    done = disk_keys.add_recovery_key(AddRecoveryKey(), box)

    assert done == {"recovery_key": KEY, "kinds": ["tpm2", "recovery"]}
    assert programs.ran[0][1:-1] == (disk_keys.BY_TPM, "--recovery-key", "--wipe-slot=recovery")
    assert all(KEY not in " ".join(words) for words in programs.ran)


def test_no_key_is_made_up_where_none_comes_out(box: Tools) -> None:
    with pytest.raises(ProgramFailed, match="no recovery key"):
        disk_keys.add_recovery_key(AddRecoveryKey(), box)


def test_the_recovery_key_binds_the_disk_anew_and_lies_nowhere_after(
    box: Tools, programs: Programs
) -> None:
    path = box.root / disk_keys.KEY_FILE
    seen: list[str] = []

    def run(*words: str, seconds: float = 0) -> str:
        if f"--unlock-key-file={path}" in words:
            seen.append(path.read_text())
            assert path.stat().st_mode & 0o777 == 0o600
        return programs(*words)

    order = parse_order(json.dumps({"kind": "bind-disk", "recovery_key": KEY}).encode())
    disk_keys.bind_disk(order, Tools(run=run, tell=box.tell, root=box.root))

    assert seen == [KEY, KEY]  # proven first, and the old binding ended; then bound
    assert not path.exists()
    assert all(KEY not in " ".join(words) for words in programs.ran)
    assert KEY not in repr(order)


def test_a_wrong_recovery_key_is_said_to_be_wrong_and_leaves_no_file(box: Tools) -> None:
    def run(*words: str, seconds: float = 0) -> str:
        if "--wipe-slot=tpm2" in words:
            said = "Unlocking via keyfile failed: Operation not permitted"
            raise ProgramFailed(f"systemd-cryptenroll failed: {said}")
        return SLOTS

    with pytest.raises(OrderRefused, match="does not open the disk") as raised:
        disk_keys.bind_disk(
            BindDisk(recovery_key=KEY), Tools(run=run, tell=box.tell, root=box.root)
        )

    assert "was made last" in raised.value.remedy
    assert not (box.root / disk_keys.KEY_FILE).exists()


def test_a_program_that_fails_leaves_no_file(box: Tools, programs: Programs) -> None:
    programs.fails.add(("systemd-cryptenroll",))

    with pytest.raises(ProgramFailed):
        disk_keys.bind_disk(BindDisk(recovery_key=KEY), box)

    assert not (box.root / disk_keys.KEY_FILE).exists()


def test_a_recovery_key_that_is_none_is_refused_without_being_repeated() -> None:
    line = json.dumps({"kind": "bind-disk", "recovery_key": "hunter2-is-my-key"}).encode()

    with pytest.raises(OrderRefused) as caught:
        parse_order(line)

    assert "hunter2" not in caught.value.what + caught.value.remedy


def test_nothing_is_bound_to_a_start_without_secure_boot(box: Tools, programs: Programs) -> None:
    (box.root / SECURE_BOOT).write_bytes(b"\x06\0\0\0\0")

    with pytest.raises(OrderRefused, match="without Secure Boot"):
        disk_keys.bind_disk(BindDisk(recovery_key=KEY), box)

    assert programs.ran == []


def test_the_disk_is_bound_as_the_image_binds_it_on_first_boot() -> None:
    folder = tree.ROOT / "image/definition/mkosi.extra/usr/lib/systemd/system"
    first = (folder / "systemd-repart.service.d/50-coffer.conf").read_text()
    again = (folder / "coffer-factory-reset.service").read_text()

    assert f"--tpm2-pcrs={disk_keys.PCRS}\n" in first
    assert f"--tpm2-pcrs={disk_keys.PCRS}\n" in again


def reset(box: Tools, serial_number: str = "sn-0042") -> Any:
    return factory_reset.factory_reset(FactoryReset(serial_number=serial_number), box)


@pytest.mark.parametrize("typed", ["SN-0041", "SN", "SN-0042x", "y"])
def test_another_serial_number_ends_nothing(box: Tools, programs: Programs, typed: str) -> None:
    before = (box.root / disk_keys.VOLUME).read_bytes()

    with pytest.raises(OrderRefused, match="not the serial number"):
        reset(box, typed)

    assert (box.root / disk_keys.VOLUME).read_bytes() == before
    assert not (box.root / factory_reset.REQUEST).exists()
    assert programs.ran == []


def test_a_machine_without_a_number_is_not_reset_by_an_empty_one(box: Tools) -> None:
    (box.root / "sys/class/dmi/id/product_serial").write_text("None\n")

    with pytest.raises(OrderRefused, match="has no serial number"):
        reset(box, "None")


def test_a_reset_ends_the_keys_and_asks_the_next_start_for_a_new_volume(
    box: Tools, programs: Programs
) -> None:
    steps: list[Any] = []
    done = reset(Tools(run=programs, tell=steps.append, root=box.root))

    left = (box.root / disk_keys.VOLUME).read_bytes()
    assert left[: 32 << 20] == bytes(32 << 20)
    assert (box.root / factory_reset.REQUEST).read_bytes() == b"\x07\0\0\0y\0e\0s\0\0\0"
    assert programs.ran[-1][-1] == "reboot.target"
    assert done == {"tpm_cleared": False}  # there is no TPM in this folder, and it is said
    assert steps == [{"step": "requested"}, {"step": "erased"}, {"step": "TPM not cleared"}]


def test_a_firmware_that_does_not_take_the_request_leaves_all_as_it_is(
    box: Tools, programs: Programs
) -> None:
    (box.root / SECURE_BOOT).unlink()
    (box.root / "sys/firmware/efi/efivars").rmdir()
    before = (box.root / disk_keys.VOLUME).read_bytes()

    with pytest.raises(OrderRefused, match="does not take the request"):
        reset(box)

    assert (box.root / disk_keys.VOLUME).read_bytes() == before
    assert programs.ran == []


def test_the_clear_command_is_well_formed() -> None:
    command = tpm.CLEAR

    assert int.from_bytes(command[2:6], "big") == len(command)
