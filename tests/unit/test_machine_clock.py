"""The machine's time servers, and its hardware's names."""

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.machine.doing import clock as doing
from appliance.machine.doing.hardware import show_hardware
from appliance.machine.errors import OrderRefused
from appliance.machine.orders import ShowHardware, ShowTimeServers, parse_order
from appliance.machine.tools import Tools
from tests.unit.machine_doubles import Programs, root_below, tools


@pytest.fixture
def programs() -> Programs:
    return Programs()


@pytest.fixture
def box(tmp_path: Path, programs: Programs) -> Tools:
    root = root_below(tmp_path)
    for place, text in ((doing.IMAGE_FILE, "server image.example nts\n"), (doing.FILE, "")):
        (root / place).parent.mkdir(parents=True)
        (root / place).write_text(text)
    return tools(root, programs)


def order(*servers: Any) -> Any:
    line = json.dumps({"kind": "set-time-servers", "servers": servers})
    return parse_order(line.encode())


def test_chrony_follows_what_is_set_also_after_a_start(box: Tools, programs: Programs) -> None:
    asked = order({"name": "ntp1.example.org"}, {"name": "2001:db8::1", "nts": False})
    doing.set_time_servers(asked, box)
    expected = "server ntp1.example.org iburst nts\nserver 2001:db8::1 iburst\nminsources 2\n"
    assert (box.root / doing.FILE).read_text() == expected
    assert programs.ran == [("systemctl", "try-restart", "chrony.service")]
    (box.root / doing.FILE).write_text("server image.example nts\n")

    doing.restore_time_servers(box)

    assert (box.root / doing.FILE).read_text() == expected
    shown = doing.show_time_servers(ShowTimeServers(), box)
    assert shown["servers"] == [server.model_dump() for server in asked.servers]


def test_one_server_alone_is_enough_if_only_one_is_set(box: Tools) -> None:
    doing.set_time_servers(order({"name": "192.0.2.1", "nts": False}), box)

    assert "minsources 1" in (box.root / doing.FILE).read_text()


@pytest.mark.parametrize("kept", ["", "[{", '[{"name": "a b"}]', "7"])
def test_what_cannot_be_read_leaves_the_images_own(box: Tools, kept: str) -> None:
    (box.root / doing.KEPT).write_text(kept)
    (box.root / doing.FILE).write_text("server image.example nts\n")

    doing.restore_time_servers(box)

    assert (box.root / doing.FILE).read_text() == "server image.example nts\n"


def test_none_goes_back_to_the_images_own(box: Tools) -> None:
    doing.set_time_servers(order({"name": "192.0.2.1"}), box)
    doing.set_time_servers(order(), box)

    assert (box.root / doing.FILE).read_text() == "server image.example nts\n"


@pytest.mark.parametrize(
    "name", ["", "-x", "a b", "a\nallow all", "a;b", "http://x", "a" * 254, "$(x)", "é.example"]
)
def test_what_names_no_server_is_refused(name: str) -> None:
    with pytest.raises(OrderRefused, match="name"):
        order({"name": name})


@pytest.mark.parametrize(("said", "is_so"), [("yes\n", True), ("no\n", False), ("", False)])
def test_it_is_told_whether_the_clock_follows(
    box: Tools, programs: Programs, said: str, is_so: bool
) -> None:
    programs.says[("timedatectl", "show")] = said

    assert doing.show_time_servers(ShowTimeServers(), box)["is_synchronised"] is is_so


@pytest.mark.parametrize(
    ("serial", "uuid", "told"),
    [
        ("ABC-1\n", "0-1", "ABC-1"),
        ("To Be Filled By O.E.M.\n", "4c4c4544-0001", "4c4c4544-0001"),
        ("\x1b[2J\n", "", "?[2J"),
        (None, None, ""),
    ],
)
def test_hardware_is_told_in_printable_letters(
    box: Tools, serial: str | None, uuid: str | None, told: str
) -> None:
    folder = box.root / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    for name, text in (("product_serial", serial), ("product_uuid", uuid)):
        if text is not None:
            (folder / name).write_text(text)

    assert show_hardware(ShowHardware(), box)["serial_number"] == told
