"""Orders to QEMU over its monitor's socket, spoken here by a stand-in."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from image.errors import MachineError
from image.monitor import Monitor

GREETING: dict[str, object] = {"QMP": {"version": {}, "capabilities": []}}
EVENT = {"event": "RESUME", "timestamp": {}}


@contextmanager
def qemu(path: Path, answers: Mapping[str, list[object]]) -> Iterator[list[dict[str, object]]]:
    """Serve a monitor that gives each order its next answer; yield the orders that came."""
    orders: list[dict[str, object]] = []
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def serve() -> None:
        while True:
            try:
                wire, _ = listening.accept()
            except OSError:
                return
            with wire, wire.makefile("rw") as file:
                say(file, GREETING)
                for line in file:
                    order = json.loads(line)
                    orders.append(order)
                    name = order["execute"]
                    say(file, EVENT)
                    say(file, {"return": {}} if name not in answers else answers[name].pop(0))

    def say(file: TextIO, what: object) -> None:
        file.write(json.dumps(what) + "\n")
        file.flush()

    served = threading.Thread(target=serve)
    served.start()
    try:
        yield orders
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        served.join()


def test_an_order_gets_its_answer_and_not_an_event(tmp_path: Path) -> None:
    path = tmp_path / "monitor.socket"
    with qemu(path, {"query-status": [{"return": {"status": "running"}}]}) as orders:
        assert Monitor(path).ask("query-status") == {"status": "running"}

    assert [order["execute"] for order in orders] == ["qmp_capabilities", "query-status"]


def test_a_refusal_is_told(tmp_path: Path) -> None:
    path = tmp_path / "monitor.socket"
    refusal = {"error": {"class": "GenericError", "desc": "no such device"}}
    with qemu(path, {"eject": [refusal]}), pytest.raises(MachineError) as raised:
        Monitor(path).ask("eject", {"id": "x"})

    assert "no such device" in raised.value.cause


def test_a_machine_that_is_off_is_told(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as raised:
        Monitor(tmp_path / "monitor.socket").ask("stop")

    assert "does not answer stop" in raised.value.cause


def test_a_socket_may_lie_in_a_folder_with_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    (tmp_path / "short").symlink_to(folder)
    with qemu(tmp_path / "short" / "monitor.socket", {}):
        assert Monitor(folder / "monitor.socket").ask("cont") == {}
