"""The agent's servers: ports over TLS for peers and operators, the local socket behind the door."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc

from appliance.accounts.principals import Person, Principal, is_sovereign
from appliance.accounts.roles import ALL_POWERS
from appliance.accounts.rpc import AccountsRpc
from appliance.agent.config import ApplianceConfig
from appliance.agent.door import Door
from appliance.agent.guard import Guard, Quota, Visitor, acting
from appliance.agent.node import Node
from appliance.agent.permissions import Caller, NotAdmitted
from appliance.agent.refusals import Context
from appliance.agent.relay import relay_handler
from appliance.api import agent_pb2_grpc as local
from appliance.api import peer_pb2_grpc as peer_api
from appliance.datasets.rpc import DatasetsRpc
from appliance.governance.ledger_rpc import LedgerRpc
from appliance.governance.rpc import GrantsRpc, PoliciesRpc
from appliance.jobs.rpc import JobsRpc
from appliance.machine.rpc import MachineRpc
from appliance.mailbox.letters import MOST_BODY_BYTES
from appliance.mailbox.rpc import MailboxRpc
from appliance.operators.errors import NotOnConsole
from appliance.operators.rpc import OperatorsRpc
from appliance.peering import tls
from appliance.peering.addresses import network_of
from appliance.peering.errors import PeerUnknown
from appliance.peering.peer_rpc import GreetingRpc
from appliance.peering.rpc import PeersRpc
from appliance.peering.states import PeerState
from appliance.updates.rpc import UpdatesRpc
from services.errors import ConfigError
from services.registry import SERVICES

STOP_SECONDS: Final = 1.0
LOCAL_MESSAGE_BYTES: Final = 16 << 20

MOST_PEER_CALLS: Final = 256
_REQUEST_BYTES: Final = {
    "/coffer.peer.v1.Greeting/Hello": 4096,
    "/coffer.peer.v1.Mailbox/Deliver": MOST_BODY_BYTES + 1024,
}
# A paired peer has a stream open for each job, and sends its letters one by one.
PEER_QUOTAS: Final = {
    Caller.PAIRED: Quota(most_open=32, per_second=100, burst=400, request_bytes=_REQUEST_BYTES),
    Caller.CONFIRMING: Quota(most_open=4, per_second=5, burst=40, request_bytes=_REQUEST_BYTES),
}

MOST_OPERATORS_CALLS: Final = 64
OPERATOR_QUOTA: Final = Quota(most_open=16, per_second=50, burst=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What a server knows of the node's people who call: by what, who, from where, by which way."""

    principal_of: Callable[[Context], Principal]
    person_of: Callable[[Context], Person]
    source_of: Callable[[Context], str]
    is_console: Callable[[Context], bool]


class PortTaken(ConfigError):
    """The peer port, or that of operators, cannot be bound."""


@asynccontextmanager
async def peer_server(config: ApplianceConfig, node: Node) -> AsyncIterator[None]:
    """Serve peers at the configured address. Raises: PortTaken."""

    def identify(context: Context) -> Visitor:
        peer = node.caller_of(context)
        known = node.peers.find(peer)
        node.links.remember_inbound(peer, context.peer())
        is_paired = known is not None and known.state is PeerState.PAIRED
        return Visitor(kind=Caller.PAIRED if is_paired else Caller.CONFIRMING, name=peer)

    server = grpc.aio.server(
        interceptors=[Guard(identify, tell=False, quotas=PEER_QUOTAS)],
        options=tls.server_options(),
        maximum_concurrent_rpcs=MOST_PEER_CALLS,
    )
    greeting = GreetingRpc(node.peers, node.introduce, node.caller_of)
    peer_api.add_GreetingServicer_to_server(greeting, server)
    peer_api.add_MailboxServicer_to_server(MailboxRpc(node.inbox, node.caller_of), server)
    server.add_generic_rpc_handlers((relay_handler(node.relay),))
    try:
        server.add_secure_port(config.listen, tls.server_credentials(node.keeper, node.peers.roots))
    except RuntimeError:
        raise PortTaken(
            f"the peer port {config.listen} cannot be bound",
            remedy="another program holds it, or the address is not this machine's; see --listen",
        ) from None
    await server.start()
    try:
        yield
    finally:
        await server.stop(STOP_SECONDS)


