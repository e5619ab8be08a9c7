"""Take from an image's files all programs but those listed, and the units that called them.

``trim.py ROOT LIST...``: a LIST names programs to keep by their path below ROOT/usr. Run by
mkosi.finalize, in the toolchain, on the files as they would go onto the disk.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

FOLDERS: Final = ("bin", "sbin", "libexec", "lib/systemd/system-generators")
"""Where all files are programs."""
MIXED: Final = ("lib/systemd", "lib/udev")
"""Where programs lie beside other files."""
LOADER: Final = "ld-linux-x86-64.so.2"
"""The kernel runs it for each program; it is itself none that a person would call."""
OURS: Final = "coffer"
"""A unit of this name is never left out: that a program of its is missing is a mistake."""
_CALLS: Final = ("ExecStart=", "ExecStartPre=", "ExecStartPost=", "ExecCondition=")


class TrimError(Exception):
    """The list and the files disagree."""


def parse_list(text: str) -> tuple[str, ...]:
    """Return the paths that a list names; a # begins a comment."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def trim(root: Path, listed: Iterable[str]) -> None:
    """Remove what is not listed; a name may be a pattern of the file system.

    Raises: TrimError if a listed program is not there, or one that a unit of ours calls.
    """
    usr = root / "usr"
    found = {name: [str(path.relative_to(usr)) for path in usr.glob(name)] for name in listed}
    missing = sorted(name for name, paths in found.items() if not paths)
    if missing:
        raise TrimError(f"listed, and not in the image: {', '.join(missing)}")
    kept = {path for paths in found.values() for path in paths}
    for path in find_programs(usr):
        if str(path.relative_to(usr)) not in kept:
            path.unlink()
    for path in sorted(usr.rglob("*")):
        is_listed = str(path.relative_to(usr)) in kept or path.name == LOADER
        if path.is_file() and not path.is_symlink() and not is_listed:
            path.chmod(path.stat().st_mode & 0o666)
    broken = sorted(name for name in kept if not _exists(root, Path("/usr") / name))
    if broken:
        raise TrimError(f"links to programs that are not listed: {', '.join(broken)}")
    remove_units(root)


def find_programs(usr: Path) -> Iterator[Path]:
    """Yield all that lies where programs do: files that can be run, and links."""
    for folder in FOLDERS:
        yield from sorted(path for path in (usr / folder).rglob("*") if not path.is_dir())
    for folder in MIXED:
        for path in sorted((usr / folder).glob("*")):
            if path.is_symlink() or (path.is_file() and path.stat().st_mode & 0o111):
                yield path


def remove_units(root: Path) -> None:
    """Remove the services whose program is gone, and whatever starts or names them.

    Raises: TrimError if one of them is ours.
    """
    units = root / "usr/lib/systemd/system"
    for unit in sorted(units.glob("*.service")):
        if unit.is_file() and not unit.is_symlink() and (lacks := _lacks(root, unit)):
            if unit.name.startswith(OURS):
                raise TrimError(f"{unit.name} calls what is not listed: {', '.join(lacks)}")
            unit.unlink()
            plain = unit.name.removesuffix(".service")
            for kind in ("socket", "path", "timer"):
                (units / f"{plain}.{kind}").unlink(missing_ok=True)
    for folder in (units, root / "etc/systemd/system"):
        for link in sorted(folder.rglob("*")):
            target = units / link.readlink().name if link.is_symlink() else link
            if link.is_symlink() and str(link.readlink()) != "/dev/null" and not target.exists():
                link.unlink()


def _lacks(root: Path, unit: Path) -> list[str]:
    return [name for name in called(unit.read_text().splitlines()) if not _found(root, name)]


def called(lines: Iterable[str]) -> list[str]:
    """Return the programs that a unit starts, as it names them."""
    values = (
        line.partition("=")[2].lstrip("-@:+!|").split() for line in lines if line.startswith(_CALLS)
    )
    return [words[0].strip('"') for words in values if words]


def _found(root: Path, name: str) -> bool:
    if name.startswith("/"):
        return _exists(root, Path(name))
    return any(_exists(root, Path("/usr") / folder / name) for folder in ("bin", "sbin"))


def _exists(root: Path, path: Path) -> bool:
    """Return whether a file is there, with links followed below the root."""
    for _ in range(8):
        place = root / str(path).lstrip("/")
        if not place.is_symlink():
            return place.exists()
        path = Path(os.path.normpath(path.parent / place.readlink()))
    return False


def main(words: list[str]) -> int:
    """Trim, or say what disagrees."""
    root, *lists = (Path(word) for word in words)
    try:
        trim(root, [name for one in lists for name in parse_list(one.read_text(encoding="utf-8"))])
    except TrimError as error:
        print(f"error: {error}\nhint: mend the list of programs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
