"""What the units name exists; ``tests/systemd`` runs them."""

from collections import defaultdict
from typing import Final

from appliance.cli.app import command_tree
from tests.repository import tree

UNITS: Final = tree.ROOT / "appliance/units"


def settings_of(name: str) -> dict[str, list[str]]:
    """Return what a unit file sets, each key with all its values in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (UNITS / name).read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, equals, value = line.partition("=")
            assert equals, line
            found[key].append(value)
    return found


def test_the_agent_is_started_by_a_command_that_exists() -> None:
    words = settings_of("coffer.service")["ExecStart"][0].split()

    assert words[0] == "/usr/bin/coffer"
    assert words[1:3] == ["--state", "/var/lib/coffer"]
    assert words[3] in command_tree().commands


def test_the_agents_user_and_folder_are_those_that_are_made() -> None:
    unit = settings_of("coffer.service")
    user = (UNITS / "coffer.sysusers").read_text().splitlines()[-1].split()
    folders = [
        line.split()
        for line in (UNITS / "coffer.tmpfiles").read_text().splitlines()
        if line.startswith("d ")
    ]

    assert user[:2] == ["u", unit["User"][0]]
    assert ["d", f"/var/lib/{unit['StateDirectory'][0]}", unit["StateDirectoryMode"][0]] in [
        folder[:3] for folder in folders
    ]
    assert all(int(mode, 8) & 0o007 == 0 for _, _, mode, *_ in folders)
