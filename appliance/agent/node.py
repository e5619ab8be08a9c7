"""The node's parts, joined: who knows whom, and which standing work keeps them going."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

from sqlalchemy.orm import Session

from appliance.accounts.accounts import Accounts
from appliance.accounts.acts import AccountAct
from appliance.accounts.principals import Principal, PrincipalKind, is_sovereign
from appliance.accounts.roles import Power
from appliance.agent.books import DescribedDatasets, PairedPeers
from appliance.agent.config import ApplianceConfig
from appliance.agent.guard import Acting, pairing_guard
from appliance.agent.node_rpc import NodeRpc
from appliance.agent.permissions import Caller
from appliance.agent.refusals import Context
from appliance.agent.relay import Relay
from appliance.agent.supervisor import Supervisor
from appliance.agent.update_orders import make_updates
from appliance.api import agent_pb2 as pb
from appliance.datasets.datasets import Datasets
from appliance.datasets.publication import Description
from appliance.datasets.uploads import Uploads
from appliance.governance.agreement import Agreement
from appliance.governance.export import Export
from appliance.governance.governor import Governor
from appliance.governance.grant_book import GrantBook
from appliance.governance.ledger_book import LedgerBook
from appliance.governance.notes import Notes
from appliance.governance.policy_book import PolicyBook
from appliance.identity.certificates import LeafKeeper
from appliance.identity.keys import FileKey
from appliance.identity.node_id import NodeId
from appliance.jobs.checks import JobLimits
from appliance.jobs.jobs import Jobs
from appliance.jobs.records import signed_contract
from appliance.ledger.ledger import Ledger
from appliance.machine.posture import is_development
from appliance.machine.recovery import Recovery
from appliance.mailbox.inbox import Inbox
from appliance.mailbox.letters import Kind
from appliance.mailbox.outbox import Outbox
from appliance.mailbox.rpc import LinkSender
from appliance.operators.enrolment import Enrolment
from appliance.operators.operators import Operators
from appliance.operators.rpc import EnrolmentRpc
from appliance.peering import tls
from appliance.peering.acceptance import Acceptance
from appliance.peering.introduction import BOOT_BYTES, Introduction
from appliance.peering.invitations import Invitations
from appliance.peering.links import Links
from appliance.peering.peer_rpc import PairingRpc
from appliance.peering.peers import Peers
from appliance.store.database import Store
from services.randomness import System
from services.registry import SERVICES
from services.service import Service

VERSION: Final = version("coffer")
Clock = Callable[[], datetime]

log = logging.getLogger(__name__)


class Node:
    """All parts of one node. They are made in the order in which they need one another."""

    def __init__(
        self,
        config: ApplianceConfig,
        key: FileKey,
        store: Store,
        now: Clock,
        *,
        sealing_key: bytes | None = None,
    ) -> None:
        self._config, self._now = config, now
        self.key = key
        self.ledger = Ledger(self.key, now=now)
        self.notes = Notes(store, self.ledger)
        self._boot = System().draw(BOOT_BYTES)
        self.keeper = LeafKeeper(self.key, now=now)
        # The outbox sends over links, which ask the peers, who post to the outbox.
        self.outbox = Outbox(store, self._send, self._milliseconds)
        self.peers = Peers(
            store,
            own_name=config.name,
            post=self.outbox.put,
            drop=self.outbox.drop,
            note=self.notes.peer,
            now=now,
        )
        self.links = Links(keeper=self.keeper, book=self.peers, introduce=self.introduce, now=now)
        self._sender = LinkSender(self.links)
        self.inbox = Inbox(store, self.peers.admits)
        self.invitations = self._make_invitations(store)
        self.acceptance = Acceptance(
            store=store, peers=self.peers, key=self.key, introduce=self.introduce, now=now
        )
        self.accounts = Accounts(
            store,
            note=self._note_act,
            now_milliseconds=self._milliseconds,
            sealing_key=sealing_key,
        )
        self.operators = Operators(store, is_node=self._is_node, note=self.notes.operator, now=now)
        self.enrolment = self._make_enrolment()
        self.relay = Relay(self.links, self.caller_of)
        self.supervisor = Supervisor(config, self.relay)
        self.datasets = self._make_datasets(store)
        self.agreement = self._make_agreement()
        self.export = Export(store, self.key.node_id)
        self.ledger_book = self._make_ledger_book(store)
        self.jobs = self._make_jobs(store)
        self.policies = self._make_policies(store)
        self.grants = self._make_grants(store)
        self.recovery = self._make_recovery()
        self.updates = make_updates(config.state, self.peers.all)
        self._join()

    def _make_invitations(self, store: Store) -> Invitations:
        return Invitations(
            store=store,
            peers=self.peers,
            listen=self._config.pairing_listen,
            host=lambda: self._config.reachable_at.rpartition(":")[0],
            interceptors=(pairing_guard(),),
            servicer=PairingRpc,
            key=self.key,
            introduce=self.introduce,
            now=self._now,
        )

    def _make_enrolment(self) -> Enrolment:
        return Enrolment(
            operators=self.operators,
            key=self.key,
            introduce=self.introduce,
            now=self._now,
            listen=self._config.enrolment_listen,
            interceptors=(pairing_guard(Caller.ENROLLING),),
            servicer=EnrolmentRpc,
        )

    def _make_datasets(self, store: Store) -> Datasets:
        return Datasets(
            store,
            peers=self.peers,
            post=self.outbox.put,
            inspector=self.supervisor.inspect,
            uploads=Uploads(self._config.state, most_bytes=self._config.most_upload_bytes),
            rng=System(),
            ledger=self.ledger,
            now_milliseconds=self._milliseconds,
            forgotten=lambda session, name: self.policies.forget(session, name),
        )

    def _make_recovery(self) -> Recovery:
        return Recovery(
            self._config.state,
            has_operators=lambda: self.operators.count > 0,
            now_milliseconds=self._milliseconds,
        )

    def _make_jobs(self, store: Store) -> Jobs:
        return Jobs(
            store=store,
            key=self.key,
            own_name=self._config.name,
            peers=PairedPeers(self.peers),
            datasets=DescribedDatasets(self.datasets),
            services=SERVICES,
            ledger=self.ledger,
            may_approve=self._may_approve,
            ended=self.agreement.show,
            governor=Governor(
                key=self.key,
                ledger=self.ledger,
                services=SERVICES,
                names=PairedPeers(self.peers).names,
                version_of=self._version_of,
                now_milliseconds=self._milliseconds,
            ),
            runner=self.supervisor,
            outbox=self.outbox,
            folder=self._config.state / "jobs",
            limits=JobLimits(
                most_seconds=self._config.most_job_seconds,
                most_grace_seconds=self._config.most_grace_seconds,
                idle_seconds=self._config.most_idle_seconds,
                worker_memory_bytes=self._config.worker_memory_bytes,
            ),
            now_milliseconds=self._milliseconds,
        )

    def _make_agreement(self) -> Agreement:
        return Agreement(
            ledger=self.ledger,
            key=self.key,
            outbox=self.outbox,
            public_key_of=PairedPeers(self.peers).public_key_of,
            now=self._now,
        )

    def _make_ledger_book(self, store: Store) -> LedgerBook:
        pins = PairedPeers(self.peers)
        return LedgerBook(
            store=store,
            ledger=self.ledger,
            key=self.key,
            names=pins.names,
            public_key_of=pins.public_key_of,
            contract_of=signed_contract,
            trouble_with=self.export.trouble_with,
            now=self._now,
        )

    def _make_grants(self, store: Store) -> GrantBook:
        pins = PairedPeers(self.peers)
        return GrantBook(
            store=store,
            ledger=self.ledger,
            key=self.key,
            outbox=self.outbox,
            describe=self._describe,
            names=pins.names,
            paired=pins.paired,
            public_key_of=pins.public_key_of,
            stop_jobs=self.jobs.revision.by_grant,
            now_milliseconds=self._milliseconds,
        )

    def _make_policies(self, store: Store) -> PolicyBook:
        return PolicyBook(
            store=store,
            ledger=self.ledger,
            services=SERVICES,
            describe=self._describe,
            is_registered=self.datasets.is_registered,
            peers=PairedPeers(self.peers).paired,
            judge_again=self.jobs.revision.by_policy,
            now_milliseconds=self._milliseconds,
        )

    async def load(self) -> None:
        """Read what is on disk, and bring what a crash interrupted into a true state."""
        await self.peers.load()
        await self.invitations.load()
        await self.accounts.load()
        await self.operators.load()
        await self.datasets.load()
        await self.notes.started(VERSION)
        await self.jobs.recover()
        await self.grants.end_with_strangers()

    def standing_work(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return the work that goes on as long as the agent runs."""
        return (
            self.keeper.run(),
            self.peers.run(),
            self.links.run(),
            self.outbox.deliver(),
            self.jobs.run(),
            self.supervisor.run(),
            self.ledger_book.prune_daily(self._config.ledger_kept_days),
            self.export.run(),
        )

    async def close(self) -> None:
        """Stop workers, close the pairing port, and hang up."""
        await self.supervisor.close()
        await self.jobs.keep_figures()
        await self.invitations.close()
        await self.enrolment.close()
        await self.links.close()

    def caller_of(self, context: Context) -> NodeId:
        """Return the peer behind a call on the peer port. Raises: PeerUnknown and its kin."""
        return tls.peer_of(context.auth_context(), self.peers.pins(), self._now())

    def operator_of(self, context: Context) -> NodeId:
        """Return the operator behind a call on their port. Raises: PeerUnknown and its kin."""
        operator = tls.peer_of(context.auth_context(), self.operators.pins(), self._now())
        self.operators.note_call(operator, context.peer())
        return operator

    def introduce(self, host: str) -> Introduction:
        """Return what this node says of itself to another at a host."""
        return Introduction(
            name=self._config.name,
            address=self._config.reachable_from(host),
            version=VERSION,
            clock=self._now(),
            boot=self._boot,
        )

    def rpc(self, services: Mapping[str, Service]) -> NodeRpc:
        """Return the servicer of the Node API."""
        return NodeRpc(self._show, services)

    def _is_node(self, node_id: NodeId) -> bool:
        return node_id == self.key.node_id or self.peers.find(node_id) is not None

    async def by_token(self, text: str) -> Acting:
        """Return whom an API token acts for, and what it may now. Raises: TokenRefused."""
        account, powers = await self.accounts.tokens.use(text)
        return Acting(principal=Principal.of_account(account.id), powers=powers)

    def _note_act(self, session: Session, act: AccountAct) -> None:
        by = None
        if act.by is not None:
            powers = self.accounts.powers_of(act.by)
            by = self.accounts.person_of(act.by, called=str(act.by), powers=powers)
        self.notes.act(session, act, by)

    def _may_approve(self, person: str) -> bool:
        principal = Principal.parse(person)
        account = self.accounts.find_of(principal)
        known = {principal, *(account.bound_to if account else ())}
        if any(map(is_sovereign, known)):
            return True
        return self._is_let_in(principal) and (
            Power.APPROVE_JOBS in self.accounts.powers_of(principal)
        )

    def _is_let_in(self, principal: Principal) -> bool:
        match principal.kind:
            case PrincipalKind.UID:
                return int(principal.value) in self._config.admitted_uids
            case PrincipalKind.OPERATOR:
                return NodeId(principal.value) in self.operators.pins()
            case PrincipalKind.ACCOUNT:
                return True

    def _version_of(self, node_id: NodeId) -> str:
        peer = self.peers.find(node_id)
        return "" if peer is None else peer.version

    async def _describe(self, dataset: str) -> Description:
        return (await self.datasets.get_own(dataset)).description

    async def _send(self, peer: NodeId, letter: Any) -> Any:
        return await self._sender(peer, letter)

    def _join(self) -> None:
        """Register who handles which letters, and who hears of what comes and goes."""
        self.supervisor.tell(self.jobs)
        for kind, handler in self.peers.handlers().items():
            self.inbox.register(kind, handler)
        for noun in (self.jobs, self.agreement, self.grants):
            for kind, handler in noun.handlers().items():
                self.inbox.register(kind, handler)
        self.inbox.register(Kind.DATASET_PUBLISHED, self.datasets.on_published)
        self.inbox.register(Kind.DATASET_WITHDRAWN, self.datasets.on_withdrawn)
        self.peers.when_gone(self._part_from)
        self.peers.when_seen(self.outbox.wake)

    async def _part_from(self, node_id: NodeId) -> None:
        """End all that goes on with a peer that is none any more."""
        await self.links.cut(node_id)
        await self.links.cut_inbound(node_id)
        await self.jobs.part_from(node_id)
        await self.grants.end_with_strangers()
        await self.datasets.forget_peer(node_id)

    async def _show(self) -> pb.NodeView:
        return pb.NodeView(
            node_id=self.key.node_id.text,
            name=self._config.name,
            version=VERSION,
            address=self._config.reachable_at,
            state_folder=str(self._config.state),
            certificate_expires_milliseconds=_milliseconds(self.keeper.current().not_after),
            confinement=self.supervisor.confinement,
            peer_count=len(self.peers.all()),
            dataset_count=await self.datasets.own_count(),
            waiting_count=await self.jobs.waiting_count(),
            operators_address=self._config.operators_reachable_at,
            operator_count=self.operators.count,
            is_development=is_development(),
            is_key_sealed=self.key.is_sealed,
            account_count=self.accounts.count,
        )

    def _milliseconds(self) -> int:
        return _milliseconds(self._now())


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
