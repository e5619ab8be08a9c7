"""What a virtual machine is made of, and QEMU's words for it.

No KVM: a build machine may have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import ClassVar, Final
from uuid import UUID

FOLDER: Final = Path("/coffer/machine")
DISK_GIB: Final = 16
MEMORY_MIB: Final = 2048
SERVED_PORTS: Final = (7443, 7444, 7445, 7446)  # peers, pairing, operators, enrolment
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
class Router:
    """A network of its own for a card: a router that gives it 10.0.2.15 and leads to this host's.

    forwards: from a port of this host's loopback to the machine's own port
    has_card: False for a router that no card is on, as a snapshot with one asks for it
    """

    forwards: Mapping[int, int] = field(default_factory=dict)
    has_card: bool = True

    def words(self, name: str) -> str:
        """Return QEMU's word for it."""
        forwards = (
            f",hostfwd=tcp:127.0.0.1:{here}-:{port}" for here, port in self.forwards.items()
        )
        return f"user,id={name}" + "".join(forwards)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A cable between a card and one other end, by two datagram sockets in one folder.

    There is no router on it, and no address is given. A router of QEMU's on the same network would
    take what goes to others as its own and carry it to this host's network.
    """

    here: Path
    there: Path

    inside: ClassVar[Path] = FOLDER.with_name("segment")

    @property
    def folder(self) -> Path:
        """The folder that is seen inside."""
        return self.here.parent

    def words(self, name: str) -> str:
        """Return QEMU's word for it."""
        return (
            f"dgram,id={name},local.type=unix,local.path={self.inside / self.here.name},"
            f"remote.type=unix,remote.path={self.inside / self.there.name}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A cable between two machines, by a stream: either may be off, and comes back by itself.

    By datagrams, as a segment's, a machine that starts would keep the other's QEMU busy sending.

    socket: of the machine that listens; the same for both
    listens: true for one of them
    """

    socket: Path
    listens: bool

    inside: ClassVar[Path] = FOLDER.with_name("wire")

    @property
    def folder(self) -> Path:
        """The folder that is seen inside."""
        return self.socket.parent

    def words(self, name: str) -> str:
        """Return QEMU's word for it."""
        way = "server=on" if self.listens else "server=off,reconnect-ms=1000"
        return f"stream,id={name},{way},addr.type=unix,addr.path={self.inside / self.socket.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a machine is made of.

    networks: what each of its network cards is on
    strings: that its firmware hands over (SMBIOS type 11), as whoever runs the host may
    serial_number: that its maker gave it (SMBIOS type 1)
    devices: more devices, as QEMU's -device names them
    """

    memory_mib: int = MEMORY_MIB
    cores: int = 2
    firmware: Firmware = Firmware.SECURE_BOOT
    networks: tuple[Router | Segment | Wire, ...] = (Router(),)
    strings: tuple[str, ...] = ()
    serial_number: str = "COFFER-TEST-1"
    devices: tuple[str, ...] = ()

    def words(self, number: UUID, console: Console) -> list[str]:
        """Return QEMU's words for a machine of this number.

        Its disk, its variables and its sockets are in the folder where it is started.
        """
        given = [f"type=1,serial={self.serial_number}"]
        given += [f"type=11,value={one.replace(',', ',,')}" for one in self.strings]
        return [
            *("-nodefaults", "-no-user-config", "-display", "none", "-uuid", str(number)),
            *("-machine", "q35,smm=on,pflash0=code,pflash1=variables"),
            # /dev/kvm may be there and not work. max has all that compiled code asks for. Without
            # la57 page walks are shorter; without erms and fsrm the kernel copies and clears by
            # eight bytes at once, for "rep movsb" is emulated byte by byte.
            *("-accel", "tcg,thread=multi", "-cpu", "max,la57=off,erms=off,fsrm=off"),
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
            *(word for one in self.devices for word in ("-device", one)),
            *self._cards(number),
            *_serial(console),
        ]

    def _cards(self, number: UUID) -> list[str]:
        if not self.networks:
            return ["-nic", "none"]
        words = []
        for place, network in enumerate(self.networks):
            name = f"network{place}"
            mac = card_address(number, place).hex(":")
            words += ["-netdev", network.words(name)]
            if not isinstance(network, Router) or network.has_card:
                words += ["-device", f"virtio-net-pci,netdev={name},mac={mac},romfile="]
        return words


def card_address(number: UUID, place: int) -> bytes:
    """Return the MAC of a network card of the machine with a number."""
    return bytes((0x52, 0x54, place)) + number.bytes[-3:]


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
