import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from image.places import DEFINITION

MOUNTS = """25 1 254:0 / /usr ro,nodev - erofs /dev/mapper/usr ro
30 1 254:1 / /var rw,nodev shared:3 - ext4 /dev/mapper/var rw
"""
ROUTES = """Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.0.2.15
        /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 10.0.2.255
        /32 link BROADCAST
"""


@pytest.fixture(scope="module")
def console() -> ModuleType:
    """The program that draws the status screen; it stands alone in the image."""
    file = DEFINITION / "mkosi.extra/usr/lib/coffer/console.py"
    spec = importlib.util.spec_from_file_location("console", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files of a machine that started as it should."""
    files = {
        "usr/lib/os-release": 'NAME="Debian"\nIMAGE_VERSION=7\n',
        "sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
        "proc/self/mountinfo": MOUNTS,
        "proc/net/fib_trie": ROUTES,
        **{f"sys/class/tpm/tpm0/pcr-sha256/{pcr}": f"{pcr:02X}AB\n" for pcr in (4, 7, 11)},
        "sys/dev/block/254:0/dm/uuid": "CRYPT-VERITY-0123-usr\n",
        "sys/dev/block/254:1/dm/uuid": "CRYPT-LUKS2-0123-var\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def set_secure_boot(root: Path, state: int) -> None:
    variable = root / "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    variable.parent.mkdir(parents=True)
    variable.write_bytes(bytes((6, 0, 0, 0, state)))


def test_the_screen_tells_how_the_machine_started(console: ModuleType, root: Path) -> None:
    set_secure_boot(root, 1)

    lines = list(console.screen(root, {"coffer": "active"}, []))

    assert lines[0].startswith("Coffer 7 on ")
    assert lines[1:] == [
        "addresses    10.0.2.15",
        "secure boot  enabled; lockdown integrity",
        "PCR 4        04ab",
        "PCR 7        07ab",
        "PCR 11       0bab",
        "/usr         erofs on /dev/mapper/usr, verity",
        "/var         ext4 on /dev/mapper/var, encrypted",
        "coffer       active",
        "problems     none",
    ]


def test_secure_boot_off_is_shouted(console: ModuleType, root: Path) -> None:
    set_secure_boot(root, 0)

    assert console.secure_boot(root) == "DISABLED"


def test_what_cannot_be_known_is_said_to_be_unknown(console: ModuleType, tmp_path: Path) -> None:
    assert console.secure_boot(tmp_path) == "unknown"
    assert console.lockdown(tmp_path) == "unknown"
    assert console.mount_of(tmp_path, "/usr") == "not mounted"


def test_units_that_failed_are_the_problems(console: ModuleType, root: Path) -> None:
    assert list(console.screen(root, {}, ["coffer.service"]))[-1] == "problems     coffer.service"
