"""The uses of grants: each is taken once, by one job, and never comes back once it has begun."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from appliance.contracts.envelope import sign, write_envelope
from appliance.contracts.errors import EnvelopeMalformed
from appliance.grants import store as table
from appliance.grants.cover import Asked
from appliance.grants.errors import (
    GrantMalformed,
    GrantNotFound,
    GrantRefused,
    GrantRevoked,
    GrantSpent,
)
from appliance.grants.grant import GRANT, Grant, write_grant
from appliance.grants.grants import Grants
from appliance.identity.errors import SignatureInvalid
from appliance.store.database import Store
from tests.unit.contract_doubles import MemoryKey
from tests.unit.test_grant import DAY, ISSUED, asked, grant

OWNER, PEER, STRANGER = MemoryKey(), MemoryKey(), MemoryKey()
JOBS = [letter * 26 for letter in "abcd"]


def owned(**changes: Any) -> Grant:
    plain = {"grantor": OWNER.node_id.text, "grantees": (PEER.node_id.text,), "columns": ()}
    return grant(**plain | changes)


def asked_by(job: str) -> Asked:
    others = frozenset({PEER.node_id})
    return replace(asked(), job=job, owner=OWNER.node_id, others=others, columns={})


@pytest.fixture
def do(tmp_path: Path) -> Any:
    """Return what does some work in one transaction of a real database."""
    store = Store.open(tmp_path)

    def run(work: Callable[[Session], Any]) -> Any:
        return asyncio.run(store.run(work))

    yield run
    store.close()


def test_a_use_of_a_grant_that_has_expired_since_does_not_begin(do: Any) -> None:
    grants = Grants(OWNER)
    lasting = owned(uses=2, expires=ISSUED + 1000)
    alone = owned(id="b" * 26, uses=1, job=JOBS[1], expires=ISSUED + 1000)
    for made, job in ((lasting, JOBS[0]), (alone, JOBS[1])):
        do(lambda session, made=made: grants.issue(session, made))
        do(lambda s, made=made, job=job: grants.take_use(s, made.id, asked_by(job), ISSUED))

    with pytest.raises(GrantRefused, match="has expired"):
        do(lambda session: grants.begin(session, JOBS[0], ISSUED + 1000))
    # One for a job alone ends with the time to sign in; it was signed in time.
    assert do(lambda session: grants.begin(session, JOBS[1], ISSUED + 1000))


def test_uses_are_taken_until_none_is_left_and_the_same_job_takes_one(do: Any) -> None:
    grants, made = Grants(OWNER), owned(uses=2)
    do(lambda session: grants.issue(session, made))
    for job in (JOBS[0], JOBS[0], JOBS[1], JOBS[0]):
        do(lambda session, job=job: grants.take_use(session, made.id, asked_by(job), ISSUED))

    with pytest.raises(GrantSpent, match="all 2 uses"):
        do(lambda session: grants.take_use(session, made.id, asked_by(JOBS[2]), ISSUED))
    assert do(lambda session: table.uses_taken(session, made.id)) == 2
    assert do(lambda session: grants.find_for(session, asked_by(JOBS[2]), ISSUED)) is None


def test_what_fails_in_the_same_transaction_takes_no_use(do: Any) -> None:
    grants, made = Grants(OWNER), owned()
    do(lambda session: grants.issue(session, made))

    def breaks(session: Session) -> None:
        grants.take_use(session, made.id, asked_by(JOBS[0]), ISSUED)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        do(breaks)
    do(lambda session: grants.take_use(session, made.id, asked_by(JOBS[1]), ISSUED))


def test_a_use_comes_back_if_the_job_ends_before_it_has_begun_and_never_after(do: Any) -> None:
    grants, made = Grants(OWNER), owned()
    do(lambda session: grants.issue(session, made))
    do(lambda session: grants.take_use(session, made.id, asked_by(JOBS[0]), ISSUED))
    do(lambda session: grants.give_back(session, JOBS[0]))
    do(lambda session: grants.take_use(session, made.id, asked_by(JOBS[1]), ISSUED))
    do(lambda session: grants.begin(session, JOBS[1], ISSUED + 1))
    do(lambda session: grants.begin(session, JOBS[1], ISSUED + 2))
    do(lambda session: grants.give_back(session, JOBS[1]))

    with pytest.raises(GrantSpent):
        do(lambda session: grants.take_use(session, made.id, asked_by(JOBS[2]), ISSUED))
    (use,) = do(lambda session: table.uses_by_job(session, JOBS[1]))
    assert use.began_milliseconds == ISSUED + 1


def test_a_revoked_grant_gives_no_use_and_begins_no_job(do: Any) -> None:
    grants, made = Grants(OWNER), owned(uses=3)
    do(lambda session: grants.issue(session, made))
    do(lambda session: grants.take_use(session, made.id, asked_by(JOBS[0]), ISSUED))
    found = do(lambda session: grants.revoke(session, OWNER.node_id, made.id, ISSUED + 5))

    assert list(found) == [JOBS[0]]
    with pytest.raises(GrantRevoked):
        do(lambda session: grants.take_use(session, made.id, asked_by(JOBS[1]), ISSUED))
    with pytest.raises(GrantRevoked):
        do(lambda session: grants.begin(session, JOBS[0], ISSUED))


def test_only_its_grantor_revokes_a_grant(do: Any) -> None:
    grants, made = Grants(OWNER), owned()
    do(lambda session: grants.issue(session, made))
    for node, name in ((PEER.node_id, made.id), (OWNER.node_id, "z" * 26)):
        with pytest.raises(GrantNotFound):
            do(lambda s, node=node, name=name: grants.revoke(s, node, name, ISSUED))


def test_the_grant_that_expires_first_is_found_first(do: Any) -> None:
    grants = Grants(OWNER)
    late, soon = owned(expires=ISSUED + 2 * DAY), owned()
    for made in (late, soon):
        do(lambda session, made=made: grants.issue(session, made))

    assert do(lambda session: grants.find_for(session, asked_by(JOBS[0]), ISSUED)) == soon
    assert do(lambda session: grants.find_for(session, asked_by(JOBS[0]), ISSUED + DAY)) == late


def test_uses_of_a_dataset_are_counted_over_all_its_grants_and_days(do: Any) -> None:
    grants = Grants(OWNER)
    for job, at in zip(JOBS[:3], (ISSUED, ISSUED + 10, ISSUED + 20), strict=True):
        made = owned()
        do(lambda session, made=made: grants.issue(session, made))
        do(lambda s, m=made, job=job, at=at: grants.take_use(s, m.id, asked_by(job), at))

    def count(**which: Any) -> Any:
        owner = OWNER.node_id.text
        return do(lambda session: table.count_uses(session, owner, "patients", **which))[1]

    assert count() == 3
    assert count(since_milliseconds=ISSUED + 10) == 2
    assert count(before=(ISSUED + 10, JOBS[1])) == 1
    assert count(before=(ISSUED + 20, JOBS[2])) == 2


def test_a_peers_grant_is_kept_if_it_signed_it_for_this_node(do: Any) -> None:
    made = owned()
    envelope = do(lambda session: Grants(OWNER).issue(session, made))

    def take(envelope: str, *, grantor: MemoryKey = OWNER) -> Callable[[Session], Grant]:
        return lambda s: Grants(PEER).take_in(s, grantor.node_id, grantor.public_der, envelope)

    assert do(take(envelope)) == made
    assert do(take(envelope)) == made
    with pytest.raises(GrantMalformed, match="sends a grant of"):
        do(take(envelope, grantor=STRANGER))
    forged = write_envelope(
        write_grant(owned(uses=9)), GRANT, {OWNER.node_id: STRANGER.sign(b"anything")}
    )
    with pytest.raises(SignatureInvalid):
        do(take(forged))
    with pytest.raises(SignatureInvalid, match="not signed by"):
        do(take(write_envelope(write_grant(owned()), GRANT, {})))
    with pytest.raises(EnvelopeMalformed):
        do(take("{}"))


def test_a_grant_for_others_or_another_under_a_known_id_is_refused(do: Any) -> None:
    made = owned()
    do(lambda session: Grants(OWNER).issue(session, made))
    other = replaced(made, uses=5)
    for wrong, why in (
        (replaced(made, grantees=(STRANGER.node_id.text,)), "not for this node"),
        (other, "known id"),
    ):
        with pytest.raises(GrantMalformed, match=why):
            do(
                lambda s, wrong=wrong: Grants(PEER).take_in(
                    s, OWNER.node_id, OWNER.public_der, signed_by_owner(wrong)
                )
            )


def replaced(made: Grant, **changes: Any) -> Grant:
    return Grant(**made.model_dump() | changes)


def signed_by_owner(made: Grant) -> str:
    data = write_grant(made)
    return write_envelope(data, GRANT, {OWNER.node_id: sign(data, GRANT, OWNER)})
