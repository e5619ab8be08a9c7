"""Stands before every RPC: asks the permissions page, bounds callers, turns errors into statuses.

To gRPC every method is a stream, so that a caller is known and counted before anything that it
sends is waited for. What travels is the same.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import AbortError, ServerInterceptor

from appliance.accounts.principals import Principal
from appliance.accounts.roles import NO_POWERS, Power
from appliance.agent.permissions import Caller, is_noted, require_admitted
from appliance.agent.refusals import Context, TooManyCalls, conceal, refuse
from appliance.api.conventions import TOKEN_KEY
from appliance.peering.addresses import network_of
from appliance.peering.allowance import Allowances
from services.errors import ProtocolError, ServiceError

REQUEST_SECONDS: Final = 10.0
log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Requests: TypeAlias = AsyncIterator[bytes]


class RequestUnfit(ProtocolError):
    """A request did not come in time, is too large, or cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who makes a call. Those of the same ``name`` are counted as one.

    powers: what one of the node's people may do; others have none, and need none.
    """

    kind: Caller
    name: Hashable
    powers: frozenset[Power] = NO_POWERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What one visitor may ask. Calls beyond ``most_open`` are refused, too frequent ones wait.

    request_bytes: the largest request of those methods that are not bounded by the server alone.
    """

    most_open: int
    per_second: float
    burst: float
    request_bytes: Mapping[str, int] = field(default_factory=dict)


PAIRING_QUOTA: Final = Quota(most_open=8, per_second=5, burst=40)

# Says of a caller who it is, or raises NotAdmitted.
Identify = Callable[[Context], Visitor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Whom an API token acts for, and what it may do now."""

    principal: Principal
    powers: frozenset[Power]


# Returns whom a token acts for. Raises: a ConfigError.
ByToken = Callable[[str], Awaitable[Acting]]
_acting: ContextVar[Acting | None] = ContextVar("acting", default=None)


def acting() -> Acting | None:
    """Return whom the call that is being served acts for, if it came with an API token."""
    return _acting.get()


Note = Callable[[Context, str], Awaitable[None]]


class Guard(ServerInterceptor):
    """Admits a call only if the permissions page names its method for the caller.

    tell:   whether callers hear an error's text; peers hear only its kind, for detail is an oracle.
    quotas: for the kinds of caller that are bounded.
    by_token: whom an API token acts for; a call with one may what the token may, whoever makes it.
    note:   writes down that a call is made which changes something, or it is not made.
    """

    def __init__(
        self,
        identify: Identify,
        *,
        tell: bool,
        quotas: Mapping[Caller, Quota] | None = None,
        note: Note | None = None,
        by_token: ByToken | None = None,
    ) -> None:
        self._identify = identify
        self._note = note
        self._by_token = by_token
        self._tell = tell
        self._quotas = quotas or {}
        self._open: Counter[Hashable] = Counter()
        self._allowances = {
            kind: Allowances(per_second=quota.per_second, burst=quota.burst)
            for kind, quota in self._quotas.items()
        }

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wrap the method's handler; an unknown method stays unimplemented."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        guarded = self._guarded(str(handler_call_details.method), handler)
        return grpc.stream_stream_rpc_method_handler(guarded, None, handler.response_serializer)

    def _guarded(self, method: str, handler: Any) -> Any:
        async def call(requests: Requests, context: Context) -> AsyncIterator[object]:
            async with self._refusing(method, context), self._admitted(method, context) as quota:
                most_bytes = None if quota is None else quota.request_bytes.get(method)
                async for reply in _answer(handler, requests, context, most_bytes):
                    yield reply

        return call

    @asynccontextmanager
    async def _refusing(self, method: str, context: Context) -> AsyncIterator[None]:
        """End the call with a status if what is done within raises."""
        try:
            yield
        except AbortError:
            raise
        except ServiceError as error:
            await refuse(context, error, tell=self._tell)
        except Exception:
            await conceal(context, method)

    async def _with_token(self, context: Context, visitor: Visitor) -> Visitor:
        """Return a visitor with the powers of the token that the call brings, if it brings one."""
        metadata = context.invocation_metadata() or ()
        text = next((value for key, value in metadata if key == TOKEN_KEY), None)
        if text is None or self._by_token is None:
            _acting.set(None)
            return visitor
        found = await self._by_token(str(text))
        _acting.set(found)
        return replace(visitor, powers=found.powers)

    @asynccontextmanager
    async def _admitted(self, method: str, context: Context) -> AsyncIterator[Quota | None]:
        """Count the call while it lasts, once it is its turn. Raises: NotAdmitted, TooManyCalls."""
        visitor = await self._with_token(context, self._identify(context))
        require_admitted(method, visitor.kind, visitor.powers)
        if self._note is not None and is_noted(method):
            log.info("%s %s calls %s", visitor.kind.name.casefold(), visitor.name, method)
            await self._note(context, method)
        quota = self._quotas.get(visitor.kind)
        if quota is None:
            yield None
            return
        if self._open[visitor.name] >= quota.most_open:
            raise TooManyCalls(f"{visitor.name} has {quota.most_open} calls open")
        self._open[visitor.name] += 1
        try:
            now = asyncio.get_running_loop().time()
            await asyncio.sleep(self._allowances[visitor.kind].of(visitor.name).take(now))
            yield quota
        finally:
            self._open[visitor.name] -= 1
            if not self._open[visitor.name]:
                del self._open[visitor.name]


async def _answer(
    handler: Any, requests: Requests, context: Context, most_bytes: int | None
) -> AsyncIterator[object]:
    """Yield what the method answers, be it one message or many, to one request or many."""
    if handler.request_streaming:
        request: Any = _read(handler, requests)
        behave = handler.stream_stream or handler.stream_unary
    else:
        raw = await _receive(requests, most_bytes)
        try:
            request = handler.request_deserializer(raw)
        except DecodeError:
            raise RequestUnfit("a request cannot be read") from None
        behave = handler.unary_stream if handler.response_streaming else handler.unary_unary
    if handler.response_streaming:
        async for reply in behave(request, context):
            yield reply
    else:
        yield await behave(request, context)


def _read(handler: Any, requests: Requests) -> AsyncIterator[Any]:
    """Return the messages of a stream; as they are, where the method has no type for them."""
    return requests if handler.request_deserializer is None else _each_read(handler, requests)


async def _each_read(handler: Any, requests: Requests) -> AsyncIterator[Any]:
    async for raw in requests:
        try:
            message = handler.request_deserializer(raw)
        except DecodeError:
            raise RequestUnfit("a request cannot be read") from None
        yield message


async def _receive(requests: Requests, most_bytes: int | None) -> bytes:
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            raw = await anext(requests, None)
    except TimeoutError:
        raise RequestUnfit("a call came without its request") from None
    if raw is None:
        raise RequestUnfit("a call ended without a request")
    if most_bytes is not None and len(raw) > most_bytes:
        raise RequestUnfit(f"a request has {len(raw)} bytes")
    return raw


def pairing_guard(kind: Caller = Caller.INVITED) -> Guard:
    """Return the guard of a pairing port, where whoever comes is known by its network alone.

    kind: as what they come there.
    """

    def identify(context: Context) -> Visitor:
        return Visitor(kind=kind, name=network_of(context.peer()))

    return Guard(identify, tell=False, quotas={kind: PAIRING_QUOTA})
