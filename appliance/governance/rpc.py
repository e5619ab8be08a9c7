"""The Policies API: read the request, ask the policy book, write the reply."""

from collections.abc import Callable
from typing import Any

from appliance.accounts.principals import Person
from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import PoliciesServicer
from appliance.governance.policy_book import PolicyBook, PolicyView


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


def to_proto(view: PolicyView) -> pb.Policy:
    """Return a policy as the API tells it."""
    return pb.Policy(
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
