"""The inviter's side of pairing: invitations, the attempts on them, and how guesses are counted.

Codes are kept in memory alone. A node that restarts has forgotten them, and says so: its open
invitations become withdrawn. What is on disk is what must not be forgotten: which invitation was
used, and how many wrong codes were tried.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from appliance.api.peer_pb2_grpc import PairingServicer
from appliance.identity.keys import IdentityKey
from appliance.peering import pake
from appliance.peering import store as table
from appliance.peering.addresses import network_of
from appliance.peering.allowance import Allowance, Allowances
from appliance.peering.code import Code, InvitationText
from appliance.peering.errors import (
    AttemptLost,
    InvitationExpired,
    InvitationKilled,
    InvitationNotFound,
    InvitationUnknown,
    InvitationUsed,
    InvitationWithdrawn,
    PairingBroken,
    PairingBusy,
    SelfPairing,
    WrongCode,
)
from appliance.peering.introduction import Introduction, require_agreement
from appliance.peering.pairing_port import Interceptor, PairingPort, shown_address
from appliance.peering.pake import Circumstances, Half, Identity, Keys, Proof, Role
from appliance.peering.peers import AfterCommit, Peers
from appliance.peering.states import InvitationEvent, InvitationState
from appliance.store.database import Store
from services.errors import ServiceError

LIFE: Final = timedelta(minutes=15)
# How long the port answers after the last invitation's end, so that a late caller hears why.
LINGERING: Final = timedelta(minutes=2)
KEPT: Final = timedelta(days=30)
ATTEMPT_LIFE: Final = timedelta(seconds=60)
MOST_OPEN: Final = 16
# Whoever begins needs to prove nothing, and costs us some 30 ms of pure Python. An honest invitee
# begins once; the rest is refused rather than let in the place of those who came before.
MOST_ATTEMPTS: Final = 64
MOST_ATTEMPTS_EACH: Final = 8
_BEGINS_PER_SECOND: Final = 4.0
_BEGINS_AT_ONCE: Final = 16
_LONGEST_QUEUE_SECONDS: Final = 5.0
_BEGINS_PER_SECOND_EACH: Final = 0.5

_REFUSALS: Final = {
    InvitationState.USED: InvitationUsed,
    InvitationState.EXPIRED: InvitationExpired,
    InvitationState.KILLED: InvitationKilled,
    InvitationState.WITHDRAWN: InvitationWithdrawn,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """One invitation as its maker sees it. ``text`` and ``words`` are known at its making alone."""

    number: int
    address: str
    state: InvitationState
    wrong_codes: int
    expires_milliseconds: int
    text: str = field(default="", repr=False)
    words: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Secret:
    """What is kept in memory of an open invitation."""

    code: Code
    expires_milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """Somebody's attempt on an invitation, between Begin and Finish."""

    number: int
    network: str
    keys: Keys
    began: datetime


