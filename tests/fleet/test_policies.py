"""Every rule of a policy through real nodes: what it refuses, and the nearest that it lets pass."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import pytest

from appliance.api import agent_pb2 as pb
from appliance.policies.rules import Rule
from tests.fleet.nodes import (
    Node,
    allow,
    approve,
    arrived,
    ended,
    eventually,
    fleet,
    pair,
    publish,
    write_ids,
)

NOW: Final = datetime.now(UTC)
NOISE: Final = {"columns": ["value"], "minimum": 20, "epsilon": "0.5", "bounds": [100]}
BUDGET: Final = {"epsilon": 1, "exact_figures": True}
# A contract uses only columns that are published, and no service asks for a delta yet: a node's
# own checks are before the one, and of the other tests/unit/test_policy_decide.py has the cases.
UNREACHED: Final = {Rule.NO_COLUMN, Rule.DELTA}


class Asked(NamedTuple):
    """A job that is proposed, and what the policy of the other's dataset says beside the usual."""

    service: str = "psi.intersect"
    parameters: dict[str, Any] = {}  # noqa: RUF012 - never changed
    policy: dict[str, Any] = {}  # noqa: RUF012


SUM: Final = Asked("psi.sum", {"columns": ["value"], "minimum": 20})
NOISY: Final = Asked("psi.sum", NOISE, {"budget": BUDGET})
COUNT: Final = Asked("psi.cardinality")
ROWS: Final = Asked("psi.intersect", {"right_columns": ["value"]})


def by(asked: Asked, **policy: Any) -> Asked:
    return asked._replace(policy=asked.policy | policy)


def columns(**said: Any) -> dict[str, Any]:
    return {"id": "join-key", "value": "aggregated"} | said


