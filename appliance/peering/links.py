"""Connections to peers: one channel for each, greeted before use, renewed, cut."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import grpc

from appliance.api import peer_pb2 as pb
from appliance.api.conventions import ERROR_KEY
from appliance.api.peer_pb2_grpc import GreetingStub
from appliance.identity.certificates import Leaf, LeafKeeper
from appliance.identity.node_id import NodeId
from appliance.peering import tls
from appliance.peering.addresses import split_address
from appliance.peering.diagnosis import Cause, Suspect, Trouble, diagnose
from appliance.peering.errors import (
    ClockSkewed,
    IntroductionInvalid,
    PeerUnreachable,
    VersionsDiffer,
)
from appliance.peering.inbound import Inbound
from appliance.peering.introduction import Introduce, Introduction, require_agreement
from services.errors import ServiceError

GREETING_SECONDS: Final = 6.0
# A channel with an old leaf lives on until its calls have ended, but not longer than the leaf: the
# other side ends them then, too. The relay's streams go on over the new channel without a loss.
_RETIRED_BEFORE_END: Final = timedelta(minutes=1)
_ROUND_SECONDS: Final = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What it takes to reach a peer and to know that it is the one."""

    node_id: NodeId
    name: str
    address: str
    certificate_der: bytes
    public_der: bytes

    def suspect(self) -> Suspect:
        """Return what a diagnosis needs to know."""
        return Suspect(
            node_id=self.node_id, name=self.name, address=self.address, public_der=self.public_der
        )


class PeerBook(Protocol):
    """Where peers are looked up, and where is noted how they fare."""

    def contact(self, node_id: NodeId) -> Contact:
        """Return how to reach a node; PeerNotPaired if this node does not talk to it."""

    def contacts(self) -> Iterable[NodeId]:
        """Return the nodes that this one should stay in touch with."""

    async def note_greeting(
        self, node_id: NodeId, introduction: Introduction, *, inbound: bool
    ) -> None:
        """Keep what a peer says of itself, in a call that it made or in its answer to ours."""

    async def note_trouble(self, node_id: NodeId, trouble: Trouble | None) -> None:
        """Keep why a peer cannot be reached; None if it can."""


class _Link:
    """One channel to one peer, made with one leaf."""

    def __init__(self, contact: Contact, leaf: Leaf, channel: grpc.aio.Channel) -> None:
        self.contact = contact
        self.leaf = leaf
        self.channel = channel
        self.is_greeted = False
        self._watcher = asyncio.create_task(self._watch())

    def serves(self, contact: Contact, leaf: Leaf) -> bool:
        """Tell whether a new call to the contact may go over this link."""
        ours = (self.contact.address, self.contact.certificate_der)
        return ours == (contact.address, contact.certificate_der) and self.leaf is leaf

    @property
    def is_connected(self) -> bool:
        """Whether the peer was greeted over the connection that the channel has now."""
        return self.is_greeted and self.channel.get_state() is grpc.ChannelConnectivity.READY

    async def close(self, grace_seconds: float | None = None) -> None:
        """End the channel; its calls too, after the grace time."""
        self._watcher.cancel()
        await self.channel.close(grace_seconds)

    async def _watch(self) -> None:
        """Ask for a new greeting after each change of the connection."""
        state = self.channel.get_state()
        while state is not grpc.ChannelConnectivity.SHUTDOWN:
            await self.channel.wait_for_state_change(state)
            state = self.channel.get_state()
            if state is not grpc.ChannelConnectivity.READY:
                self.is_greeted = False


