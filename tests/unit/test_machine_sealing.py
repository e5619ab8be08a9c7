"""The sealing key: made once, given out by the TPM alone, recovered by the recovery key."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance.identity.sealing import CREDENTIAL
from appliance.machine import seal, tools
from appliance.machine.doing import disk_keys, sealing, tpm, wrapping
from appliance.machine.errors import OrderRefused, ProgramFailed
from appliance.machine.orders import AddRecoveryKey, BindDisk
from appliance.machine.tools import PROGRAM_SECONDS, Tools
from appliance.updates.slots import BOOT_COUNT
from tests.repository import tree
from tests.unit.machine_doubles import device_of_tpm, root_below
from tests.unit.test_machine_disk import KEY, SECURE_BOOT, SLOTS

MOST_FAILURES = 3
OTHER_KEY = "-".join(["jklnrtuv", "cbdefghi"] * 4)


@dataclass
class Machine:
    """Stands in for systemd-creds and systemd-cryptenroll, with a TPM that can become another."""

    root: Path
    tpm: str = "one"
    recovery_key: str = KEY
    ran: list[tuple[str, ...]] = field(default_factory=list)
    lent: list[str] = field(default_factory=list)
    var_opens: bool = True
    failures: int = 0

    def __call__(self, *words: str, seconds: float = PROGRAM_SECONDS) -> str:
        self.ran.append(words)
        if words[:2] == ("systemd-creds", "encrypt"):
            self.lent.append(words[-2])
            return f"{self.tpm}:{Path(words[-2]).read_text()[::-1]}\n"
        if words[:2] == ("systemd-creds", "decrypt"):
            tpm, _, sealed = Path(words[-2]).read_text().strip().partition(":")
            if self.failures > MOST_FAILURES:
                raise ProgramFailed("systemd-creds failed: Failed to unseal: No locks available")
            if tpm != self.tpm:
                raise ProgramFailed("systemd-creds failed: TPM policy does not match")
            return sealed[::-1]
        if words == ("systemctl", "start", "var.mount"):
            if not self.var_opens:
                raise ProgramFailed("systemctl failed: no such device")
            (self.root / "closed").rename(self.root / "var")
            return ""
        return f"{self.recovery_key}\n" if disk_keys.BY_TPM in words else SLOTS

    def close_var(self) -> None:
        """Have the machine be an appliance whose /var does not open when it starts."""
        (self.root / "etc").mkdir()
        (self.root / "etc/os-release").write_text("IMAGE_ID=coffer\n")
        (self.root / "var").rename(self.root / "closed")

    @property
    def tools(self) -> Tools:
        return Tools(run=self, tell=lambda _: None, root=self.root)

    def starts(self) -> None:
        """Have the task run, as at each start."""
        sealing.seal_identity(self.tools)

    @property
    def offered(self) -> str | None:
        return self.tools.read(sealing.OFFERED)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    root = root_below(tmp_path)
    (root / sealing.OFFERED).parent.mkdir()
    (root / SECURE_BOOT).parent.mkdir(parents=True)
    (root / SECURE_BOOT).write_bytes(b"\x06\0\0\0\x01")
    return Machine(root)


def new_recovery_key(machine: Machine) -> Any:
    return disk_keys.add_recovery_key(AddRecoveryKey(), machine.tools)["recovery_key"]


def test_a_key_of_32_bytes_is_made_at_the_first_start_and_kept(machine: Machine) -> None:
    machine.starts()
    first = sealing.unseal(machine.tools)
    machine.starts()

    assert first is not None
    assert len(bytes.fromhex(first)) == 32
    assert sealing.unseal(machine.tools) == first
    assert machine.offered == machine.tools.read(sealing.SEALED)
    for place in (sealing.SEALED, sealing.OFFERED):
        assert (machine.root / place).stat().st_mode & 0o777 == 0o600


def test_it_is_sealed_to_what_the_disk_is_bound_to(machine: Machine) -> None:
    machine.starts()
    words = machine.ran[0]

    assert disk_keys.PCRS.startswith(f"{sealing.PCRS}:")
    assert f"--tpm2-pcrs={sealing.PCRS}" in words
    assert "--with-key=tpm2" in words
    assert f"--name={CREDENTIAL}" in words


def test_it_lies_nowhere_plain_and_is_never_among_words(machine: Machine) -> None:
    machine.starts()
    new_recovery_key(machine)
    key = sealing.unseal(machine.tools)

    assert key
    assert machine.lent == [str(machine.root / sealing.PLAIN)]
    assert all(key not in " ".join(words) for words in machine.ran)
    files = [path.read_bytes() for path in machine.root.rglob("*") if path.is_file()]
    assert all(key.encode() not in one and bytes.fromhex(key) not in one for one in files)


def test_another_tpm_offers_nothing_and_says_why(machine: Machine) -> None:
    machine.starts()
    machine.tpm = "another"

    with pytest.raises(OrderRefused, match="the TPM does not give out") as raised:
        machine.starts()
    assert machine.offered is None
    assert "recovery key" in raised.value.remedy


def test_after_the_tpm_is_lost_the_recovery_key_seals_the_same_key_anew(machine: Machine) -> None:
    machine.starts()
    key = sealing.unseal(machine.tools)
    recovery_key = new_recovery_key(machine)
    machine.tpm = "another"

    disk_keys.bind_disk(BindDisk(recovery_key=recovery_key), machine.tools)
    machine.starts()

    assert sealing.unseal(machine.tools) == key
    assert machine.offered


def test_it_brings_the_identity_back_also_where_var_was_closed(machine: Machine) -> None:
    machine.starts()
    key = sealing.unseal(machine.tools)
    recovery_key = new_recovery_key(machine)
    machine.tpm = "another"
    machine.close_var()

    disk_keys.bind_disk(BindDisk(recovery_key=recovery_key), machine.tools)
    machine.starts()

    assert sealing.unseal(machine.tools) == key


def test_where_var_stays_closed_all_the_same_it_says_what_is_left_to_do(machine: Machine) -> None:
    machine.starts()
    recovery_key = new_recovery_key(machine)
    machine.var_opens = False
    machine.close_var()

    with pytest.raises(OrderRefused, match="is bound, but /var does not open") as raised:
        disk_keys.bind_disk(BindDisk(recovery_key=recovery_key), machine.tools)
    assert "restart" in raised.value.remedy


def test_only_the_newest_recovery_key_recovers_it(machine: Machine) -> None:
    machine.starts()
    new_recovery_key(machine)
    machine.recovery_key = OTHER_KEY
    new_recovery_key(machine)
    machine.tpm = "another"

    with pytest.raises(OrderRefused, match="another recovery key"):
        wrapping.recover(KEY, machine.tools)
    wrapping.recover(OTHER_KEY, machine.tools)
    machine.starts()


def test_a_key_that_was_lost_is_not_replaced_by_another(machine: Machine) -> None:
    machine.starts()
    recovery_key = new_recovery_key(machine)
    before = sealing.unseal(machine.tools)
    (machine.root / sealing.SEALED).unlink()

    with pytest.raises(OrderRefused, match="is gone"):
        machine.starts()
    assert machine.offered is None
    wrapping.recover(recovery_key, machine.tools)
    machine.starts()
    assert sealing.unseal(machine.tools) == before


def test_no_recovery_key_ends_while_the_sealing_key_is_out_of_reach(machine: Machine) -> None:
    machine.starts()
    new_recovery_key(machine)
    machine.tpm = "another"
    machine.ran.clear()

    with pytest.raises(OrderRefused, match="does not give out"):
        new_recovery_key(machine)
    assert [words[0] for words in machine.ran] == ["systemd-creds"]


def test_no_recovery_key_is_made_on_an_appliance_whose_var_is_not_open(machine: Machine) -> None:
    machine.close_var()

    with pytest.raises(OrderRefused, match="cannot be reached"):
        new_recovery_key(machine)
    assert machine.ran == []


def test_where_nothing_is_sealed_the_disks_keys_are_made_as_ever(machine: Machine) -> None:
    assert new_recovery_key(machine) == KEY
    disk_keys.bind_disk(BindDisk(recovery_key=KEY), machine.tools)

    assert list((machine.root / "var/lib/coffer-machine").iterdir()) == []


def test_the_program_waits_for_orders_on_the_disk(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tools, "ALONE_SECONDS", 0.2)
    monkeypatch.setattr("signal.signal", lambda *_: None)

    with machine.tools.alone("disk"):
        assert seal.main(root=machine.root, run=machine) == 1
    assert "error: another order is at the disk\nhint: " in capsys.readouterr().err
    assert machine.offered is None

    assert seal.main(root=machine.root, run=machine) == 0
    assert machine.offered


def test_the_unit_waits_with_the_first_key_until_an_update_is_no_trial_any_more() -> None:
    unit = (tree.ROOT / "appliance/units/coffer-machine-seal.service").read_text()

    assert f"\nConditionPathExists=|!/{BOOT_COUNT}\n" in unit
    assert f"\nConditionPathExists=|/{sealing.SEALED}\n" in unit


@pytest.mark.parametrize("does_obey", [True, False])
def test_a_tpm_that_counts_power_cuts_as_guesses_is_told_to_forget_them(
    machine: Machine, does_obey: bool
) -> None:
    machine.starts()
    before, machine.failures = machine.offered, MOST_FAILURES + 1

    def told(command: bytes) -> bytes:
        # TPM2_DictionaryAttackLockReset, by TPM_RH_LOCKOUT; else TPM_RC_AUTH_FAIL.
        assert command[6:14] == bytes.fromhex("00000139 4000000a")
        machine.failures = 0 if does_obey else machine.failures
        return bytes.fromhex("8001 0000000a") + (0 if does_obey else 0x98E).to_bytes(4, "big")

    (machine.root / "dev").mkdir(exist_ok=True)
    with device_of_tpm(machine.root / tpm.DEVICE, told):
        if does_obey:
            machine.starts()
        else:
            with pytest.raises(OrderRefused, match="No locks available"):
                machine.starts()

    assert machine.offered == (before if does_obey else None)


def test_a_tpm_that_refuses_for_another_reason_is_told_nothing(machine: Machine) -> None:
    machine.starts()
    machine.tpm = "another"
    told: list[bytes] = []

    def note(command: bytes) -> bytes:
        told.append(command)
        return b""

    (machine.root / "dev").mkdir(exist_ok=True)
    with (
        device_of_tpm(machine.root / tpm.DEVICE, note),
        pytest.raises(OrderRefused, match="policy does not match"),
    ):
        machine.starts()

    assert told == []
