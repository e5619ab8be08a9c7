"""How an error becomes a gRPC status: one table, by class; an unlisted one is INTERNAL, no text."""

import logging
from typing import Any, Final, NoReturn, TypeAlias

import grpc
from grpc.aio import ServicerContext

from appliance.agent.permissions import NotAdmitted
from services import errors

Context: TypeAlias = "ServicerContext[Any, Any]"

log = logging.getLogger(__name__)

STATUS: Final[dict[type[errors.ServiceError], grpc.StatusCode]] = {
    NotAdmitted: grpc.StatusCode.PERMISSION_DENIED,
    errors.ConfigError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ProtocolError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.CheatingDetected: grpc.StatusCode.ABORTED,
    errors.PeerLost: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ServiceError: grpc.StatusCode.FAILED_PRECONDITION,
}

REMEDY_KEY: Final = "coffer-remedy-bin"
ERROR_KEY: Final = "coffer-error"


def status_of(error: errors.ServiceError) -> grpc.StatusCode:
    """Return the status of the nearest class above ``error`` that the table names."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


async def refuse(context: Context, error: errors.ServiceError, *, tell: bool) -> NoReturn:
    """End the call with the error's status; a peer hears only its kind."""
    trailing: tuple[tuple[str, str | bytes], ...] = ((ERROR_KEY, type(error).__name__),)
    if tell:
        trailing += ((REMEDY_KEY, error.remedy.encode()),)
    await context.abort(status_of(error), error.what if tell else "", trailing)


async def conceal(context: Context, method: str) -> NoReturn:
    """End an RPC that failed by a fault of ours; the traceback goes to the log alone."""
    log.exception("%s failed", method)
    await context.abort(grpc.StatusCode.INTERNAL, "the agent failed; its log says why")