class Links:
    """The connections between this node and its peers, in both directions."""

    def __init__(
        self,
        *,
        keeper: LeafKeeper,
        book: PeerBook,
        introduce: Introduce,
        now: Callable[[], datetime],
    ) -> None:
        self._keeper = keeper
        self._book = book
        self._introduce = introduce
        self._now = now
        self._links: dict[NodeId, _Link] = {}
        self._attempts: dict[NodeId, asyncio.Task[grpc.aio.Channel]] = {}
        self._retiring: dict[asyncio.Task[None], _Link] = {}
        self._inbound = Inbound()

    async def channel(self, node_id: NodeId) -> grpc.aio.Channel:
        """Return a channel on which the peer has been greeted.

        Raises: PeerNotPaired, PeerUnreachable with the cause, the party and the remedy.
        """
        contact = self._book.contact(node_id)
        link = self._links.get(node_id)
        if link and link.is_connected and link.serves(contact, self._keeper.current()):
            return link.channel
        attempt = self._attempts.get(node_id)
        if attempt is None:
            # One attempt for all who ask meanwhile; it goes on if one of them is cancelled.
            attempt = asyncio.create_task(self._connect(contact))
            self._attempts[node_id] = attempt
            attempt.add_done_callback(lambda _: self._attempts.pop(node_id, None))
            attempt.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(attempt)

    async def run(self) -> None:
        """Keep in touch with all peers until cancelled, so that each learns our address."""
        while True:
            await asyncio.gather(*map(self._greet_quietly, self._book.contacts()))
            await asyncio.sleep(_ROUND_SECONDS)

    async def cut(self, node_id: NodeId) -> None:
        """End the connection to a peer with all that runs over it."""
        links = [link for link in self._retiring.values() if link.contact.node_id == node_id]
        present = self._links.pop(node_id, None)
        for link in [*links, present] if present else links:
            await link.close()

    def remember_inbound(self, node_id: NodeId, peer: str) -> None:
        """Note that a call of the node came over the connection from ``peer``."""
        self._inbound.remember(node_id, peer)

    async def cut_inbound(self, node_id: NodeId) -> None:
        """End all connections that a peer made to this node."""
        await asyncio.to_thread(self._inbound.cut, node_id)

    async def close(self) -> None:
        """End all connections to peers."""
        for attempt in list(self._attempts.values()):
            attempt.cancel()
        for node_id in {link.contact.node_id for link in self._retiring.values()} | {*self._links}:
            await self.cut(node_id)

    async def _greet_quietly(self, node_id: NodeId) -> None:
        with suppress(ServiceError):  # the book keeps the trouble; the next round tries again
            await self.channel(node_id)

    async def _connect(self, contact: Contact) -> grpc.aio.Channel:
        leaf = self._keeper.current()
        link = self._links.pop(contact.node_id, None)
        if link is not None:
            self._retire(link)
        link = self._dial(contact, leaf)
        try:
            trouble = await self._greet(link)
            # The book may have changed while we waited: its last word counts.
            if trouble is None and link.serves(self._book.contact(contact.node_id), leaf):
                self._links[contact.node_id] = link
        finally:
            if self._links.get(contact.node_id) is not link:
                await link.close()
        if self._links.get(contact.node_id) is link:
            await self._book.note_trouble(contact.node_id, None)
            return link.channel
        trouble = trouble or _changed(contact)
        await self._book.note_trouble(contact.node_id, trouble)
        raise PeerUnreachable(trouble.what, remedy=trouble.remedy)

    def _dial(self, contact: Contact, leaf: Leaf) -> _Link:
        channel = grpc.aio.secure_channel(
            f"dns:///{contact.address}",
            tls.channel_credentials(leaf, contact.certificate_der),
            options=tls.channel_options(contact.node_id.dns_name),
        )
        return _Link(contact, leaf, channel)

    def _retire(self, link: _Link) -> None:
        """Let the calls of a link run to their end, or the leaf's, and no new ones begin."""
        left = link.leaf.not_after - _RETIRED_BEFORE_END - self._now()
        task = asyncio.create_task(link.close(max(0.0, left.total_seconds())))
        self._retiring[task] = link
        task.add_done_callback(lambda done: self._retiring.pop(done, None))

    async def _greet(self, link: _Link) -> Trouble | None:
        """Introduce both nodes to each other; return what stands between them, if anything."""
        contact = link.contact
        stub = GreetingStub(link.channel)
        host, _ = split_address(contact.address)
        said = await asyncio.to_thread(self._introduce, host)  # a name is looked up
        request = pb.HelloRequest(introduction=said.to_proto())
        try:
            reply = await stub.Hello(request, timeout=GREETING_SECONDS)
            introduction = Introduction.from_proto(reply.introduction)
            require_agreement(introduction, contact.name, self._now())
        except grpc.aio.AioRpcError as error:
            return await self._explain(contact, link.leaf, error)
        except IntroductionInvalid as error:
            return _broken(contact, error.what)
        except ClockSkewed as error:
            return Trouble(cause=Cause.CLOCK, what=error.what, remedy=error.remedy)
        except VersionsDiffer as error:
            return Trouble(cause=Cause.VERSION, what=error.what, remedy=error.remedy)
        link.is_greeted = True
        await self._book.note_greeting(contact.node_id, introduction, inbound=False)
        return None

    async def _explain(self, contact: Contact, leaf: Leaf, error: grpc.aio.AioRpcError) -> Trouble:
        log.debug("greeting %s failed: %s", contact.node_id.short, error.details())
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            return await diagnose(contact.suspect(), leaf, self._now())
        said = dict(error.trailing_metadata() or ()).get(ERROR_KEY, error.code().name.lower())
        return _broken(contact, f"it answers {str(said)[:64]!r}")


def _changed(contact: Contact) -> Trouble:
    return Trouble(
        cause=Cause.PASSING,
        what=f"the address of {contact.name} changed while it was being called",
        remedy="try again",
    )


def _broken(contact: Contact, what: str) -> Trouble:
    return Trouble(
        cause=Cause.REFUSED,
        what=f"{contact.name} answers at {contact.address} but does not greet: {what}",
        remedy="ask its operators whether it is still paired with this node, and look at its log",
    )
