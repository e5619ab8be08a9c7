"""How an error becomes a gRPC status: one table, by class; an unlisted one is INTERNAL, no text.

Local callers hear all. Peers hear one word of a closed list, as detail is an oracle.
"""

import logging
from typing import Any, Final, NoReturn, TypeAlias

import grpc
from grpc.aio import ServicerContext

from appliance.agent.permissions import NotAdmitted
from appliance.api.conventions import ERROR_KEY, REMEDY_KEY
from appliance.operators import errors as operators
from appliance.peering import errors as peering
from services import errors

Context: TypeAlias = "ServicerContext[Any, Any]"

log = logging.getLogger(__name__)


class TooManyCalls(errors.ConfigError):
    """The caller has too many calls open at once."""


STATUS: Final[dict[type[errors.ServiceError], grpc.StatusCode]] = {
    NotAdmitted: grpc.StatusCode.PERMISSION_DENIED,
    TooManyCalls: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.ConfigError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ProtocolError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.CheatingDetected: grpc.StatusCode.ABORTED,
    errors.PeerLost: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ServiceError: grpc.StatusCode.FAILED_PRECONDITION,
}

# What is told to peers and to those who were invited: what their operators can act on.
TOLD_TO_PEERS: Final = frozenset(
    {
        *peering.REFUSALS.values(),
        NotAdmitted,
        TooManyCalls,
        operators.OperatorIsNode,
        operators.TooManyOperators,
        peering.CertificateEnded,
        peering.ClockSkewed,
        peering.IntroductionInvalid,
        peering.PairingBroken,
        peering.PeerUnknown,
        peering.VersionsDiffer,
    }
)
UNTOLD: Final = "Refused"


def status_of(error: errors.ServiceError) -> grpc.StatusCode:
    """Return the status of the nearest class above ``error`` that the table names."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


async def refuse(context: Context, error: errors.ServiceError, *, tell: bool) -> NoReturn:
    """End the call with the error's status; a peer hears at most its kind."""
    kind = type(error)
    if tell:
        remedy = (REMEDY_KEY, error.remedy.encode())
        await context.abort(status_of(error), error.what, ((ERROR_KEY, kind.__name__), remedy))
    word = kind.__name__ if kind in TOLD_TO_PEERS else UNTOLD
    await context.abort(status_of(error), "", ((ERROR_KEY, word),))


async def conceal(context: Context, method: str) -> NoReturn:
    """End an RPC that failed by a fault of ours; the traceback goes to the log alone."""
    log.exception("%s failed", method)
    await context.abort(grpc.StatusCode.INTERNAL, "the agent failed; its log says why")
