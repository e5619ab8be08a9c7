"""Policies of one dataset, in versions: of two who change one, the second hears of it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.identity.node_id import NodeId
from appliance.policies import policies
from appliance.policies.errors import PolicyConflict, PolicyInvalid
from appliance.policies.policies import Version
from appliance.policies.policy import digest_of
from appliance.policies.store import PolicyRow
from appliance.store.database import Store

SHOP = NodeId.from_public_der(b"shop")
TEXT = 'type = "coffer.policy/1"\npeers = ["shop"]\nservices = ["psi.sum"]\n'

Do = Callable[[Callable[..., Any]], Any]


@pytest.fixture
def do(tmp_path: Path) -> Iterator[Do]:
    """Return what does some work in one transaction of a real database."""
    store = Store.open(tmp_path)
    yield lambda work: asyncio.run(store.run(work))
    store.close()


def change(text: str, over: int, by: str = "owner") -> Callable[[Session], Version]:
    peers = {"shop": SHOP}
    return lambda session: policies.change(
        session, "patients", text, peers, over=over, by=by, now_milliseconds=over
    )


def current(session: Session) -> Version:
    return policies.current(session, "patients")


def test_a_dataset_without_a_policy_has_none(do: Do) -> None:
    assert do(current) == policies.NONE_YET


def test_the_newest_version_holds_with_node_ids_for_names_and_all_are_kept(do: Do) -> None:
    first = do(change(TEXT, 0))
    second = do(change(f"{TEXT}uses = 3\n", 1))

    assert (first.number, second.number) == (1, 2)
    assert do(current) == second
    assert second.policy is not None
    assert second.policy.peers == (SHOP.text,)
    assert (second.policy.uses, second.digest) == (3, digest_of(second.policy))
    kept = do(lambda session: session.scalars(select(PolicyRow.digest)).all())
    assert sorted(kept) == sorted([first.digest, second.digest])


def test_of_two_who_change_a_version_the_second_is_told_and_changes_nothing(do: Do) -> None:
    first = do(change(TEXT, 0, "one"))
    with pytest.raises(PolicyConflict, match="version 0, but it is at 1"):
        do(change(f"{TEXT}uses = 9\n", 0, "another"))
    assert do(current) == first


def test_a_policy_can_be_taken_away_and_its_number_goes_on(do: Do) -> None:
    do(change(TEXT, 0))
    gone = do(change("", 1))
    assert (gone.number, gone.policy, gone.digest) == (2, None, "")
    assert do(change(TEXT, 2)).number == 3


def test_what_is_no_policy_changes_nothing(do: Do) -> None:
    first = do(change(TEXT, 0))
    for wrong in ("type = 1", TEXT.replace("shop", "shpo"), "x"):
        with pytest.raises(PolicyInvalid):
            do(change(wrong, 1))
    assert do(current) == first
