"""The Policies and Grants APIs: read the request, ask the book, write the reply."""

from collections.abc import Callable
from typing import Any

from appliance.accounts.principals import Person
from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import GrantsServicer, PoliciesServicer
from appliance.governance.grant_book import GrantBook, GrantView, Wanted
from appliance.governance.policy_book import PolicyBook, PolicyView
from appliance.policies.values import plain_text


class PoliciesRpc(PoliciesServicer):
    """No rule about policies lives here. person_of: who makes a call."""

    def __init__(self, book: PolicyBook, person_of: Callable[[Any], Person]) -> None:
        self._book = book
        self._person_of = person_of

    async def DraftPolicy(self, request: pb.DraftPolicyRequest, context: Any) -> pb.Policy:
        """Draft a text."""
        text = await self._book.draft(request.dataset)
        return pb.Policy(dataset=request.dataset, text=text)

    async def CheckPolicy(self, request: pb.CheckPolicyRequest, context: Any) -> pb.Policy:
        """Say what a text would do."""
        return to_proto(await self._book.check(request.dataset, request.text))

    async def ChangePolicy(self, request: pb.ChangePolicyRequest, context: Any) -> pb.Policy:
        """Set or take away a policy."""
        changed = await self._book.change(
            request.dataset, request.text, over=request.over, by=self._person_of(context)
        )
        return to_proto(changed)

    async def ShowPolicy(self, request: pb.ShowPolicyRequest, context: Any) -> pb.Policy:
        """Show one version."""
        return to_proto(await self._book.show(request.dataset, request.version))

    async def ListPolicyVersions(
        self, request: pb.ListPolicyVersionsRequest, context: Any
    ) -> pb.ListPolicyVersionsReply:
        """List all versions."""
        found = await self._book.versions(request.dataset)
        return pb.ListPolicyVersionsReply(versions=map(to_proto, found))


class GrantsRpc(GrantsServicer):
    """No rule about grants lives here. person_of: who makes a call."""

    def __init__(self, book: GrantBook, person_of: Callable[[Any], Person]) -> None:
        self._book = book
        self._person_of = person_of

    async def IssueGrant(self, request: pb.IssueGrantRequest, context: Any) -> pb.Grant:
        """Grant peers several jobs."""
        wanted = Wanted(
            dataset=request.dataset,
            peers=tuple(request.peers),
            service=request.service,
            uses=request.uses,
            expires_milliseconds=request.expires_milliseconds,
        )
        return grant_to_proto(await self._book.issue(wanted, self._person_of(context)))

    async def ListGrants(self, request: pb.ListGrantsRequest, context: Any) -> pb.ListGrantsReply:
        """List grants for more than one job."""
        return pb.ListGrantsReply(grants=map(grant_to_proto, await self._book.list()))

    async def RevokeGrant(self, request: pb.RevokeGrantRequest, context: Any) -> pb.Grant:
        """Take a grant back."""
        return grant_to_proto(await self._book.revoke(request.id, self._person_of(context)))


def grant_to_proto(view: GrantView) -> pb.Grant:
    """Return a grant as the API tells it."""
    grant = view.grant
    return pb.Grant(
        id=grant.id,
        grantor=view.grantor,
        grantees=view.grantees,
        dataset=grant.dataset,
        service=grant.service,
        columns=[
            pb.GrantedColumn(name=one.name, uses=[use.value for use in one.uses])
            for one in grant.columns
        ],
        uses=grant.uses,
        taken=view.taken,
        issued_milliseconds=grant.issued,
        expires_milliseconds=grant.expires,
        revoked_milliseconds=view.revoked_milliseconds or 0,
        stopped_jobs=view.stopped,
    )


def to_proto(view: PolicyView) -> pb.Policy:
    """Return a policy as the API tells it."""
    taken = None
    if view.taken is not None:
        taken = pb.PolicyTaken(
            uses=view.taken.uses,
            uses_today=view.taken.uses_today,
            epsilon=plain_text(view.taken.spent.epsilon),
            delta=plain_text(view.taken.spent.delta),
        )
    return pb.Policy(
        taken=taken,
        dataset=view.dataset,
        version=view.version,
        text=view.text,
        digest=view.digest,
        changed_by=view.changed_by,
        changed_milliseconds=view.changed_milliseconds,
        cautions=[
            pb.PolicyCaution(doubt=one.doubt.value, text=str(one), remedy=one.remedy)
            for one in view.cautions
        ],
        stopped_jobs=view.stopped,
    )
