"""Real systemd-cryptenroll, -creds, -repart and software TPMs: keys of a volume, and its end.

No machine is started: the volume is a file, and a TPM a process that listens on the loopback.
"""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from appliance.identity.sealing import SEALING_KEY_BYTES
from appliance.machine.doing import disk_keys, sealing, tpm
from appliance.machine.doing.factory_reset import HEADER_BYTES
from appliance.machine.errors import OrderRefused, ProgramFailed
from appliance.machine.orders import AddRecoveryKey, BindDisk, ShowDiskKeys
from appliance.machine.tools import PROGRAM_SECONDS, Tools, run_program
from image.places import DEFINITION
from image.toolchain import Place, Toolchain
from tests.fleet.nodes import eventually
from tests.unit.machine_doubles import device_of_tpm, root_below

INSIDE = Path("/machine-of-test")
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
UNITS = DEFINITION / "mkosi.extra/usr/lib/systemd/system"
DISK_BYTES = 3000 << 20
VAR = "coffer-var"
LUKS = b"LUKS\xba\xbe"
MOST_CUTS = 40
INITIALIZE = bytes.fromhex("00000002 00000000")  # to swtpm's control channel
STARTUP = bytes.fromhex("8001 0000000c 00000144 0000")  # TPM2_Startup(TPM_SU_CLEAR)
WRONG_KEY = "-".join(["cbdefghi"] * 8)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A machine's folder, the tools, and the port of its TPM."""

    root: Path
    tools: Toolchain
    port: int

    def run(self, *words: str, seconds: float = PROGRAM_SECONDS) -> str:
        """Run a program of the toolchain, which sees the folder elsewhere and the TPM by TCP."""
        device = f"swtpm:host=127.0.0.1,port={self.port}"
        seen = [word.replace(str(self.root), str(INSIDE)) for word in words]
        seen = [word.replace("-device=auto", f"-device={device}") for word in seen]
        place = Place(outside=self.root, inside=INSIDE)
        said_here = {"SYSTEMD_LOG_TARGET": "console"}  # as in the helper's own environment
        return run_program(*self.tools.command(seen, [place], said_here), seconds=seconds)

    @property
    def orders(self) -> Tools:
        return Tools(run=self.run, tell=lambda _: None, root=self.root)

    def command_tpm(self, command: bytes) -> bytes:
        """Send the TPM a command as the kernel would, and return its answer."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(command)
            return connection.recv(4096)

    def cut_power_of_tpm(self) -> None:
        """Start the TPM anew that nobody told to stop."""
        with socket.create_connection(("127.0.0.1", self.port + 1)) as control:
            control.sendall(INITIALIZE)
            assert control.recv(4) == bytes(4)
        assert self.command_tpm(STARTUP)[6:10] == bytes(4)


@contextmanager
def software_tpm(tools: Toolchain, folder: Path) -> Iterator[int]:
    """Run a TPM that was started with zero registers; yield its port."""
    folder.mkdir()
    port = eventually(_two_free_ports)
    words = ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=/tpm-of-test"]
    words += ["--server", f"type=tcp,bindaddr=127.0.0.1,port={port},disconnect"]
    words += ["--ctrl", f"type=tcp,bindaddr=127.0.0.1,port={port + 1}"]
    words += ["--flags", "not-need-init,startup-clear"]
    place = Place(outside=folder, inside=Path("/tpm-of-test"))
    running = subprocess.Popen(tools.command(words, [place], {}))
    try:
        eventually(lambda: _listens(port), seconds=30)
        yield port
    finally:
        running.kill()
        running.wait()


def _two_free_ports() -> int | None:
    """Return a free port whose next one is free: programs take that for the TPM's control."""
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = int(first.getsockname()[1])
        return None if _listens(port + 1) else port


