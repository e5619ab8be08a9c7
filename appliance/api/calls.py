"""How the typed client calls an agent, and what becomes of its refusals."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message

from appliance.api.conventions import ERROR_KEY, REMEDY_KEY, TOKEN_KEY
from appliance.api.ways import Refused, SocketWay, Unreachable, Way
from services.errors import ServiceError

Reply = TypeVar("Reply", bound=Message)


class Calls:
    """A connection to one node's agent.

    way: the agent's state folder on this machine, or another way to an agent.
    answer_seconds: how long to wait for answers, but for those that take as long as they take.
    token: an API token that calls are made with, in place of who calls; empty for none.
    """

    def __init__(self, way: Path | Way, *, answer_seconds: float = 30.0, token: str = "") -> None:
        self._metadata = ((TOKEN_KEY, token),) if token else ()
        self._answer_seconds = answer_seconds
        self._way = SocketWay(way) if isinstance(way, Path) else way
        self._channel = self._way.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls in flight end."""
        self._channel.close()

    def _follow(self, method: str, request: Message, reply: type[Reply]) -> Iterator[Reply]:
        call = self._channel.unary_stream(
            f"/coffer.agent.v1.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=reply.FromString,
        )
        self._way.require_there()
        replies = call(request, metadata=self._metadata)
        try:
            yield from replies
        except grpc.RpcError as error:
            raise self._error_of(error) from None
        finally:
            replies.cancel()

    def _ask(
        self,
        method: str,
        request: Message,
        reply: type[Reply],
        *,
        patient: bool = False,
    ) -> Reply:
        call: Callable[..., Reply] = self._channel.unary_unary(
            f"/coffer.agent.v1.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=reply.FromString,
        )
        self._way.require_there()
        try:
            seconds = None if patient else self._answer_seconds
            return call(request, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._error_of(error) from None

    def _error_of(self, error: Any) -> ServiceError:
        code: grpc.StatusCode = error.code()
        if code is grpc.StatusCode.UNAVAILABLE:
            return self._way.silence()
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unreachable("the agent did not answer in time", remedy="look at its log")
        trailing: dict[str, str | bytes] = dict(error.trailing_metadata() or ())
        remedy = trailing.get(REMEDY_KEY, b"")
        what = error.details() or f"the agent refused ({code.name.lower()})"
        if code is grpc.StatusCode.UNIMPLEMENTED:
            what = "the agent does not know this command"
            remedy = b"it runs another version of coffer; stop it and start it again"
        return Refused(
            what,
            remedy=remedy.decode(errors="replace") if isinstance(remedy, bytes) else remedy,
            error=str(trailing.get(ERROR_KEY, "")),
        )
