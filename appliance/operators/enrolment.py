"""The node's side of enrolment: the one set-up code that may live, and the port where it is tried.

The code is kept in memory alone and dies with the process, with its count of wrong tries.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from appliance.api.peer_pb2_grpc import EnrolmentServicer, add_EnrolmentServicer_to_server
from appliance.identity.keys import IdentityKey
from appliance.operators.code import SetUpCode
from appliance.operators.errors import EnrolmentPortTaken, NotFromAfar, NotOnConsole
from appliance.operators.operators import Operators
from appliance.peering import pake
from appliance.peering.addresses import host_of
from appliance.peering.attempts import REFUSALS, Attempts, Offer
from appliance.peering.errors import (
    InvitationExpired,
    InvitationWithdrawn,
    PairingBroken,
    PairingPortTaken,
    WrongCode,
)
from appliance.peering.introduction import Introduce, require_agreement
from appliance.peering.pairing_port import Interceptor, PairingPort
from appliance.peering.pake import Identity, Proof, Role
from appliance.peering.port_life import PortLife
from appliance.peering.states import WRONG_CODES_ALLOWED, InvitationEvent, InvitationState
from services.errors import ServiceError

LIFE: Final = timedelta(minutes=15)
# A set-up code has no number: there is only one.
NUMBER: Final = 0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCode:
    """A set-up code as it is shown to whoever may have it."""

    words: str = field(repr=False)
    expires_milliseconds: int
    wrong_codes: int


class _Code:
    """A set-up code and what has happened to it, by the rules of invitations."""

    def __init__(self, expires: datetime) -> None:
        self.secret = SetUpCode.make()
        self.expires = expires
        self.wrong_codes = 0
        self.state = InvitationState.OPEN

    @property
    def is_open(self) -> bool:
        return self.state is InvitationState.OPEN

    def happen(self, event: InvitationEvent) -> None:
        self.state = self.state.after(event)

    def count_wrong(self) -> None:
        self.wrong_codes += 1
        is_last = self.wrong_codes >= WRONG_CODES_ALLOWED
        self.happen(InvitationEvent.LAST_WRONG_CODE if is_last else InvitationEvent.WRONG_CODE)


class Enrolment:
    """Shows set-up codes, and takes who proves one as an operator.

    listen: where the port for new operators opens; empty if the node has none. interceptors,
    servicer: as of invitations.
    """

    def __init__(
        self,
        *,
        operators: Operators,
        key: IdentityKey,
        introduce: Introduce,
        now: Callable[[], datetime],
        listen: str,
        interceptors: Sequence[Interceptor],
        servicer: Callable[["Enrolment"], EnrolmentServicer],
    ) -> None:
        self._operators = operators
        self._key = key
        self._introduce = introduce
        self._now = now
        self._listen = listen
        self._interceptors = interceptors
        self._servicer = servicer
        self._code: _Code | None = None
        self._attempts = Attempts(now)
        self._life = PortLife(
            open_port=self._open_port,
            is_needed=lambda: self._code is not None and self._code.is_open,
            expire=self._expire,
            now=now,
        )

    async def show(self, *, renew: bool = False, on_console: bool = False) -> ShownCode:
        """Return the set-up code that lives, or a new one, and open its port.

        renew: makes a new one in any case. on_console: who asks stands before the machine, which
            gives a right only while there is no operator who could give it.
        Raises: NotFromAfar, NotOnConsole, EnrolmentPortTaken.
        """
        if not self._listen:
            raise NotFromAfar
        if on_console and self._operators.count:
            raise NotOnConsole("set-up code", "coffer operators code")
        await self._life.open()
        await self._expire()
        code = self._code
        if code is None or not code.is_open or renew:
            if code is not None and code.is_open:
                self._end(code, InvitationEvent.WITHDRAWN_HERE)
            self._code = code = _Code(self._now() + LIFE)
            log.info("a set-up code for an operator was made")
        return ShownCode(
            words=code.secret.words,
            expires_milliseconds=int(code.expires.timestamp() * 1000),
            wrong_codes=code.wrong_codes,
        )

    async def close(self) -> None:
        """Close the port; a code that lives dies with the process."""
        await self._life.close()

    # What new operators ask.

    async def begin(self, message: bytes, caller: str) -> tuple[bytes, bytes]:
        """Start an attempt: return our key exchange message and the attempt's name.

        Raises: PairingBusy, and reasons why no code lives.
        """

        async def require_open() -> None:
            self._require_open()

        def offer() -> Offer:
            port, code = self._life.port, self._require_open()
            if port is None:
                raise InvitationWithdrawn
            return Offer(password=code.secret.password, leaf_hash=port.leaf_hash)

        return await self._attempts.begin(
            NUMBER, message, caller, require_open=require_open, offer=offer
        )

    async def finish(self, attempt_id: bytes, proof: Proof, caller: str) -> Proof:
        """Judge a proof: pin the operator's key and return our proof, or count a wrong code.

        From asking whether the code lives to counting, nothing else can happen: so of many tries
        at once only three are ever judged.
        caller: the address that the attempt comes from, for the log.
        """
        attempt = self._attempts.take(attempt_id)
        code = self._require_open()
        try:
            operator = pake.verify(attempt.keys, Role.INVITEE, proof, None)
        except (WrongCode, PairingBroken):
            self._count_wrong(code, caller)
            raise
        require_agreement(operator.introduction, operator.introduction.name, self._now())
        self._operators.require_fit(operator)
        self._end(code, InvitationEvent.PROVED)
        await self._take_in(code, operator)
        said = self._introduce(host_of(caller))
        answer, _ = pake.prove(attempt.keys, Role.INVITER, self._key, said, proof)
        return answer

    async def _take_in(self, code: _Code, operator: Identity) -> None:
        try:
            await self._operators.add(operator)
        except ServiceError:
            # Nothing was noted, so the code is as good as before, unless another took its place.
            if self._code is code:
                code.state = InvitationState.OPEN
            raise

    def _count_wrong(self, code: _Code, caller: str) -> None:
        code.count_wrong()
        log.warning("a wrong set-up code was tried from %s; it is %s", caller, code.state.value)
        if not code.is_open:
            self._forget()

    def _require_open(self) -> _Code:
        if self._code is None:
            raise InvitationWithdrawn
        if not self._code.is_open:
            raise REFUSALS[self._code.state]
        if self._code.expires <= self._now():
            raise InvitationExpired
        return self._code

    async def _expire(self) -> None:
        if self._code is not None and self._code.is_open and self._code.expires <= self._now():
            self._end(self._code, InvitationEvent.TIME_UP)

    def _end(self, code: _Code, event: InvitationEvent) -> None:
        code.happen(event)
        self._forget()

    def _forget(self) -> None:
        self._attempts.forget(NUMBER)
        self._life.note_end()

    async def _open_port(self) -> PairingPort:
        add: Any = add_EnrolmentServicer_to_server
        try:
            return await PairingPort.open(
                self._listen, self._servicer(self), self._interceptors, add
            )
        except PairingPortTaken as error:
            raise EnrolmentPortTaken(
                f"the port for new operators, {self._listen}, cannot be opened",
                remedy="see who uses it (ss -ltnp), or choose another with --enrolment-port",
            ) from error
