"""Stands before every RPC: asks the permissions page, and turns errors into statuses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
from grpc.aio import AbortError, ServerInterceptor

from appliance.agent.permissions import Caller, NotAdmitted, admits
from appliance.agent.refusals import Context, conceal, refuse
from services.errors import ServiceError

# Says of a caller what kind it is, or raises NotAdmitted.
Identify = Callable[[Context], Caller]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class Guard(ServerInterceptor):
    """Admits a call only if the permissions page names its method for the caller's kind.

    tell: whether callers hear an error's text; peers hear only its kind, for detail is an oracle.
    """

    def __init__(self, identify: Identify, *, tell: bool) -> None:
        self._identify = identify
        self._tell = tell

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wrap the method's handler; an unknown method stays unimplemented."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        method = str(handler_call_details.method)
        if handler.response_streaming:
            streaming = handler.stream_stream if handler.request_streaming else handler.unary_stream
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            wrapped = self._streaming(method, streaming)
        else:
            make = grpc.unary_unary_rpc_method_handler
            wrapped = self._single(method, handler.unary_unary)
        return make(wrapped, handler.request_deserializer, handler.response_serializer)

    def _single(self, method: str, behave: Any) -> Any:
        async def call(request: object, context: Context) -> object:
            try:
                self._admit(method, context)
                return await behave(request, context)
            except AbortError:
                raise
            except ServiceError as error:
                await refuse(context, error, tell=self._tell)
            except Exception:
                await conceal(context, method)

        return call

    def _streaming(self, method: str, behave: Any) -> Any:
        async def call(request: object, context: Context) -> AsyncIterator[object]:
            try:
                self._admit(method, context)
                async for reply in behave(request, context):
                    yield reply
            except AbortError:
                raise
            except ServiceError as error:
                await refuse(context, error, tell=self._tell)
            except Exception:
                await conceal(context, method)

        return call

    def _admit(self, method: str, context: Context) -> None:
        caller = self._identify(context)
        if not admits(method, caller):
            raise NotAdmitted(f"{caller.value} may not call {method}")
