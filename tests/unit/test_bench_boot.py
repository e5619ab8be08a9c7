import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench import boot
from bench.boot import Start
from bench.boot.plain_debian import DEFINITION
from bench.start import free_port
from image import resolve
from tests.server_certificate import write_server

PAGE = "".join(f"\r\n\x1b[K{name:<12} active" for name in ("coffer", "prometheus", "exporter"))
REACHED = (
    "[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mmulti-user.target\x1b[0m"
    " - Multi-User System.\r\n"
)
ENDED = "Cloud-init v. 25.1.4 finished at Sun, 29 Nov 2026 19:00:00 +0000. Up 61.00 seconds\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its certificate in one file, known to nobody."""
    return write_server(tmp_path_factory.mktemp("server"))[0]


@contextmanager
def listening(certificate: Path | None) -> Iterator[int]:
    """Serve one connection: by TLS, or by closing it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as wire, suppress(OSError):
                if certificate is not None:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(certificate)
                    context.wrap_socket(wire, server_side=True).close()

        serving = threading.Thread(target=serve)
        serving.start()
        yield server.getsockname()[1]
        serving.join()


def test_a_server_that_speaks_tls_answers(certificate: Path) -> None:
    with listening(certificate) as port:
        assert boot.answers(port)


def test_a_port_that_hangs_up_does_not_answer() -> None:
    with listening(None) as port:
        assert not boot.answers(port)


def test_a_port_that_nobody_listens_at_does_not_answer() -> None:
    assert not boot.answers(free_port())


def test_the_appliance_is_at_rest_when_all_that_is_measured_runs() -> None:
    assert boot.is_coffer_at_rest(PAGE)
    assert not boot.is_coffer_at_rest(PAGE.replace("prometheus   active", "prometheus   inactive"))
    assert not boot.is_coffer_at_rest("")


def test_a_plain_debian_is_up_before_cloud_init_has_ended() -> None:
    started = "Cloud-init v. 25.1.4 running 'modules:final' at Sun, 29 Nov 2026 19:00:00 +0000"

    assert not boot.is_multi_user(started)
    assert boot.is_multi_user(REACHED)
    assert not boot.is_debian_at_rest(started + REACHED)
    assert boot.is_debian_at_rest(started + REACHED + ENDED)


def test_later_starts_are_judged_by_their_medians() -> None:
    ours = [
        Start(seconds=seconds, used_mib=mib) for seconds, mib in ((90, 399), (60, 401), (61, 1))
    ]
    theirs = [Start(seconds=40, used_mib=200)]

    ratio, memory = boot.judge(ours, theirs, is_judged=True)

    assert (ratio.figure, ratio.is_missed) == (61 / 40, True)
    assert (memory.figure, memory.is_missed) == (399, False)
    assert not boot.judge(ours, theirs, is_judged=False)[0].is_missed


def test_plain_debian_mounts_and_starts_from_the_partitions_that_are_made() -> None:
    made = {
        key: value
        for file in sorted((DEFINITION / "mkosi.repart").iterdir())
        for key, value in [
            (f"{file.stem} {line.partition('=')[0]}", line.partition("=")[2])
            for line in file.read_text().splitlines()
        ]
    }
    mounted = [line.split() for line in (DEFINITION / "mkosi.extra/etc/fstab").open()]
    script = (DEFINITION / "mkosi.finalize.chroot").read_text()

    assert {place: source.removeprefix("PARTUUID=") for source, place, *_ in mounted} == {
        "/": made["10-root UUID"],
        "/boot/efi": made["00-esp UUID"],
    }
    assert f"search.fs_label {made['10-root Label']} root\n" in script


def test_plain_debian_says_itself_that_it_is_up() -> None:
    folder = DEFINITION / "mkosi.extra/etc/systemd"
    unit = (folder / "system/tell-multi-user.service").read_text()
    preset = (folder / "system-preset/00-cloud.preset").read_text().splitlines()

    assert [line.partition("=")[0] for line in unit.splitlines() if boot.is_multi_user(line)] == [
        "ExecStart"
    ]
    assert "enable tell-multi-user.service" in preset[: preset.index("ignore *")]


def test_plain_debian_names_each_package_once() -> None:
    names = resolve.read_packages(DEFINITION / "mkosi.conf")

    assert {"cloud-init", "linux-image-cloud-amd64", "openssh-server"} <= set(names)
    assert len(names) == len(set(names))