def _listens(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def box(tools: Toolchain, tmp_path: Path) -> Iterator[Box]:
    """A volume that is bound to a TPM, as systemd-repart makes it on first boot."""
    root = root_below(tmp_path / "box")
    (root / disk_keys.VOLUME).parent.mkdir(parents=True)
    (root / disk_keys.VOLUME).write_bytes(bytes(64 << 20))
    (root / SECURE_BOOT).parent.mkdir(parents=True)
    (root / SECURE_BOOT).write_bytes(b"\x06\0\0\0\x01")
    (root / sealing.OFFERED).parent.mkdir()
    (root / "first").write_text("a first password")
    (root / "first").chmod(0o600)
    with software_tpm(tools, tmp_path / "tpm") as port:
        made = Box(root=root, tools=tools, port=port)
        volume, first = str(root / disk_keys.VOLUME), str(root / "first")
        quick = ("--type=luks2", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000")
        made.run("cryptsetup", "luksFormat", "--batch-mode", *quick, volume, first)
        bind = ("--wipe-slot=password", "--tpm2-device=auto", f"--tpm2-pcrs={disk_keys.PCRS}")
        made.run("systemd-cryptenroll", f"--unlock-key-file={first}", *bind, volume)
        yield made


def kinds(box: Box) -> list[object]:
    told = disk_keys.show_disk_keys(ShowDiskKeys(), box.orders)["kinds"]
    assert isinstance(told, list)
    return sorted(told, key=str)


def new_recovery_key(box: Box) -> str:
    """Make one by the TPM, which shows that the TPM opens the volume."""
    return str(disk_keys.add_recovery_key(AddRecoveryKey(), box.orders)["recovery_key"])


def test_a_recovery_key_takes_the_place_of_the_one_before(box: Box) -> None:
    assert kinds(box) == ["tpm2"]
    first = new_recovery_key(box)
    second = new_recovery_key(box)

    assert kinds(box) == ["recovery", "tpm2"]
    with pytest.raises(OrderRefused, match="does not open"):
        disk_keys.bind_disk(BindDisk(recovery_key=first), box.orders)
    disk_keys.bind_disk(BindDisk(recovery_key=second), box.orders)
    assert kinds(box) == ["recovery", "tpm2"]


def test_a_disk_that_came_to_another_machine_is_bound_there_by_its_recovery_key(
    box: Box, tmp_path: Path
) -> None:
    key = new_recovery_key(box)
    with software_tpm(box.tools, tmp_path / "other") as port:
        other = replace(box, port=port)
        with pytest.raises(ProgramFailed):
            new_recovery_key(other)
        with pytest.raises(OrderRefused, match="does not open"):
            disk_keys.bind_disk(BindDisk(recovery_key=WRONG_KEY), other.orders)
        assert kinds(other) == ["recovery", "tpm2"]  # a wrong key ends nothing

        disk_keys.bind_disk(BindDisk(recovery_key=key), other.orders)

        assert kinds(other) == ["recovery", "tpm2"]
        assert new_recovery_key(other)
    with pytest.raises(ProgramFailed):
        new_recovery_key(box)  # the machine that it came from opens it no more


def test_after_the_tpm_was_cleared_no_older_copy_of_the_disk_opens_by_it(box: Box) -> None:
    key = new_recovery_key(box)
    volume = box.root / disk_keys.VOLUME
    shutil.copyfile(volume, box.root / "older")

    answer = box.command_tpm(tpm.CLEAR)

    assert answer[6:10] == bytes(4), answer.hex()
    shutil.copyfile(box.root / "older", volume)
    with pytest.raises(ProgramFailed):
        new_recovery_key(box)
    # What a TPM cannot end, and SECURITY.md says so: the recovery key opens the older copy.
    disk_keys.bind_disk(BindDisk(recovery_key=key), box.orders)
    assert kinds(box) == ["recovery", "tpm2"]


def test_the_identitys_sealing_key_goes_with_the_disk_to_another_machine(
    box: Box, tmp_path: Path
) -> None:
    sealing.seal_identity(box.orders)
    key = sealing.unseal(box.orders)
    recovery_key = new_recovery_key(box)
    (box.root / sealing.OFFERED).unlink()
    with software_tpm(box.tools, tmp_path / "other") as port:
        other = replace(box, port=port)
        with pytest.raises(OrderRefused):
            sealing.seal_identity(other.orders)
        assert not (box.root / sealing.OFFERED).exists()

        disk_keys.bind_disk(BindDisk(recovery_key=recovery_key), other.orders)

        sealing.seal_identity(other.orders)
        assert sealing.unseal(other.orders) == key
        assert key is not None
        assert len(bytes.fromhex(key)) == SEALING_KEY_BYTES
    with pytest.raises(OrderRefused):
        sealing.unseal(box.orders)  # the machine that it came from gives it out no more


def test_a_tpm_to_which_power_cuts_are_guesses_gives_the_sealing_key_out(box: Box) -> None:
    sealing.seal_identity(box.orders)
    key = sealing.unseal(box.orders)
    for _ in range(MOST_CUTS):
        box.cut_power_of_tpm()
        try:
            sealing.unseal(box.orders)
        except OrderRefused as refused:
            assert "No locks available" in refused.what
            break
    else:
        pytest.fail("this TPM counts no power cuts")

    with device_of_tpm(box.root / tpm.DEVICE, box.command_tpm):
        sealing.seal_identity(box.orders)

    assert sealing.unseal(box.orders) == key
    assert new_recovery_key(box)


def extend_secure_boot(box: Box) -> None:
    """Extend PCR 7 of the bank SHA-256, as a start with other keys would leave another value."""
    handle, digest = (7).to_bytes(4, "big"), bytes(31) + b"\x01"
    body = handle + bytes.fromhex("00000009 40000009 0000 00 0000 00000001 000b") + digest
    command = bytes.fromhex("8002") + (10 + len(body)).to_bytes(4, "big") + b"\0\0\x01\x82" + body
    assert box.command_tpm(command)[6:10] == bytes(4)


def test_the_sealing_key_is_given_out_only_in_the_state_that_it_was_made_in(box: Box) -> None:
    sealing.seal_identity(box.orders)
    assert sealing.unseal(box.orders)

    extend_secure_boot(box)

    with pytest.raises(OrderRefused, match="does not give out"):
        sealing.unseal(box.orders)


def repartition(box: Box, unit: str, *more: str) -> None:
    """Run what a unit of the image runs, on a disk that is a file."""
    (line,) = [
        line for line in (UNITS / unit).read_text().splitlines() if line.startswith("ExecStart=/")
    ]
    words = line.removeprefix("ExecStart=").split()
    where = (f"--definitions={box.root / 'repart.d'}", "--offline=yes", f"--seed={'07' * 16}")
    disk = str(box.root / "disk")
    box.run(*words, *where, *more, "--tpm2-device=auto", disk, seconds=300)


def start_of_var(box: Box) -> int:
    """Return where the volume lies on the disk, in bytes."""
    told = box.run("sfdisk", "--json", str(box.root / "disk"))
    (var,) = [one for one in json.loads(told)["partitiontable"]["partitions"] if one["name"] == VAR]
    return int(var["start"]) * 512


def first_bytes(box: Box, place: int) -> bytes:
    with (box.root / "disk").open("rb") as disk:
        disk.seek(place)
        return disk.read(len(LUKS))


def test_a_volume_whose_header_is_gone_is_made_anew_by_the_reset_alone(box: Box) -> None:
    shutil.copytree(UNITS.parents[1] / "repart.d", box.root / "repart.d")
    for other in (box.root / "repart.d").glob("[12]*.conf"):
        other.unlink()  # the two copies of /usr, which are no matter here
    with (box.root / "disk").open("wb") as disk:
        disk.truncate(DISK_BYTES)
    first = "systemd-repart.service.d/50-coffer.conf"
    repartition(box, first, "--empty=force")
    start = start_of_var(box)
    assert first_bytes(box, start) == LUKS
    with (box.root / "disk").open("r+b") as disk:
        disk.seek(start)
        disk.write(bytes(HEADER_BYTES))

    repartition(box, first)  # a start that nobody asked for a reset makes nothing anew
    assert first_bytes(box, start) == bytes(len(LUKS))

    repartition(box, "coffer-factory-reset.service")
    assert start_of_var(box) == start
    assert first_bytes(box, start) == LUKS
