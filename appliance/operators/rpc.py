"""The Operators API, for those who administer the node; the Enrolment API, for who will."""

from collections.abc import Callable
from typing import Any

from appliance.api import agent_pb2 as pb
from appliance.api import peer_pb2
from appliance.api.agent_pb2_grpc import OperatorsServicer
from appliance.api.peer_pb2_grpc import EnrolmentServicer
from appliance.operators.enrolment import Enrolment
from appliance.operators.operators import Operator, Operators
from appliance.peering import pake
from appliance.peering.errors import PairingBroken, VersionsDiffer
from appliance.peering.pake import Proof


class OperatorsRpc(OperatorsServicer):
    """Read the request, ask, write the reply.

    address: the operators' port as it is told. is_console: whether a call comes from the console.
    """

    def __init__(
        self,
        operators: Operators,
        enrolment: Enrolment,
        address: str,
        is_console: Callable[[Any], bool],
    ) -> None:
        self._operators = operators
        self._enrolment = enrolment
        self._address = address
        self._is_console = is_console

    async def ShowSetUpCode(self, request: pb.ShowSetUpCodeRequest, context: Any) -> pb.SetUpCode:
        """Show the set-up code."""
        shown = await self._enrolment.show(
            renew=request.renew, on_console=self._is_console(context)
        )
        return pb.SetUpCode(
            words=shown.words,
            address=self._address,
            expires_milliseconds=shown.expires_milliseconds,
            wrong_codes=shown.wrong_codes,
        )

    async def ListOperators(
        self, request: pb.ListOperatorsRequest, context: Any
    ) -> pb.ListOperatorsReply:
        """List the operators."""
        return pb.ListOperatorsReply(operators=map(_to_proto, self._operators.all()))

    async def RemoveOperator(self, request: pb.RemoveOperatorRequest, context: Any) -> pb.Operator:
        """End what an operator may do."""
        return _to_proto(await self._operators.remove(request.operator))


class EnrolmentRpc(EnrolmentServicer):
    """The Enrolment API; served on the port for new operators alone."""

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment

    async def Begin(self, request: peer_pb2.PairingOffer, context: Any) -> peer_pb2.PairingAnswer:
        """Start an attempt on the set-up code."""
        if request.version != pake.PROTOCOL_VERSION:
            raise VersionsDiffer(f"an operator enrols by version {request.version} of the protocol")
        message, attempt = await self._enrolment.begin(request.pake, context.peer())
        return peer_pb2.PairingAnswer(pake=message, attempt=attempt)

    async def Finish(
        self, request: peer_pb2.PairingProof, context: Any
    ) -> peer_pb2.PairingAcceptance:
        """Judge a proof."""
        if len(request.sealed) > pake.MOST_SEALED_BYTES:
            raise PairingBroken("a sealed identity is too large")
        proof = Proof(sealed=request.sealed, mac=request.mac)
        answer = await self._enrolment.finish(request.attempt, proof, context.peer())
        return peer_pb2.PairingAcceptance(sealed=answer.sealed, mac=answer.mac)


def _to_proto(operator: Operator) -> pb.Operator:
    return pb.Operator(
        name=operator.name,
        id=operator.id.text,
        enrolled_milliseconds=operator.enrolled_milliseconds,
        last_seen_milliseconds=operator.last_seen_milliseconds,
    )
