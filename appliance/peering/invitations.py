"""The inviter's side of pairing: invitations, the attempts on them, and how guesses are counted.

Codes are kept in memory alone. A node that restarts has forgotten them, and says so: its open
invitations become withdrawn. What is on disk is what must not be forgotten: which invitation was
used, and how many wrong codes were tried.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from appliance.api.peer_pb2_grpc import PairingServicer
from appliance.identity.keys import IdentityKey
from appliance.peering import pake
from appliance.peering import store as table
from appliance.peering.addresses import host_of, parse_host
from appliance.peering.attempts import REFUSALS, Attempts, Offer
from appliance.peering.code import Code, InvitationText
from appliance.peering.errors import (
    InvitationExpired,
    InvitationNotFound,
    InvitationUnknown,
    InvitationWithdrawn,
    PairingBroken,
    PairingBusy,
    SelfPairing,
    WrongCode,
)
from appliance.peering.introduction import Introduce, require_agreement
from appliance.peering.pairing_port import Interceptor, PairingPort, shown_address
from appliance.peering.pake import Identity, Proof, Role
from appliance.peering.peers import AfterCommit, Peers
from appliance.peering.port_life import PortLife
from appliance.peering.states import InvitationEvent, InvitationState
from appliance.store.database import Store

LIFE: Final = timedelta(minutes=15)
KEPT: Final = timedelta(days=30)
MOST_OPEN: Final = 16

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


class Invitations:
    """Makes invitations and lets in, for confirmation, the nodes that prove to have the code.

    listen: where the pairing port opens, HOST:PORT. host: tells the name or address that others
    reach it by. interceptors: what stands before each call, and tells callers of an error its class
    alone. servicer: makes what serves the Pairing API to callers from outside.
    """

    def __init__(
        self,
        *,
        store: Store,
        peers: Peers,
        key: IdentityKey,
        introduce: Introduce,
        now: Callable[[], datetime],
        listen: str,
        host: Callable[[], str],
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
        self._attempts = Attempts(now)
        self._life = PortLife(
            open_port=self._open_port,
            is_needed=lambda: bool(self._secrets),
            expire=self._expire,
            now=now,
        )

    async def load(self) -> None:
        """Withdraw what was open when the node stopped; to be called once before anything else."""

        def work(session: Session) -> None:
            for row in table.open_invitations(session):
                is_late = row.expires_milliseconds <= self._milliseconds()
                event = InvitationEvent.TIME_UP if is_late else InvitationEvent.CODE_LOST
                table.change_invitation(row, event)

        await self._store.run(work)

    async def invite(self, host: str = "") -> Invitation:
        """Make an invitation, and open the pairing port.

        host: where it says that this node is, if that is not what the node finds itself.
        Raises: AddressMistyped, PairingPortTaken, PairingBusy.
        """
        shown_host = parse_host(host) if host else self._host()
        if len(self._secrets) >= MOST_OPEN:
            raise PairingBusy
        port = await self._life.open()
        address = shown_address(shown_host, port.number)
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
        await self._life.close()

    @property
    def is_port_open(self) -> bool:
        """Whether the pairing port is open."""
        return self._life.port is not None

    # What invitees ask.

    async def begin(self, number: int, message: bytes, caller: str) -> tuple[bytes, bytes]:
        """Start an attempt: return our key exchange message and the attempt's name.

        caller: what gRPC calls the other end; its network has a share of the attempts.
        Raises: PairingBusy, InvitationUnknown and other reasons why there is no such invitation.
        """

        async def require_open() -> None:
            await self._store.run(lambda session: self._require_open_number(session, number))

        def offer() -> Offer:
            port, secret = self._life.port, self._secrets.get(number)
            if port is None or secret is None:
                raise InvitationWithdrawn
            return Offer(password=secret.code.password, leaf_hash=port.leaf_hash)

        return await self._attempts.begin(
            number, message, caller, require_open=require_open, offer=offer
        )

    async def finish(self, attempt_id: bytes, proof: Proof, caller: str) -> Proof:
        """Judge the invitee's proof; let it in for confirmation and return ours, or count a guess.

        Each attempt is judged once. The count, or the use of the invitation, is on disk before
        anything is answered; and whether the invitation is still open is asked in that same
        transaction, so that of many guesses at once only three are ever judged.
        caller: the address that the attempt comes from, for the log.
        """
        attempt = self._attempts.take(attempt_id)
        try:
            invitee = pake.verify(attempt.keys, Role.INVITEE, proof, None)
        except (WrongCode, PairingBroken):
            await self._count_wrong_code(attempt.number, caller)
            raise
        if invitee.node_id == self._key.node_id:
            raise SelfPairing
        require_agreement(invitee.introduction, invitee.introduction.name, self._now())
        answer, inviter = pake.prove(
            attempt.keys, Role.INVITER, self._key, self._introduce(host_of(caller)), proof
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
            raise REFUSALS[state]
        if row.expires_milliseconds <= self._milliseconds():
            raise InvitationExpired

    # The port's life.

    async def _open_port(self) -> PairingPort:
        return await PairingPort.open(self._listen, self._servicer(self), self._interceptors)

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
        self._life.note_end()
        self._attempts.forget(number)

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
