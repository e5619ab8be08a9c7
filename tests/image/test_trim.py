"""What is taken from an image's files: programs that no list names, and units that called them."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from image.places import DEFINITION


@pytest.fixture(scope="module")
def trim() -> ModuleType:
    """The program, as mkosi.finalize runs it."""
    spec = importlib.util.spec_from_file_location("trim", DEFINITION / "trim.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small system: two programs, a link to each, a library, and units that call them."""
    for name in ("bin/tool", "bin/sh", "lib/systemd/systemd-thing", "lib/libthing.so"):
        path = tmp_path / "usr" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)
    (tmp_path / "usr/sbin").mkdir()
    (tmp_path / "usr/sbin/link").symlink_to("../bin/tool")
    (tmp_path / "usr/sbin/shell").symlink_to("../bin/sh")
    (tmp_path / "bin").symlink_to("usr/bin")
    write_unit(tmp_path, "kept.service", "/bin/tool --now")
    write_unit(tmp_path, "gone.service", "-/bin/sh -c now")
    write_unit(tmp_path, "gone.timer", "")
    wants = tmp_path / "etc/systemd/system/timers.target.wants"
    wants.mkdir(parents=True)
    (wants / "gone.timer").symlink_to("/usr/lib/systemd/system/gone.timer")
    (wants / "kept.service").symlink_to("/usr/lib/systemd/system/kept.service")
    return tmp_path


def write_unit(root: Path, name: str, start: str) -> None:
    path = root / "usr/lib/systemd/system" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[Service]\nExecStart={start}\n")


def names(root: Path) -> set[str]:
    """Return what can be run, by its path below /usr."""
    usr = root / "usr"
    files = (path for path in usr.rglob("*") if path.is_file() and path.stat().st_mode & 0o111)
    return {str(path.relative_to(usr)) for path in files}


def test_only_what_is_listed_can_be_run(root: Path, trim: ModuleType) -> None:
    trim.trim(root, trim.parse_list("# shells: none\nbin/to*\nsbin/link  # to it\n"))

    assert names(root) == {"bin/tool", "sbin/link"}
    assert (root / "usr/lib/libthing.so").exists()


def test_services_without_their_program_go_with_all_that_starts_them(
    root: Path, trim: ModuleType
) -> None:
    trim.trim(root, ("bin/tool",))

    units = {path.name for path in (root / "usr/lib/systemd/system").iterdir()}
    started = {
        path.name for path in (root / "etc/systemd/system").rglob("*.*") if path.is_symlink()
    }
    assert units == {"kept.service"}
    assert started == {"kept.service"}


def test_a_listed_program_that_is_not_there_is_refused(root: Path, trim: ModuleType) -> None:
    with pytest.raises(trim.TrimError, match=r"not in the image: bin/other"):
        trim.trim(root, ("bin/tool", "bin/other"))


def test_a_listed_link_to_what_is_not_listed_is_refused(root: Path, trim: ModuleType) -> None:
    with pytest.raises(trim.TrimError, match=r"links to programs that are not listed: sbin/shell"):
        trim.trim(root, ("bin/tool", "sbin/shell"))


def test_a_unit_of_ours_keeps_its_program_or_fails_the_build(root: Path, trim: ModuleType) -> None:
    write_unit(root, "coffer.service", "/bin/sh")

    with pytest.raises(trim.TrimError, match=r"coffer\.service calls what is not listed: /bin/sh"):
        trim.trim(root, ("bin/tool",))


@pytest.mark.parametrize("listed", ["programs", "mkosi.images/initrd/programs"])
def test_no_list_names_a_shell_or_another_interpreter(listed: str, trim: ModuleType) -> None:
    kept = trim.parse_list((DEFINITION / listed).read_text())

    shells = {"sh", "bash", "dash", "ash", "busybox", "awk", "mawk", "perl", "sulogin", "agetty"}
    ways = {"login", "su", "env", "xargs", "find", "chroot", "nsenter", "unshare", "setpriv"}
    assert not {Path(path).name for path in kept} & (shells | ways)
    assert len(kept) <= 120