class Invitations:
    """Makes invitations and lets in, for confirmation, the nodes that prove to have the code.

    listen: where the pairing port opens, HOST:PORT. host: the name or address that others reach it
    by. interceptors: what stands before each call, and tells callers of an error its class alone.
    servicer: makes what serves the Pairing API to callers from outside.
    """

    def __init__(
        self,
        *,
        store: Store,
        peers: Peers,
        key: IdentityKey,
        introduce: Callable[[], Introduction],
        now: Callable[[], datetime],
        listen: str,
        host: str,
        interceptors: Sequence[Interceptor],
        servicer: Callable[["Invitations"], PairingServicer],
    ) -> None:
        self._store = store
        self._peers = peers
        self._key = key
        self._introduce = introduce
        self._now = now
        self._listen = listen
        self._host = host
        self._interceptors = interceptors
        self._servicer = servicer
        self._secrets: dict[int, _Secret] = {}
        self._attempts: dict[bytes, _Attempt] = {}
        self._begins = Allowance(per_second=_BEGINS_PER_SECOND, burst=_BEGINS_AT_ONCE)
        self._begins_of = Allowances(per_second=_BEGINS_PER_SECOND_EACH, burst=MOST_ATTEMPTS_EACH)
        self._computing = asyncio.Lock()
        self._port: PairingPort | None = None
        self._port_lock = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self._last_end = now()

    async def load(self) -> None:
        """Withdraw what was open when the node stopped; to be called once before anything else."""

        def work(session: Session) -> None:
            for row in table.open_invitations(session):
                is_late = row.expires_milliseconds <= self._milliseconds()
                event = InvitationEvent.TIME_UP if is_late else InvitationEvent.CODE_LOST
                table.change_invitation(row, event)

        await self._store.run(work)

    async def invite(self) -> Invitation:
        """Make an invitation, and open the pairing port. Raises: PairingPortTaken, PairingBusy."""
        if len(self._secrets) >= MOST_OPEN:
            raise PairingBusy
        port = await self._open_port()
        address = shown_address(self._host, port.number)
        now, life = self._milliseconds(), LIFE // timedelta(milliseconds=1)

        def work(session: Session) -> Invitation:
            table.remove_invitations(session, now - KEPT // timedelta(milliseconds=1))
            return _invitation(table.add_invitation(session, address, now, life))

        made = await self._store.run(work)
        code = Code.make(made.number)
        self._secrets[made.number] = _Secret(
            code=code, expires_milliseconds=made.expires_milliseconds
        )
        shown = InvitationText(address=address, code=code)
        return Invitation(
            number=made.number,
            address=address,
            state=made.state,
            wrong_codes=0,
            expires_milliseconds=made.expires_milliseconds,
            text=shown.text,
            words=code.words,
        )

    async def all(self) -> Sequence[Invitation]:
        """Return all invitations, newest first."""
        await self._expire()
        return await self._store.run(
            lambda session: [_invitation(row) for row in table.all_invitations(session)]
        )

    async def withdraw(self, number: int) -> Invitation:
        """End an open invitation. Raises: InvitationNotFound; InvitationRefused if it has ended."""

        def work(session: Session) -> Invitation:
            row = table.find_invitation(session, number)
            if row is None:
                raise InvitationNotFound(
                    f"there is no invitation {number}", remedy="see: coffer peers invitations"
                )
            self._require_open(row)
            table.change_invitation(row, InvitationEvent.WITHDRAWN_HERE)
            return _invitation(row)

        withdrawn = await self._store.run(work)
        self._forget(number)
        return withdrawn

    async def close(self) -> None:
        """Close the pairing port. Invitations that are open die with the process."""
        if self._watcher is not None:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher
        async with self._port_lock:
            if self._port is not None:
                await self._port.close()
                self._port = None

    @property
    def is_port_open(self) -> bool:
        """Whether the pairing port is open."""
        return self._port is not None

    # What invitees ask.

    async def begin(self, number: int, message: bytes, caller: str) -> tuple[bytes, bytes]:
        """Start an attempt: return our key exchange message and the attempt's name.

        caller: what gRPC calls the other end; its network has a share of the attempts.
        Raises: PairingBusy, InvitationUnknown and other reasons why there is no such invitation.
        """
        network = network_of(caller)
        self._require_room(network)
        self._take_turn_of(network)
        await self._store.run(lambda session: self._require_open_number(session, number))
        await self._take_turn()
        async with self._computing:
            port, secret = self._port, self._secrets.get(number)
            if port is None or secret is None:
                raise InvitationWithdrawn
            half = await asyncio.to_thread(Half, Role.INVITER, secret.code.password)
            shared = await asyncio.to_thread(half.finish, message)
        attempt_id = secrets.token_bytes(pake.ATTEMPT_BYTES)
        circumstances = Circumstances(
            invitation=number,
            leaf_hash=port.leaf_hash,
            attempt=attempt_id,
            invitee_message=message,
            inviter_message=half.message,
        )
        keys = Keys.derive(shared, circumstances)
        self._require_room(network)
        self._attempts[attempt_id] = _Attempt(
            number=number, network=network, keys=keys, began=self._now()
        )
        return half.message, attempt_id

    def _require_room(self, network: str) -> None:
        """Return if another attempt from there can be held, else raise PairingBusy."""
        now = self._now()
        for late in [a for a, one in self._attempts.items() if now - one.began > ATTEMPT_LIFE]:
            del self._attempts[late]
        theirs = sum(one.network == network for one in self._attempts.values())
        if len(self._attempts) >= MOST_ATTEMPTS or theirs >= MOST_ATTEMPTS_EACH:
            raise PairingBusy

    def _take_turn_of(self, network: str) -> None:
        """Count a beginning against its network. Raises: PairingBusy."""
        now = asyncio.get_running_loop().time()
        own = self._begins_of.of(network)
        if own.wait_seconds(now):
            raise PairingBusy
        own.take(now)

    async def _take_turn(self) -> None:
        """Wait until all beginnings together are few enough. Raises: PairingBusy."""
        now = asyncio.get_running_loop().time()
        if self._begins.wait_seconds(now) > _LONGEST_QUEUE_SECONDS:
            raise PairingBusy
        await asyncio.sleep(self._begins.take(now))

    async def finish(self, attempt_id: bytes, proof: Proof, caller: str) -> Proof:
        """Judge the invitee's proof; let it in for confirmation and return ours, or count a guess.

        Each attempt is judged once. The count, or the use of the invitation, is on disk before
        anything is answered; and whether the invitation is still open is asked in that same
        transaction, so that of many guesses at once only three are ever judged.
        caller: the address that the attempt comes from, for the log.
        """
        attempt = self._attempts.pop(attempt_id, None)
        if attempt is None or self._now() - attempt.began > ATTEMPT_LIFE:
            raise AttemptLost
        try:
            invitee = pake.verify(attempt.keys, Role.INVITEE, proof, None)
        except (WrongCode, PairingBroken):
            await self._count_wrong_code(attempt.number, caller)
            raise
        if invitee.node_id == self._key.node_id:
            raise SelfPairing
        require_agreement(invitee.introduction, invitee.introduction.name, self._now())
        answer, inviter = pake.prove(
            attempt.keys, Role.INVITER, self._key, self._introduce(), proof
        )
        bond = pake.bond(attempt.keys, invitee, inviter)
        await self._store.run(
            lambda session: self._let_in(session, attempt.number, invitee, bond),
            then=lambda after: after(),
        )
        self._forget(attempt.number)
        log.info("%s proved invitation %d", invitee.node_id.short, attempt.number)
        return answer

    def _let_in(
        self, session: Session, number: int, invitee: Identity, bond: pake.Bond
    ) -> AfterCommit:
        row = self._require_open_number(session, number)
        after = self._peers.add(session, invitee, bond, restarts=False)
        table.change_invitation(row, InvitationEvent.PROVED)
        return after

    async def _count_wrong_code(self, number: int, caller: str) -> None:
        def work(session: Session) -> InvitationState:
            return table.count_wrong_code(self._require_open_number(session, number))

        state = await self._store.run(work)
        log.warning(
            "a wrong code was tried on invitation %d from %s; it is %s",
            number,
            caller,
            state.value,
        )
        if state is InvitationState.KILLED:
            self._forget(number)

    def _require_open_number(self, session: Session, number: int) -> table.InvitationRow:
        row = table.find_invitation(session, number)
        if row is None:
            raise InvitationUnknown
        self._require_open(row)
        return row

    def _require_open(self, row: table.InvitationRow) -> None:
        state = InvitationState(row.state)
        if state is not InvitationState.OPEN:
            raise _REFUSALS[state]
        if row.expires_milliseconds <= self._milliseconds():
            raise InvitationExpired

    # The port's life.

    async def _open_port(self) -> PairingPort:
        async with self._port_lock:
            self._last_end = self._now()
            if self._port is None:
                self._port = await PairingPort.open(
                    self._listen, self._servicer(self), self._interceptors
                )
                self._watcher = asyncio.create_task(self._watch())
            return self._port

    async def _watch(self) -> None:
        """End what has expired, and close the port when nobody can be waiting for it."""
        while True:
            await asyncio.sleep(1.0)
            with suppress(ServiceError):  # a full disk; next time, then: nothing expired is taken
                await self._expire()
            async with self._port_lock:
                is_idle = not self._secrets and self._now() - self._last_end > LINGERING
                if self._port is not None and is_idle:
                    port, self._port = self._port, None
                    await port.close()
                    return

    async def _expire(self) -> None:
        now = self._milliseconds()
        if all(secret.expires_milliseconds > now for secret in self._secrets.values()):
            return

        def work(session: Session) -> list[int]:
            late = [
                row for row in table.open_invitations(session) if row.expires_milliseconds <= now
            ]
            for row in late:
                table.change_invitation(row, InvitationEvent.TIME_UP)
            return [row.number for row in late]

        for number in await self._store.run(work):
            self._forget(number)

    def _forget(self, number: int) -> None:
        self._secrets.pop(number, None)
        self._last_end = self._now()
        for attempt_id in [a for a, one in self._attempts.items() if one.number == number]:
            del self._attempts[attempt_id]

    def _milliseconds(self) -> int:
        return int(self._now().timestamp() * 1000)


def _invitation(row: table.InvitationRow) -> Invitation:
    return Invitation(
        number=row.number,
        address=row.address,
        state=InvitationState(row.state),
        wrong_codes=row.wrong_codes,
        expires_milliseconds=row.expires_milliseconds,
    )
