"""From what an analyst submits to a contract: parties found, datasets described, roles assigned."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from appliance.contracts.contract import (
    GRACE_SECONDS,
    LIFE_MILLISECONDS,
    MOST_SECONDS,
    Contract,
    ContractDataset,
    ContractParty,
    Limits,
    ServiceRef,
    make_job_id,
)
from appliance.contracts.errors import ServiceUnknown
from appliance.identity.node_id import NodeId
from appliance.jobs.errors import SubmissionInvalid
from appliance.jobs.needs import DatasetBook, PeerBook
from appliance.mailbox.faults import explain
from appliance.store.database import Store
from services.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedParty:
    """One party as the analyst names it: empty ``node`` for this node, empty ``role`` for any."""

    node: str = ""
    dataset: str = ""
    role: str = ""
    receives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What an analyst asks for; 0 seconds stand for the default."""

    service: str
    parameters: Mapping[str, Any]
    parties: tuple[SubmittedParty, ...]
    grace_seconds: int = 0
    most_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A node as contracts name it; mostly our own."""

    node_id: NodeId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Makes contracts of submissions."""

    own: Named
    store: Store
    services: Mapping[str, Service]
    peers: PeerBook
    datasets: DatasetBook
    now_milliseconds: Callable[[], int]

    async def compose(self, submission: Submission) -> Contract:
        """Return the contract that a submission asks for, unchecked.

        Raises: ServiceUnknown, SubmissionInvalid, DatasetNotFound, or what the peer book says.
        """
        service = self.services.get(submission.service)
        if service is None:
            raise ServiceUnknown(submission.service, sorted(self.services))
        found = [await self._find(party.node) for party in submission.parties]
        if self.own not in found:
            raise SubmissionInvalid(
                "this node is not a party of the job", remedy="give this node's part too"
            )
        _require_apart(found)
        roles = _roles(submission, service)
        now = self.now_milliseconds()
        try:
            described = [
                await self._describe(who, asked.dataset, [one.node_id for one in found])
                for who, asked in zip(found, submission.parties, strict=True)
            ]
            parties = tuple(
                ContractParty(
                    node=who.node_id.text,
                    name=who.name,
                    role=role,
                    dataset=dataset,
                    receives=asked.receives,
                )
                for who, asked, role, dataset in zip(
                    found, submission.parties, roles, described, strict=True
                )
            )
            return Contract(
                id=make_job_id(),
                service=ServiceRef(name=service.name, version=service.version),
                parameters=dict(submission.parameters),
                parties=parties,
                proposer=found.index(self.own),
                created=now,
                expires=now + LIFE_MILLISECONDS,
                limits=Limits(
                    grace_seconds=submission.grace_seconds or GRACE_SECONDS,
                    most_seconds=submission.most_seconds or MOST_SECONDS,
                ),
            )
        except ValidationError as error:
            raise SubmissionInvalid(explain(error)) from None

    async def _find(self, node: str) -> Named:
        if node in ("", self.own.name, self.own.node_id.text):
            return self.own
        pin = await self.store.run(lambda session: self.peers.get_paired(session, node))
        return Named(node_id=pin.node_id, name=pin.name)

    async def _describe(
        self, who: Named, dataset: str, parties: Sequence[NodeId]
    ) -> ContractDataset | None:
        if not dataset:
            return None
        if who == self.own:
            others = [node for node in parties if node != who.node_id]
            return (await self.datasets.describe_own(dataset, others)).terms
        return (await self.datasets.describe_published(who.node_id, dataset)).terms


def _require_apart(found: Sequence[Named]) -> None:
    """Return if each node is a party once."""
    for place, who in enumerate(found):
        if who in found[:place]:
            raise SubmissionInvalid(
                f"{who.name} is a party twice",
                remedy="name each party once, and with --theirs only datasets of peers",
            )


def _roles(submission: Submission, service: Service) -> tuple[str, ...]:
    """Return each party's role: as asked, else as the service assigns it."""
    asked = [party.role for party in submission.parties]
    unknown = set(asked) - {""} - set(service.roles)
    if unknown:
        raise SubmissionInvalid(
            f"{service.name} has no role {min(unknown)}",
            remedy=f"roles are {', '.join(service.roles)}",
        )
    if all(asked):
        return tuple(asked)
    if len(asked) not in service.party_counts:
        counts = service.party_counts
        raise SubmissionInvalid(
            f"{service.name} is not for {len(asked)} parties",
            remedy=f"name {counts.start} to {counts.stop - 1} parties, this node among them",
        )
    receivers = tuple(rank for rank, party in enumerate(submission.parties) if party.receives)
    assigned = service.assign(receivers, len(asked))
    return tuple(own or given for own, given in zip(asked, assigned, strict=True))
