"""The Node API: who this node is, and what it can run."""

import json
from collections.abc import Awaitable, Callable, Mapping

from appliance.agent.refusals import Context
from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import NodeServicer
from services.service import Service


class NodeRpc(NodeServicer):
    """Reads the request, asks, and writes the reply.

    show: composes the node's present view; only the daemon knows all its parts.
    """

    def __init__(
        self, show: Callable[[], Awaitable[pb.NodeView]], services: Mapping[str, Service]
    ) -> None:
        self._show = show
        self._services = services

    async def ShowNode(self, request: pb.ShowNodeRequest, context: Context) -> pb.NodeView:
        """Show this node."""
        return await self._show()

    async def ListServices(
        self, request: pb.ListServicesRequest, context: Context
    ) -> pb.ListServicesReply:
        """List the services that this node can run."""
        return pb.ListServicesReply(services=[to_proto(each) for each in self._services.values()])


def to_proto(service: Service) -> pb.ServiceView:
    """Return the view of ``service`` that local callers see."""
    return pb.ServiceView(
        name=service.name,
        version=service.version,
        title=service.title,
        adversary=service.adversary.value,
        roles=service.roles,
        outputs=service.outputs,
        parameters_schema=json.dumps(service.schema()),
        fewest_parties=service.party_counts.start,
        most_parties=service.party_counts.stop - 1,
    )
