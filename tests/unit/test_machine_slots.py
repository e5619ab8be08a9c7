"""Orders about the two slots become units of systemd, one at a time."""

from typing import Any

import pytest

from appliance.machine.doing import slots
from appliance.machine.doing.table import DOING
from appliance.machine.errors import OrderRefused
from appliance.machine.orders import ChangeSlots, parse_order
from appliance.machine.tools import Tools


class Systemd:
    """Answers for the units that run; notes what is started and stopped."""

    def __init__(self, *running: str) -> None:
        self.running = running
        self.told: list[tuple[str, ...]] = []

    def __call__(self, *words: str, seconds: float = 0.0) -> str:
        if words[1] == "show":
            return "activating\n" if words[-1] in self.running else "inactive\n"
        self.told.append(words)
        return ""


@pytest.fixture(autouse=True)
def ending_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing wait for long."""
    monkeypatch.setattr(slots, "ENDING_SECONDS", 0.5)


def change(systemd: Systemd, verb: Any) -> None:
    order = ChangeSlots(verb=verb)
    DOING[ChangeSlots].do(order, Tools(run=systemd, tell=lambda facts: None))


@pytest.mark.parametrize("verb", ["install", "stick"])
def test_an_installation_is_begun_and_not_waited_for(verb: str) -> None:
    systemd = Systemd()

    change(systemd, verb)

    assert systemd.told == [("systemctl", "start", "--no-block", f"coffer-update@{verb}.service")]


def test_what_takes_a_moment_is_waited_for() -> None:
    systemd = Systemd()

    change(systemd, "other")

    assert systemd.told == [("systemctl", "start", "coffer-update@other.service")]


@pytest.mark.parametrize("verb", ["install", "stick", "other"])
def test_nothing_is_begun_beside_an_installation(verb: str) -> None:
    systemd = Systemd("coffer-update@stick.service")

    with pytest.raises(OrderRefused, match="is being installed"):
        change(systemd, verb)
    assert systemd.told == []


def test_an_installation_that_has_just_ended_is_waited_for() -> None:
    class Ending(Systemd):
        def __call__(self, *words: str, seconds: float = 0.0) -> str:
            said = super().__call__(*words, seconds=seconds)
            if words[-1] in self.running:
                self.running = ()
            return said

    systemd = Ending("coffer-update@install.service")

    change(systemd, "stick")

    assert systemd.told == [("systemctl", "start", "--no-block", "coffer-update@stick.service")]


def test_cancelling_stops_what_is_installed_and_else_withdraws() -> None:
    busy, idle = Systemd("coffer-update@install.service"), Systemd()

    change(busy, "cancel")
    change(idle, "cancel")

    assert busy.told == [("systemctl", "stop", "coffer-update@install.service")]
    assert idle.told == [("systemctl", "start", "coffer-update@cancel.service")]


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"change-slots","verb":"note"}',
        b'{"kind":"change-slots","verb":"install;reboot"}',
        b'{"kind":"change-slots","verb":"install","bundle":"/etc/shadow"}',
        b'{"kind":"change-slots"}',
    ],
)
def test_no_other_word_reaches_systemd(line: bytes) -> None:
    with pytest.raises(OrderRefused):
        parse_order(line)
