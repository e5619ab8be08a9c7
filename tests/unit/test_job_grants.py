"""No signature of a peer counts without a grant that covers the job, and has a use left."""

import json
from pathlib import Path

from appliance.contracts.contract import (
    CONTRACT,
    write_contract,
)
from appliance.contracts.envelope import base64_of, sign, write_envelope
from appliance.grants.grants import Grants
from appliance.mailbox.letters import (
    Refusal,
)
from tests.unit.contract_doubles import MemoryKey
from tests.unit.job_doubles import Fleet
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
