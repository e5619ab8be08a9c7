"""Disks and file systems, from files that a kernel would show."""

import os
from pathlib import Path

from appliance.machine.disks import Disk, Filesystem, read_disks, read_filesystems

MOUNTS = """\
tmpfs / tmpfs rw 0 0
/dev/mapper/usr /usr erofs ro,nodev 0 0
/dev/mapper/var /var ext4 rw,nodev 0 0
/dev/mapper/var /srv ext4 rw,nodev 0 0
/dev/sda1 /with\\040space vfat rw 0 0
/dev/sda9 /gone ext4 rw 0 0
"""


def figures(place: str) -> os.statvfs_result:
    if place == "/gone":
        raise FileNotFoundError(place)
    return os.statvfs_result((4096, 4096, 100, 60, 50, 0, 0, 0, 0, 255))


def test_disks_are_told_and_what_is_none_is_not(tmp_path: Path) -> None:
    for name, size in (("sda", "2048\n"), ("dm-0", "8\n"), ("loop0", "8\n"), ("nvme0n1", "x\n")):
        folder = tmp_path / "sys/block" / name
        (folder / "device").mkdir(parents=True)
        (folder / "queue").mkdir()
        (folder / "size").write_text(size if name != "nvme0n1" else "4096\n")
        (folder / "queue/rotational").write_text("1\n" if name == "sda" else "0\n")
        (folder / "removable").write_text("0\n")
        (folder / "device/model").write_text("  QEMU\x1b DISK \n")

    assert read_disks(tmp_path) == (
        Disk(name="nvme0n1", model="QEMU DISK", size_bytes=2 << 20, rotates=False,
             is_removable=False),
        Disk(name="sda", model="QEMU DISK", size_bytes=1 << 20, rotates=True, is_removable=False),
    )  # fmt: skip


def test_each_file_system_on_a_disk_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mounts").write_text(MOUNTS)

    found = read_filesystems(tmp_path, figures)

    assert [(one.place, one.is_read_only) for one in found] == [
        ("/usr", True),
        ("/var", False),
        ("/with space", False),
    ]
    assert found[1] == Filesystem(
        place="/var", kind="ext4", size_bytes=409600, free_bytes=204800, is_read_only=False
    )