CASES: Final[dict[Rule, tuple[Asked, Asked]]] = {
    Rule.NO_POLICY: (by(COUNT, type=""), COUNT),
    Rule.PEER: (by(COUNT, peers=[], columns=columns()), by(COUNT, columns=columns())),
    Rule.SERVICE: (by(COUNT, services=["psi.sum"]), by(COUNT, services=["psi.cardinality"])),
    Rule.NOT_BEGUN: (
        by(COUNT, valid_from=NOW + timedelta(hours=1)),
        by(COUNT, valid_from=NOW - timedelta(hours=1)),
    ),
    Rule.NO_END: (by(COUNT, valid_until=None), by(COUNT, valid_until=NOW + timedelta(days=9))),
    Rule.ENDED: (
        by(COUNT, valid_until=NOW - timedelta(hours=1)),
        by(COUNT, valid_until=NOW + timedelta(days=9)),
    ),
    Rule.EXPIRY: (
        by(COUNT, valid_until=NOW + timedelta(hours=1)),
        by(COUNT, valid_until=NOW + timedelta(hours=30)),
    ),
    Rule.ADVERSARY: (
        by(Asked(), security={"adversary": "malicious"}),
        by(
            Asked(parameters={"security": "malicious", "protocol": "rr22"}),
            security={"adversary": "malicious"},
        ),
    ),
    Rule.ATTESTATION: (
        by(COUNT, security={"adversary": "semi-honest", "attested_peers": True}),
        by(COUNT, security={"adversary": "semi-honest", "attested_peers": False}),
    ),
    Rule.VERSION: (
        by(COUNT, security={"adversary": "semi-honest", "smallest_version": "99.0"}),
        by(COUNT, security={"adversary": "semi-honest", "smallest_version": "0.1.0"}),
    ),
    Rule.COLUMN: (by(SUM, columns=columns(value="never")), by(SUM, columns=columns())),
    Rule.USE: (by(ROWS, columns=columns()), ROWS),
    Rule.RECEIVER: (by(ROWS, receivers="registry"), ROWS),
    Rule.GROUP: (by(SUM, smallest_group=21), by(SUM, smallest_group=20)),
    Rule.INTERSECTION: (by(COUNT, smallest_intersection=1), by(COUNT, smallest_intersection=0)),
    Rule.RESULT: (by(Asked(), largest_result=299), by(Asked(), largest_result=300)),
    Rule.NOISE: (by(SUM, budget=BUDGET), NOISY),
    Rule.EXACT: (by(NOISY, budget={"epsilon": 1}), NOISY),
    Rule.EPSILON: (by(NOISY, budget=BUDGET | {"epsilon": 0.49}), NOISY),
    Rule.USES: (by(COUNT, uses=0), by(COUNT, uses=1)),
    Rule.USES_PER_DAY: (by(COUNT, uses=9, uses_per_day=0), by(COUNT, uses=9, uses_per_day=1)),
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """The laboratory, whose policies are tried, the hospital that proposes, and another peer."""
    folder = tmp_path_factory.mktemp("policies")
    with fleet(folder, "hospital", "laboratory", "registry") as nodes:
        hospital, laboratory, registry = nodes
        pair(hospital, laboratory)
        pair(registry, laboratory)
        hospital.add("patients", write_ids(folder / "h.csv", range(300)))
        laboratory.add("samples", write_ids(folder / "l.csv", range(100, 400)))
        publish(laboratory, "samples", hospital, payload=["value"])
        allow(hospital, "patients")
        yield nodes


def set_policy(three: list[Node], asked: Asked) -> None:
    """Have the laboratory's owner say what the case says."""
    _, laboratory, registry = three
    said = dict(asked.policy)
    if said.get("type") == "":
        version = laboratory.policies.ShowPolicy(pb.ShowPolicyRequest(dataset="samples")).version
        request = pb.ChangePolicyRequest(dataset="samples", text="", over=version)
        laboratory.policies.ChangePolicy(request)
        return
    if said.pop("receivers", None):
        peers = laboratory.peers.ListPeers(pb.ListPeersRequest()).peers
        (other,) = [peer.node_id for peer in peers if peer.name == registry.name]
        said["columns"] = columns(value={"uses": "join-payload", "receivers": [other]})
    allow(laboratory, "samples", **said)


def propose(hospital: Node, laboratory: Node, asked: Asked) -> pb.Job:
    services = {
        one.name: one for one in hospital.node.ListServices(pb.ListServicesRequest()).services
    }
    outputs = [*services[asked.service].outputs]
    made: pb.Job = hospital.jobs.SubmitJob(
        pb.SubmitJobRequest(
            service=asked.service,
            parameters=json.dumps(asked.parameters),
            parties=[
                pb.SubmitParty(dataset="patients", receives=outputs),
                pb.SubmitParty(node=laboratory.name, dataset="samples"),
            ],
        )
    )
    return made


def test_each_rule_has_a_case() -> None:
    assert set(CASES) | UNREACHED == set(Rule)
    assert not set(CASES) & UNREACHED


@pytest.mark.parametrize("rule", list(CASES))
def test_a_rule_refuses_what_it_should_and_nothing_near_it(three: list[Node], rule: Rule) -> None:
    hospital, laboratory, _ = three
    refused, allowed = CASES[rule]

    set_policy(three, refused)
    job = propose(hospital, laboratory, refused)
    eventually(lambda: hospital.job(job.id).ended)
    eventually(lambda: laboratory.job(job.id).ended)
    here, there = hospital.job(job.id), laboratory.job(job.id)
    assert [here.state, there.state] == ["rejected", "rejected"]
    assert f'the policy of its dataset does not allow it: "{rule.value}"' in here.cause
    assert f"(rule {rule.value}" in there.cause
    assert there.remedy

    set_policy(three, allowed)
    job = propose(hospital, laboratory, allowed)
    arrived(laboratory, job)
    seen = laboratory.job(job.id)
    assert (seen.state, seen.approvals_needed, seen.cause) == ("waiting_approval", 1, "")
    hospital.jobs.CancelJob(pb.CancelJobRequest(id=job.id))
    eventually(lambda: laboratory.job(job.id).ended)


def test_an_owner_sees_what_jobs_have_taken(three: list[Node]) -> None:
    hospital, laboratory, _ = three

    def taken() -> pb.PolicyTaken:
        shown = laboratory.policies.ShowPolicy(pb.ShowPolicyRequest(dataset="samples"))
        found: pb.PolicyTaken = shown.taken
        return found

    set_policy(three, NOISY)
    before = taken()
    job = propose(hospital, laboratory, NOISY)
    approve(laboratory, arrived(laboratory, job))
    assert [ended(node, job).state for node in (hospital, laboratory)] == ["succeeded"] * 2

    after = taken()
    assert (after.uses, after.uses_today) == (before.uses + 1, before.uses_today + 1)
    assert Decimal(after.epsilon) == Decimal(before.epsilon) + Decimal("0.5")


def test_two_owners_who_change_one_policy_at_once(three: list[Node]) -> None:
    _, laboratory, _ = three
    allow(laboratory, "samples")
    shown = laboratory.policies.ShowPolicy(pb.ShowPolicyRequest(dataset="samples"))
    request = pb.ChangePolicyRequest(dataset="samples", text=shown.text, over=shown.version)
    assert laboratory.policies.ChangePolicy(request).version == shown.version + 1

    with pytest.raises(grpc.RpcError) as caught:
        laboratory.policies.ChangePolicy(request)

    assert f"was to replace version {shown.version}" in str(caught.value.details())
    kept = laboratory.policies.ListPolicyVersions(pb.ListPolicyVersionsRequest(dataset="samples"))
    assert [one.version for one in kept.versions] == [*range(shown.version + 1, 0, -1)]


def test_a_policy_goes_with_its_dataset(three: list[Node], tmp_path: Path) -> None:
    _, laboratory, _ = three
    laboratory.add("visits", write_ids(tmp_path / "v.csv", range(9)))
    allow(laboratory, "visits")
    laboratory.datasets.RemoveDataset(pb.RemoveDatasetRequest(name="visits"))
    laboratory.add("visits", tmp_path / "v.csv")

    shown = laboratory.policies.ShowPolicy(pb.ShowPolicyRequest(dataset="visits"))

    assert (shown.version, shown.text, shown.digest) == (2, "", "")
    assert shown.changed_by == "the dataset's removal"


def test_a_draft_names_every_column_and_allows_nothing(three: list[Node]) -> None:
    _, laboratory, _ = three
    draft = laboratory.policies.DraftPolicy(pb.DraftPolicyRequest(dataset="samples")).text
    checked = laboratory.policies.CheckPolicy(pb.CheckPolicyRequest(dataset="samples", text=draft))

    assert 'id = "join-key"' in draft and 'value = "never"' in draft
    assert {one.doubt for one in checked.cautions} == {"allows-nothing"}
