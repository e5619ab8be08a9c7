"""No signature of a peer counts without a grant that covers the job, and has a use left."""

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

from appliance.contracts.contract import (
    CONTRACT,
    parse_contract,
    write_contract,
)
from appliance.contracts.envelope import base64_of, sign, write_envelope
from appliance.governance.asked import asked_by, grant_for
from appliance.grants.grants import Grants
from appliance.mailbox.letters import (
    Refusal,
)
from services.service import Service
from tests.unit.contract_doubles import MemoryKey
from tests.unit.job_doubles import JOIN, Fleet
from tests.unit.job_doubles import play as play_fleet
from tests.unit.job_forger import Forger, joint_job, play


def test_no_job_is_taken_in_with_a_grant_that_is_not_for_it(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        made, other = forger.contract(), forger.contract()
        data = write_contract(made)
        envelope = write_envelope(
            data, CONTRACT, {forger.node.node_id: sign(data, CONTRACT, forger.node.key)}
        )
        honest = forger.victim.node_id.text
        short = json.loads(forger.grant(made))
        short["signatures"][0]["sig"] = base64_of(b"\x30" * 70)

        for grant, refusal in (
            ("", Refusal.NOT_ALLOWED),
            ("{", Refusal.MALFORMED),
            (forger.grant(other), Refusal.NOT_ALLOWED),  # replayed from another job
            (forger.grant(made, columns=()), Refusal.NOT_ALLOWED),
            (forger.grant(made, service="test.resuming"), Refusal.NOT_ALLOWED),
            (forger.grant(made, dataset="another"), Refusal.NOT_ALLOWED),
            (forger.grant(made, fingerprint="another"), Refusal.NOT_ALLOWED),
            (forger.grant(made, issued=1, expires=2), Refusal.NOT_ALLOWED),
            (forger.grant(made, grantees=(MemoryKey().node_id.text,)), Refusal.MALFORMED),
            (forger.grant(made, grantor=honest, grantees=(forger.node.node_id.text,)),
             Refusal.MALFORMED),
            (json.dumps(short), Refusal.BAD_SIGNATURE),
        ):  # fmt: skip
            assert await forger.propose_envelope(envelope, grant) is refusal, grant
        assert not (await forger.victim.jobs.list()).views

        assert await forger.propose(made) is None

    play(tmp_path, test)


def test_a_signature_counts_only_with_its_grant(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await joint_job(fleet)
        data = (await forger.victim.jobs.get(job_id)).contract.encode()

        assert await forger.sign(job_id, data, forger.node.key, "") is Refusal.NOT_ALLOWED
        assert not forger.victim.runner.started

        assert await forger.sign(job_id, data, forger.node.key) is None
        await fleet.reach(job_id, "running", forger.victim)

    play(tmp_path, test)


def test_uses_of_one_grant_beyond_its_count_are_refused(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        first, second = forger.contract(), forger.contract()
        standing = forger.grant(first, job=None)
        data = write_contract(first)
        envelope = write_envelope(
            data, CONTRACT, {forger.node.node_id: sign(data, CONTRACT, forger.node.key)}
        )
        # It has not been given before.
        assert await forger.propose_envelope(envelope, standing) is Refusal.NOT_ALLOWED
        await forger.victim.store.run(
            lambda session: Grants(forger.victim.key).take_in(
                session, forger.node.node_id, forger.node.key.public_der, standing
            )
        )
        for made, refusal in ((first, None), (second, Refusal.NOT_ALLOWED)):
            data = write_contract(made)
            signature = sign(data, CONTRACT, forger.node.key)
            envelope = write_envelope(data, CONTRACT, {forger.node.node_id: signature})
            assert await forger.propose_envelope(envelope, standing) is refusal

    play(tmp_path, test)


def test_a_signature_that_the_peer_refuses_ends_the_job_at_both_and_costs_no_more(
    tmp_path: Path,
) -> None:
    """Of two parties the second to sign starts at once, before the first has taken its word."""

    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        job = await fleet.submit()
        (view,) = await fleet.reach(job.id, "waiting_approval", laboratory)
        asked = asked_by(parse_contract(view.contract.encode()), 1, laboratory.services)
        assert asked is not None
        now = fleet.clock()
        for_this = grant_for(asked, policy="digest", issued=now, expires=now + 9_000_000)
        standing = for_this.model_copy(update={"job": None, "uses": 5})
        # As if the letter that brought it had been lost with an earlier pairing.
        await laboratory.store.run(lambda s: Grants(laboratory.key).issue(s, standing))

        laboratory.jobs._have_attended(job.id)

        first, second = await fleet.reach(job.id, "cancelled")
        assert "see that its grants and its pairing with this node still stand" in second.remedy
        assert not hospital.runner.started
        assert job.id in laboratory.runner.stopped
        assert first.record == second.record

    play_fleet(tmp_path, 2, test)


def test_a_service_that_is_another_by_now_stops_its_jobs_and_nothing_else(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", laboratory)
        newer = replace(JOIN, version=JOIN.version + 1)
        for node in fleet.nodes:
            cast(dict[str, Service], node.services)[JOIN.name] = newer

        shown = await laboratory.jobs.get(job.id)
        assert "version" in shown.cause
        assert await hospital.allow(uses=5) == [job.id]
        await fleet.reach(job.id, "rejected", hospital)

    play_fleet(tmp_path, 2, test)
