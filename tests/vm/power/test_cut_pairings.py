"""The power of one of two machines fails at any moment of a pairing; operators can end it well."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from image.toolchain import Toolchain
from tests.vm.conftest import FirstStart
from tests.vm.pairs.sites import START_SECONDS, Answer, Site, pair, two_sites, wait_until_paired
from tests.vm.screen import is_settled

TURN: Final = 2
PAIRING_SECONDS: Final = 60.0  # from the invitation until both have confirmed, and a little more
ENDED: Final = ("unpaired", "rejected")


@pytest.fixture(scope="module")
def sites(
    first_start: FirstStart, tools: Toolchain, image: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Site]]:
    """Two machines on one wire, not paired yet."""
    with two_sites(first_start, tools, image, tmp_path_factory.mktemp("sites")) as both:
        yield both


def test_the_operators_bring_it_to_its_end(sites: tuple[Site, Site], seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    cut, seconds = sites[chance.randrange(2)], chance.uniform(0, PAIRING_SECONDS)
    part(*sites)

    with ThreadPoolExecutor(1) as beside:
        tried = beside.submit(pair, *sites)
        time.sleep(seconds)
        cut.machine.cut_power()
        cut.machine.switch_on()
        after = f"agent of {cut.name} after a cut at {seconds:.1f} s"
        cut.machine.wait_for(is_settled, after, START_SECONDS)
        told = tried.exception()
    print(f"{cut.name} was cut at {seconds:.1f} s; the operators who paired were told: {told}")

    if told is None:  # what was acknowledged is not lost
        assert [peer.get("state") for peer in known(*sites)] == ["paired", "paired"]
    complete(*sites)
    for site in sites:
        assert not site.ask("machine", "show").get("problems")


def complete(inviter: Site, invitee: Site) -> None:
    """Do what operators do with a pairing that broke off: confirm what waits, else pair anew."""
    ends = ((inviter, invitee), (invitee, inviter))
    peers = known(inviter, invitee)
    if not all(peers):
        pair(inviter, invitee)
        return
    for (here, there), peer in zip(ends, peers, strict=True):
        if peer["state"] == "confirming" and not peer.get("confirmed_here"):
            here.ask("peers", "confirm", there.name, "--yes")
    wait_until_paired(inviter, invitee)


def part(one: Site, other: Site) -> None:
    """Have both forget an earlier pairing."""
    ends = ((one, other), (other, one))
    for here, there in ends:
        state = find(here, there).get("state")
        if state in ("paired", "confirming"):
            ending = (
                ("unpair", there.name, "--yes") if state == "paired" else ("reject", there.name)
            )
            here.ask("peers", *ending)
    for here, there in ends:
        if find(here, there):
            here.wait_for(lambda said: said["state"] in ENDED, "peers", "show", there.name)
            here.ask("peers", "forget", there.name)


def known(one: Site, other: Site) -> list[Answer]:
    """Return what each knows of the other."""
    return [find(one, other), find(other, one)]


def find(here: Site, there: Site) -> Answer:
    """Return what a site knows of its peer; nothing if it knows none."""
    listed = here.wait_for(lambda _: True, "peers", "list").get("peers", [])
    return next((peer for peer in listed if peer["name"] == there.name), {})
