"""Grants for several jobs: what they cover is signed at once; taken back, they end what runs."""

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from appliance.api import agent_pb2 as pb
from appliance.api import agent_pb2_grpc as stubs
from tests.fleet.nodes import (
    LONG,
    SLOW,
    Node,
    allow,
    arrived,
    ended,
    eventually,
    fleet,
    pair,
    publish,
    submit,
    write_ids,
)

REVOKED_WITHIN_SECONDS = 5.0


@pytest.fixture
def granting(tmp_path: Path) -> Iterator[list[Node]]:
    """A hospital that proposes, and a laboratory that lets it."""
    with fleet(tmp_path, "hospital", "laboratory") as (hospital, laboratory):
        pair(hospital, laboratory)
        hospital.add("patients", write_ids(tmp_path / "h.csv", range(LONG)))
        laboratory.add("samples", write_ids(tmp_path / "l.csv", range(100, LONG)))
        publish(laboratory, "samples", hospital)
        yield [hospital, laboratory]


def grants_of(node: Node) -> stubs.GrantsStub:
    return stubs.GrantsStub(node.channel)


def issue(owner: Node, peer: Node, **changes: Any) -> pb.Grant:
    plain: dict[str, Any] = {
        "dataset": "samples",
        "peers": [peer.name],
        "service": "psi.intersect",
        "uses": 2,
        "expires_milliseconds": int((time.time() + 3600) * 1000),
    }
    made: pb.Grant = grants_of(owner).IssueGrant(pb.IssueGrantRequest(**plain | changes))
    return made


def known(node: Node, grant: pb.Grant) -> pb.Grant | None:
    found = grants_of(node).ListGrants(pb.ListGrantsRequest()).grants
    return next((one for one in found if one.id == grant.id), None)


def test_what_a_grant_covers_is_signed_at_once_until_it_is_used_up(granting: list[Node]) -> None:
    hospital, laboratory = granting
    grant = issue(laboratory, hospital)
    assert eventually(lambda: known(hospital, grant)).grantor == "laboratory"

    jobs = [submit(hospital, "patients", laboratory, "samples", hospital) for _ in range(2)]
    for job in jobs:
        assert [ended(node, job).state for node in granting] == ["succeeded", "succeeded"]
        assert not laboratory.job(job.id).approvals
    seen = [known(node, grant) for node in granting]
    assert [(one.taken, one.uses) for one in seen if one] == [(2, 2), (2, 2)]

    third = submit(hospital, "patients", laboratory, "samples", hospital)
    assert arrived(laboratory, third).state == "waiting_approval"


def test_a_revocation_ends_what_runs_at_both_within_five_seconds(granting: list[Node]) -> None:
    hospital, laboratory = granting
    grant = issue(laboratory, hospital)
    job = submit(hospital, "patients", laboratory, "samples", hospital, parameters=SLOW)
    for node in granting:
        eventually(partial(is_running, node, job))

    began = time.monotonic()
    gone = grants_of(laboratory).RevokeGrant(pb.RevokeGrantRequest(id=grant.id))
    for node in granting:
        eventually(partial(has_ended, node, job), REVOKED_WITHIN_SECONDS)
    assert time.monotonic() - began < REVOKED_WITHIN_SECONDS

    assert list(gone.stopped_jobs) == [job.id]
    views = [ended(node, job) for node in granting]
    assert [view.state for view in views] == ["failed", "failed"]
    told = " ".join(event.text for event in views[1].events)
    assert f"the grant {grant.id} was revoked: its owner takes it back" in told
    assert eventually(lambda: (one := known(hospital, grant)) and one.revoked_milliseconds)

    again = submit(hospital, "patients", laboratory, "samples", hospital)
    assert arrived(laboratory, again).state == "waiting_approval"
    with pytest.raises(grpc.RpcError, match="no grant"):
        grants_of(hospital).RevokeGrant(pb.RevokeGrantRequest(id=grant.id))


def test_no_grant_goes_beyond_the_policy(granting: list[Node]) -> None:
    hospital, laboratory = granting
    allow(laboratory, "samples", services=["psi.intersect"], uses=5)
    for changes, fault in (
        ({"service": "psi.sum"}, "does not allow 'psi.sum'"),
        ({"uses": 6}, "allows 5 in all"),
        ({"uses": 0}, "allows 5 in all"),
        ({"expires_milliseconds": 2**52}, "ends before that"),
        ({"expires_milliseconds": 1}, "ended already"),
        ({"peers": ["nobody"]}, "no paired peer 'nobody'"),
        ({"peers": []}, "granted to nobody"),
        ({"dataset": "visits"}, "no dataset"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            issue(laboratory, hospital, **changes)
        assert fault in str(caught.value.details()), changes
    allow(laboratory, "samples", services=["psi.intersect"], approvals=2)
    with pytest.raises(grpc.RpcError, match="one person's word"):
        issue(laboratory, hospital)
    assert not grants_of(laboratory).ListGrants(pb.ListGrantsRequest()).grants


def test_the_ledger_has_the_grant_its_uses_and_its_end(granting: list[Node]) -> None:
    hospital, laboratory = granting
    grant = issue(laboratory, hospital, uses=1)
    job = submit(hospital, "patients", laboratory, "samples", hospital)
    ended(laboratory, job)
    grants_of(laboratory).RevokeGrant(pb.RevokeGrantRequest(id=grant.id))

    for node in granting:
        eventually(partial(is_recorded, node, grant))


def is_running(node: Node, job: pb.Job) -> bool:
    return node.job(job.id).state == "running"


def has_ended(node: Node, job: pb.Job) -> bool:
    return node.job(job.id).ended


def is_recorded(node: Node, grant: pb.Grant) -> bool:
    """Tell whether a node's ledger has all that became of a grant."""
    request = pb.ListEntriesRequest(kinds=["grant.issued", "grant.used", "grant.revoked"])
    entries = stubs.LedgerStub(node.channel).ListEntries(request).entries
    of_grant = [one.kind for one in entries[::-1] if json.loads(one.facts)["grant"] == grant.id]
    return of_grant == ["grant.issued", "grant.used", "grant.revoked"]
