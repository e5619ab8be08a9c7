"""A paired node in the hands of somebody else, who writes its letters."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from appliance.contracts.contract import (
    CONTRACT,
    Contract,
    digest_of,
    parse_contract,
    write_contract,
)
from appliance.contracts.envelope import base64_of, sign, write_envelope
from appliance.governance.asked import asked_by, grant_for
from appliance.grants.grant import GRANT, write_grant
from appliance.mailbox.letters import (
    Body,
    JobProposed,
    JobSigned,
    JobVerdict,
    Kind,
    Letter,
    Refusal,
    write_body,
)
from services.errors import ConfigError
from tests.unit.contract_doubles import MemoryKey, contract, party
from tests.unit.job_doubles import OWNER, Fleet, Node

Test = Callable[[Fleet, "Forger"], Awaitable[None]]


class Forger:
    """Writes letters in the name of a paired node that does not write itself."""

    def __init__(self, fleet: Fleet, forger: Node, victim: Node) -> None:
        self.fleet = fleet
        self.node = forger
        self.victim = victim
        self._number = 0

    async def write(self, kind: Kind, body: Body) -> Refusal | None:
        self._number += 1
        letter = Letter(number=self._number, kind=kind.value, body=write_body(kind, body))
        return (await self.victim.inbox.receive(self.node.node_id, letter)).refusal

    def contract(self, **changes: Any) -> Contract:
        now = self.fleet.clock.milliseconds
        nodes = (self.node, self.victim)
        parties = tuple(party(node.node_id, node.name) for node in nodes)
        plain: dict[str, Any] = {"created": now, "expires": now + 1000, "parties": parties}
        return contract([], **plain | changes)

    async def propose(self, made: Contract, signer: MemoryKey | None = None) -> Refusal | None:
        data = write_contract(made)
        signature = sign(data, CONTRACT, signer or self.node.key)
        return await self.propose_envelope(
            write_envelope(data, CONTRACT, {self.node.node_id: signature}), self.grant(made)
        )

    async def propose_envelope(self, envelope: str, grant: str = "") -> Refusal | None:
        return await self.write(Kind.JOB_PROPOSED, JobProposed(envelope=envelope, grant=grant))

    async def sign(
        self, job_id: str, data: bytes, signer: MemoryKey, grant: str | None = None
    ) -> Refusal | None:
        signature = base64_of(sign(data, CONTRACT, signer))
        own = self.grant(parse_contract(data)) if grant is None else grant
        body = JobSigned(job_id=job_id, digest=digest_of(data), signature=signature, grant=own)
        return await self.write(Kind.JOB_SIGNED, body)

    def grant(self, made: Contract, **changes: Any) -> str:
        """Return what the forger grants of its dataset, as an honest node would or otherwise."""
        rank = made.rank_of(self.node.node_id)
        try:
            asked = None if rank is None else asked_by(made, rank, self.node.services)
        except ConfigError:
            return ""  # the contract is refused before that
        if asked is None:
            return ""
        grant = grant_for(asked, policy="0" * 64, issued=made.created, expires=made.expires)
        data = write_grant(grant.model_copy(update=changes))
        signature = sign(data, GRANT, self.node.key)
        return write_envelope(data, GRANT, {self.node.node_id: signature})

    async def give(self, job_id: str, verdict: str, reason: str = "internal") -> Refusal | None:
        body = JobVerdict(job_id=job_id, verdict=verdict, reason=reason)
        return await self.write(Kind.JOB_VERDICT, body)


def play(folder: Path, test: Test) -> None:
    """Run with an honest hospital and laboratory, and a registry that is in the forger's hands."""

    async def run() -> None:
        async with Fleet(folder, 3) as fleet:
            forger = fleet.nodes[2]
            await forger.kill()
            await test(fleet, Forger(fleet, forger, fleet.nodes[0]))

    asyncio.run(run())


async def joint_job(fleet: Fleet) -> str:
    """Have the hospital propose a job to all, and the laboratory sign it."""
    hospital, laboratory = fleet.nodes[:2]
    job = await hospital.jobs.submit(fleet.submission(), OWNER)
    await fleet.reach(job.id, "waiting_approval", laboratory)
    await laboratory.jobs.approve(job.id, job.digest, OWNER)
    return job.id
