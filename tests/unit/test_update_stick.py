"""The bundle on a USB stick: which devices are looked at, and what of a stick is taken."""

from pathlib import Path

import pytest

from appliance.updates.errors import InstallFailed
from appliance.updates.stick import find_volumes, open_bundle
from tests.unit.update_doubles import show_mapping


class Sticks:
    """Mounts, by copying names, what a test says is on each device."""

    def __init__(self, **content: dict[str, str]) -> None:
        self.content = content
        self.words: list[tuple[str, ...]] = []
        self._mounted: dict[str, list[Path]] = {}

    def __call__(self, *words: str, seconds: float) -> str:
        self.words.append(words)
        if words[0] == "umount":
            for path in self._mounted.pop(words[-1]):
                path.unlink()
            return ""
        device, folder = Path(words[words.index("--source") + 1]).name, words[-1]
        if device not in self.content or words[2] != "vfat":
            raise InstallFailed("wrong fs type")
        made = []
        for name, text in self.content[device].items():
            path = Path(folder) / name
            if text.startswith("->"):
                path.symlink_to(text.removeprefix("->"))
            else:
                path.write_text(text)
            made.append(path)
        self._mounted[folder] = made
        return ""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with its own disk, a USB stick with a partition, one without, and another disk."""
    show_mapping(tmp_path)
    (tmp_path / "sys/class/block").mkdir(parents=True)
    devices = tmp_path / "sys/devices"
    for place in ("usb1/sda/sda1", "usb2/sdb", "pci/vdb", "block/vda/vda4"):
        folder = devices / place
        folder.mkdir(parents=True, exist_ok=True)
        for device in (folder, folder.parent):
            if device.name[:2] in ("sd", "vd"):
                link = tmp_path / "sys/class/block" / device.name
                if not link.exists():
                    link.symlink_to(device)
        if folder.name[-1].isdigit():
            (folder / "partition").write_text("1\n")
    return tmp_path


def test_only_what_hangs_on_usb_is_looked_at(root: Path) -> None:
    assert [volume.name for volume in find_volumes(root)] == ["sda1", "sdb"]


def test_the_systems_own_disk_is_never_a_stick(tmp_path: Path, root: Path) -> None:
    slaves = root / "sys/block/dm-0/slaves"
    (slaves / "vda4").unlink()
    (slaves / "sda1").symlink_to(root / "sys/devices/usb1/sda/sda1")

    assert [volume.name for volume in find_volumes(root)] == ["sdb"]


def test_the_newest_bundle_is_read_and_the_stick_let_go(root: Path) -> None:
    names = {
        "coffer_20261103.000000.bundle": "older",
        "coffer_20261104.000000.bundle": "newer",
        "coffer_20261105.000000.bundle.part": "no",
        "notes.txt": "no",
    }
    sticks = Sticks(sdb=names)

    with open_bundle(root, sticks) as bundle:
        assert bundle.read() == b"newer"

    assert sticks.words[-1][0] == "umount"
    assert all("ro,nosuid,nodev,noexec" in words for words in sticks.words if words[0] == "mount")


def test_a_link_on_a_stick_leads_nowhere(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    sticks = Sticks(sda1={"coffer_20261103.000000.bundle": f"->{tmp_path / 'secret'}"})

    with pytest.raises(InstallFailed, match="no bundle on a USB stick"), open_bundle(root, sticks):
        pass


def test_what_cannot_be_read_is_named(root: Path) -> None:
    sticks = Sticks(sdb={"notes.txt": "no"})

    with pytest.raises(InstallFailed, match="what is on sda1 cannot"), open_bundle(root, sticks):
        pass


def test_without_a_stick_there_is_no_bundle(root: Path) -> None:
    with (
        pytest.raises(InstallFailed, match="no bundle on a USB stick"),
        open_bundle(root, Sticks()),
    ):
        pass
