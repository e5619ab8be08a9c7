"""Attempts on codes, between Begin and Finish: how many there may be, how often, and from where.

Whoever begins needs to prove nothing, and costs us some 30 ms of pure Python. An honest invitee
begins once; the rest is refused rather than let in the place of those who came before.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from appliance.peering import pake
from appliance.peering.addresses import network_of
from appliance.peering.allowance import Allowance, Allowances
from appliance.peering.errors import (
    AttemptLost,
    InvitationExpired,
    InvitationKilled,
    InvitationUsed,
    InvitationWithdrawn,
    PairingBusy,
)
from appliance.peering.pake import Circumstances, Half, Keys, Role
from appliance.peering.states import InvitationState

ATTEMPT_LIFE: Final = timedelta(seconds=60)
MOST_ATTEMPTS: Final = 64
MOST_ATTEMPTS_EACH: Final = 8
_BEGINS_PER_SECOND: Final = 4.0
_BEGINS_AT_ONCE: Final = 16
_LONGEST_QUEUE_SECONDS: Final = 5.0
_BEGINS_PER_SECOND_EACH: Final = 0.5

REFUSALS: Final = {
    InvitationState.USED: InvitationUsed,
    InvitationState.EXPIRED: InvitationExpired,
    InvitationState.KILLED: InvitationKilled,
    InvitationState.WITHDRAWN: InvitationWithdrawn,
}
"""What who tries a code hears once it has ended, by how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What an attempt is made on: a code, and the port where it is tried."""

    password: bytes = field(repr=False)
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Somebody's attempt on the code of this number."""

    number: int
    network: str
    keys: Keys
    began: datetime


class Attempts:
    """The attempts that are under way at one port."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._attempts: dict[bytes, Attempt] = {}
        self._begins = Allowance(per_second=_BEGINS_PER_SECOND, burst=_BEGINS_AT_ONCE)
        self._begins_of = Allowances(per_second=_BEGINS_PER_SECOND_EACH, burst=MOST_ATTEMPTS_EACH)
        self._computing = asyncio.Lock()

    async def begin(
        self,
        number: int,
        message: bytes,
        caller: str,
        *,
        require_open: Callable[[], Awaitable[None]],
        offer: Callable[[], Offer],
    ) -> tuple[bytes, bytes]:
        """Start an attempt: return our key exchange message and the attempt's name.

        caller: what gRPC calls the other end; its network has a share of the attempts.
        require_open: asked before the caller waits for its turn. offer: asked when it has come.
        Raises: PairingBusy; what ``require_open`` and ``offer`` raise.
        """
        network = network_of(caller)
        self._require_room(network)
        self._take_turn_of(network)
        await require_open()
        await self._take_turn()
        async with self._computing:
            offered = offer()
            half = await asyncio.to_thread(Half, Role.INVITER, offered.password)
            shared = await asyncio.to_thread(half.finish, message)
        attempt_id = secrets.token_bytes(pake.ATTEMPT_BYTES)
        circumstances = Circumstances(
            invitation=number,
            leaf_hash=offered.leaf_hash,
            attempt=attempt_id,
            invitee_message=message,
            inviter_message=half.message,
        )
        keys = Keys.derive(shared, circumstances)
        self._require_room(network)
        self._attempts[attempt_id] = Attempt(
            number=number, network=network, keys=keys, began=self._now()
        )
        return half.message, attempt_id

    def take(self, attempt_id: bytes) -> Attempt:
        """Return an attempt that is to be judged, once. Raises: AttemptLost."""
        attempt = self._attempts.pop(attempt_id, None)
        if attempt is None or self._now() - attempt.began > ATTEMPT_LIFE:
            raise AttemptLost
        return attempt

    def forget(self, number: int) -> None:
        """Forget all attempts on the code of this number."""
        for attempt_id in [a for a, one in self._attempts.items() if one.number == number]:
            del self._attempts[attempt_id]

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
