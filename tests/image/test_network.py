"""The list of what the appliance can be reached by and reaches; the firewall says the same."""

import re
import tomllib
from collections.abc import Iterator
from typing import Final

import pytest

from image.places import DEFINITION

LIST: Final = tomllib.loads((DEFINITION / "network.toml").read_text(encoding="utf-8"))
RULES: Final = (DEFINITION / "mkosi.extra/etc/nftables.conf").read_text(encoding="utf-8")
EVERYONE: Final = ""


def words(text: str) -> list[str]:
    """Return the members of a set of nft, or the one word that stands for it."""
    return [word.strip('" ') for word in text.strip("{} ").split(",")]


def accepted(chain: str) -> Iterator[tuple[str, str, str]]:
    """Yield protocol, port and user of all that a chain lets through by port."""
    body = RULES.split(f"chain {chain} {{")[1].split("\n  }")[0]
    for line in body.splitlines():
        if found := re.search(r"(tcp|udp) dport (\{[^}]*\}|\S+)", line):
            assert " accept" in line
            users = re.search(r'meta skuid (\{[^}]*\}|"\S+")', line)
            for port in words(found[2]):
                for user in words(users[1]) if users else [EVERYONE]:
                    yield found[1], port, user


def test_the_firewall_lets_in_what_is_listed_and_no_more() -> None:
    listed = [(one["protocol"], str(one["port"]), EVERYONE) for one in LIST["listens"]]

    assert sorted(accepted("input")) == sorted(listed)


def test_the_firewall_lets_out_what_is_listed_and_no_more() -> None:
    listed = [
        (one["protocol"], port, user)
        for one in LIST["reaches"]
        for port in one["ports"]
        for user in one["users"]
    ]

    assert sorted(accepted("output")) == sorted(listed)


@pytest.mark.parametrize("chain", ["input", "forward", "output"])
def test_what_no_rule_accepts_is_dropped(chain: str) -> None:
    assert f"hook {chain} priority filter; policy drop;" in RULES


def test_nothing_listens_where_var_does_not_open_but_for_addresses() -> None:
    locked = {one["port"] for one in LIST["listens"] if "locked" in one["states"]}

    assert locked == {68, 546}


def test_each_state_is_one_of_three() -> None:
    assert {state for one in LIST["listens"] for state in one["states"]} == {
        "set-up",
        "in-use",
        "locked",
    }
