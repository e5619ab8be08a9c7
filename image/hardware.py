"""What a virtual machine is made of, and QEMU's words for it.

No KVM: a build machine may have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final
from uuid import UUID

FOLDER: Final = Path("/coffer/machine")
DISK_GIB: Final = 16
MEMORY_MIB: Final = 2048
SERVED_PORTS: Final = (7443, 7444, 7445, 7446)  # peers, files, operators, pages
_OVMF: Final = Path("/usr/share/OVMF")


class Firmware(Enum):
    """The firmware: its code, and its variables when the machine is new."""

    SECURE_BOOT = ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.fd")  # takes the first keys it is given
    FOREIGN_KEYS = ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd")  # has the keys of others
    NO_SECURE_BOOT = ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd")  # cannot check what it starts

    @property
    def code(self) -> Path:
        """The file that it runs, in the toolchain."""
        return _OVMF / self.value[0]

    @property
    def variables(self) -> Path:
        """The file that its variables begin as, in the toolchain."""
        return _OVMF / self.value[1]


class Console(Enum):
    """Where the serial console is: in the machine's folder, or on this terminal."""

    FOLDER = "folder"
    TERMINAL = "terminal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The network that a machine's one card is on.

    forwards: from a port of this host's loopback to the machine's own port
    is_routed: there is a router, with addresses for all (10.0.2.15 on); False if another has one
    segment: two sockets in one folder, this machine's and the other's, that join their networks
    tap: a device of this host that joins it, made by QEMU
    """

    forwards: Mapping[int, int] = field(default_factory=dict)
    is_routed: bool = True
    segment: tuple[Path, Path] | None = None
    tap: str = ""

    def words(self, mac: str) -> list[str]:
        """Return QEMU's words: all that there is of it meets in one hub."""
        ends = []
        if self.is_routed:
            forwards = (f",hostfwd=tcp:127.0.0.1:{a}-:{b}" for a, b in self.forwards.items())
            ends.append("user,id=router" + "".join(forwards))
        if self.segment is not None:
            here, there = self.segment
            ends.append(
                f"dgram,id=segment,local.type=unix,local.path=/coffer/segment/{here.name},"
                f"remote.type=unix,remote.path=/coffer/segment/{there.name}"
            )
        if self.tap:
            ends.append(f"tap,id=tap,ifname={self.tap},script=no,downscript=no")
        words = []
        for end in ends:
            name = end.split("id=")[1].split(",")[0]
            words += ["-netdev", end, "-netdev", f"hubport,id=hub-{name},hubid=0,netdev={name}"]
        card = f"virtio-net-pci,netdev=hub-card,mac={mac},romfile="
        return [*words, "-netdev", "hubport,id=hub-card,hubid=0", "-device", card]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a machine is made of.

    network: None for no network card
    strings: that its firmware hands over (SMBIOS type 11), as whoever runs the host may
    serial_number: that its maker gave it (SMBIOS type 1)
    """

    memory_mib: int = MEMORY_MIB
    cores: int = 2
    firmware: Firmware = Firmware.SECURE_BOOT
    network: Network | None = field(default_factory=Network)
    strings: tuple[str, ...] = ()
    serial_number: str = "COFFER-TEST-1"

    def words(self, number: UUID, console: Console) -> list[str]:
        """Return QEMU's words for a machine of this number.

        Its disk, its variables and its sockets are in the folder where it is started.
        """
        mac = "52:54:00:" + ":".join(f"{byte:02x}" for byte in number.bytes[-3:])
        network = self.network.words(mac) if self.network is not None else ["-nic", "none"]
        given = [f"type=1,serial={self.serial_number}"]
        given += [f"type=11,value={one.replace(',', ',,')}" for one in self.strings]
        return [
            *("-nodefaults", "-no-user-config", "-display", "none", "-uuid", str(number)),
            *("-machine", "q35,smm=on,pflash0=code,pflash1=variables"),
            # /dev/kvm may be there and not work. max without la57: all that compiled code asks for,
            # with shorter page walks.
            *("-accel", "tcg,thread=multi", "-cpu", "max,la57=off"),
            *("-smp", str(self.cores), "-m", str(self.memory_mib)),
            *("-global", "driver=cfi.pflash01,property=secure,value=on"),
            *("-blockdev", _file("code", "raw", self.firmware.code) + ",read-only=on"),
            *("-blockdev", _file("variables", "qcow2", Path("variables.qcow2"))),
            *("-blockdev", _file("disk", "qcow2", Path("disk.qcow2")) + ",discard=unmap"),
            *("-device", "virtio-blk-pci,drive=disk,bootindex=1"),
            *("-chardev", "socket,id=tpm,path=/run/tpm", "-tpmdev", "emulator,id=tpm,chardev=tpm"),
            *("-device", "tpm-tis,tpmdev=tpm", "-device", "virtio-rng-pci"),
            *("-device", "virtio-balloon-pci,id=balloon", "-device", "qemu-xhci,id=usb"),
            *(word for one in given for word in ("-smbios", one)),
            *network,
            *_serial(console),
        ]


def _file(name: str, form: str, path: Path) -> str:
    return f"node-name={name},driver={form},file.driver=file,file.filename={path}"


def _serial(console: Console) -> list[str]:
    if console is Console.TERMINAL:
        return ["-serial", "mon:stdio"]
    served = "server=on,wait=off"
    log = "logfile=console.log,logappend=on"
    return [
        *("-chardev", f"socket,id=serial,path=console.socket,{served},{log}"),
        *("-serial", "chardev:serial", "-qmp", f"unix:monitor.socket,{served}"),
    ]