@asynccontextmanager
async def operators_server(config: ApplianceConfig, node: Node) -> AsyncIterator[None]:
    """Serve operators from afar, if the configuration says where. Raises: PortTaken."""
    if not config.operators_listen:
        yield
        return

    def identify(context: Context) -> Visitor:
        try:
            key = node.operator_of(context)
        except PeerUnknown:
            raise NotAdmitted(
                "this key is not, or no longer, that of an operator of this node",
                remedy='to be enrolled, get a set-up code: "coffer remote add"',
            ) from None
        powers = node.accounts.powers_of(Principal.of_operator(key))
        return Visitor(kind=Caller.OPERATOR, name=key, powers=powers)

    def principal_of(context: Context) -> Principal:
        held = acting()
        return held.principal if held else Principal.of_operator(node.operator_of(context))

    def person_of(context: Context) -> Person:
        held = acting()
        return node.accounts.person_of(
            principal_of(context),
            called=node.operators.find(node.operator_of(context).text).name,
            powers=held.powers if held else identify(context).powers,
        )

    people = People(
        principal_of=principal_of,
        person_of=person_of,
        source_of=lambda context: network_of(context.peer()),
        is_console=lambda context: False,
    )

    async def note(context: Context, method: str) -> None:
        await node.notes.call(person_of(context), method)

    quotas = {Caller.OPERATOR: OPERATOR_QUOTA}
    server = grpc.aio.server(
        interceptors=[Guard(identify, tell=True, quotas=quotas, note=note, by_token=node.by_token)],
        options=tls.server_options(),
        maximum_concurrent_rpcs=MOST_OPERATORS_CALLS,
    )
    _serve_people(server, config, node, people)
    credentials = tls.server_credentials(node.keeper, node.operators.roots)
    try:
        server.add_secure_port(config.operators_listen, credentials)
    except RuntimeError:
        raise PortTaken(
            f"the port for operators {config.operators_listen} cannot be bound",
            remedy="another program holds it, or the address is not this machine's; see"
            " --operators-listen",
        ) from None
    await server.start()
    try:
        yield
    finally:
        await server.stop(STOP_SECONDS)


@asynccontextmanager
async def local_server(config: ApplianceConfig, node: Node) -> AsyncIterator[None]:
    """Serve local callers at the state folder's socket, by uid."""
    folder = config.state / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    inner = folder / "agent.sock"
    inner.unlink(missing_ok=True)
    door = Door(config.api_socket, inner)

    def identify(context: Context) -> Visitor:
        uid = door.uid_of(context.peer())
        if uid is not None and uid == config.console_uid:
            return Visitor(kind=Caller.CONSOLE, name=uid)
        if uid is None or uid not in config.admitted_uids:
            raise NotAdmitted(
                f"uid {uid} may not use this node",
                remedy="run it as the agent's own user, or add the uid to allowed_uids",
            )
        # The node's own user reads and changes all that it keeps, whatever a table says of it.
        caller = Principal.of_uid(uid)
        is_own = is_sovereign(caller)
        powers = ALL_POWERS if is_own else node.accounts.powers_of(caller)
        return Visitor(kind=Caller.LOCAL, name=uid, powers=powers)

    def principal_of(context: Context) -> Principal:
        held = acting()
        return held.principal if held else Principal.of_uid(int(str(identify(context).name)))

    def person_of(context: Context) -> Person:
        held, principal = acting(), principal_of(context)
        return node.accounts.person_of(
            principal,
            called=f"user {principal.value} of this machine",
            powers=held.powers if held else identify(context).powers,
        )

    people = People(
        principal_of=principal_of,
        person_of=person_of,
        source_of=lambda context: f"uid {identify(context).name}",
        is_console=lambda context: identify(context).kind is Caller.CONSOLE,
    )

    async def note(context: Context, method: str) -> None:
        await node.notes.call(person_of(context), method)

    server = grpc.aio.server(
        interceptors=[Guard(identify, tell=True, note=note, by_token=node.by_token)],
        options=[("grpc.max_receive_message_length", LOCAL_MESSAGE_BYTES)],
    )
    _serve_people(server, config, node, people)
    server.add_insecure_port(f"unix:{inner}")
    await server.start()
    await door.open()
    try:
        yield
    finally:
        await door.close()
        await server.stop(STOP_SECONDS)


def _serve_people(
    server: grpc.aio.Server, config: ApplianceConfig, node: Node, people: People
) -> None:
    """Have a server answer all that the node's own people may ask."""
    local.add_NodeServicer_to_server(node.rpc(SERVICES), server)
    peers = PeersRpc(node.peers, node.invitations, node.acceptance, node.outbox.pending_count)
    local.add_PeersServicer_to_server(peers, server)
    local.add_DatasetsServicer_to_server(DatasetsRpc(node.datasets), server)

    def require_owner(context: Context) -> None:
        if people.is_console(context) and node.operators.count:
            raise NotOnConsole("recovery key", "coffer machine add-recovery-key")

    machine = MachineRpc(
        config.state,
        config,
        is_key_sealed=node.key.is_sealed,
        recovery=node.recovery,
        require_owner=require_owner,
    )
    local.add_MachineServicer_to_server(machine, server)
    known = (people.principal_of, people.person_of, people.source_of)
    accounts = AccountsRpc(node.accounts, *known, config.name)
    local.add_AccountsServicer_to_server(accounts, server)
    local.add_GrantsServicer_to_server(GrantsRpc(node.grants, people.person_of), server)
    local.add_LedgerServicer_to_server(LedgerRpc(node.ledger_book, people.person_of), server)
    local.add_PoliciesServicer_to_server(PoliciesRpc(node.policies, people.person_of), server)
    local.add_JobsServicer_to_server(JobsRpc(node.jobs, people.person_of), server)
    local.add_UpdatesServicer_to_server(UpdatesRpc(node.updates), server)
    operators = OperatorsRpc(
        node.operators, node.enrolment, config.operators_reachable_at, people.is_console
    )
    local.add_OperatorsServicer_to_server(operators, server)
