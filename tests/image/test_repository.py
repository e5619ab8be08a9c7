import hashlib
import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from image import repository
from image.errors import LockError
from image.lock import Package

CONTROL: Final = """Package: {name}
Version: 1.0
Architecture: all
Maintainer: nobody <nobody@example.com>
Description: a test
"""


def build(folder: Path, name: str) -> Path:
    """Return a Debian package file made anew, with nothing in it."""
    tree = folder / f"{name}-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(CONTROL.format(name=name))
    file = folder / f"{name}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", tree, file], check=True, capture_output=True
    )
    return file


def locked(file: Path, name: str) -> Package:
    """Return the package that a file is, as a lock has it."""
    content = file.read_bytes()
    return Package(
        name=name,
        version="1.0",
        architecture="all",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        file=f"pool/{name}.deb",
        sets=("image",),
    )


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An archive on this machine: its address, and the folder that it serves."""
    served = tmp_path / "mirror"
    (served / "pool").mkdir(parents=True)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(served))  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", served
        server.shutdown()
        thread.join()


def test_a_package_is_fetched_once(mirror: tuple[str, Path], tmp_path: Path) -> None:
    uri, served = mirror
    package = locked(build(served / "pool", "first"), "first")

    fetched = repository.fetch(package, tmp_path, [uri])
    (served / package.file).unlink()

    assert repository.fetch(package, tmp_path, [uri]) == fetched
    assert hashlib.sha256(fetched.read_bytes()).hexdigest() == package.sha256


def test_a_second_archive_is_asked_for_what_the_mirror_has_no_more(
    mirror: tuple[str, Path], tmp_path: Path
) -> None:
    uri, served = mirror
    (served / "old" / "pool").mkdir(parents=True)
    package = locked(build(served / "old" / "pool", "gone"), "gone")

    assert repository.fetch(package, tmp_path, [uri, f"{uri}/old"]).exists()


def test_a_package_that_is_nowhere_is_named(mirror: tuple[str, Path], tmp_path: Path) -> None:
    uri, served = mirror
    package = locked(build(served / "pool", "lost"), "lost")
    (served / package.file).unlink()

    with pytest.raises(LockError, match=r"lost 1\.0 is locked, and neither") as refused:
        repository.fetch(package, tmp_path, [uri])

    assert "--snapshot" in refused.value.remedy


def test_another_file_than_the_locked_one_is_refused(
    mirror: tuple[str, Path], tmp_path: Path
) -> None:
    uri, served = mirror
    package = locked(build(served / "pool", "forged"), "forged")
    with (served / package.file).open("r+b") as file:
        file.seek(100)
        file.write(b"!")

    with pytest.raises(LockError, match=r"forged 1\.0 in the mirror is not the file"):
        repository.fetch(package, tmp_path, [uri])
    assert not (tmp_path / package.file_name).exists()


def test_a_damaged_file_in_the_cache_is_refused(tmp_path: Path) -> None:
    package = locked(build(tmp_path, "damaged"), "damaged")
    (tmp_path / package.file_name).write_bytes(b"")

    with pytest.raises(LockError, match="is not the file that was locked"):
        repository.fetch(package, tmp_path, [])


def test_an_index_says_what_the_package_says_and_what_the_lock_says(tmp_path: Path) -> None:
    file = build(tmp_path, "plain")
    package = locked(file, "plain")

    lines = repository.paragraph(package, file).splitlines()

    assert {"Package: plain", "Version: 1.0", f"SHA256: {package.sha256}"} <= set(lines)
    assert f"Filename: pool/{package.sha256}.deb" in lines


def test_a_package_under_anothers_name_is_refused(tmp_path: Path) -> None:
    file = build(tmp_path, "other")

    with pytest.raises(LockError, match="does not hold plain"):
        repository.paragraph(locked(file, "plain"), file)


def test_only_the_webs_addresses_are_fetched_from(tmp_path: Path) -> None:
    package = locked(build(tmp_path, "local"), "local")

    with pytest.raises(LockError, match="no address of the web"):
        repository.fetch(package, tmp_path, ["file:///srv"])
