"""Who may call what, on one page. An RPC that is not here can be called by nobody."""

from enum import Enum
from typing import Final

from services.errors import ConfigError


class Caller(Enum):
    """The kinds of caller that an agent tells apart."""

    LOCAL = "a process of this machine whose uid the configuration admits"
    PAIRED = "a paired peer, known by its pinned identity key"
    CONFIRMING = "a peer whose pairing waits for an operator's confirmation"
    INVITED = "anyone who reaches the pairing port while an invitation lives"


class NotAdmitted(ConfigError):
    """The caller may not make this call."""


_LOCAL: Final = frozenset({Caller.LOCAL})
_PEER: Final = frozenset({Caller.PAIRED})
_KNOWN: Final = frozenset({Caller.PAIRED, Caller.CONFIRMING})
_INVITED: Final = frozenset({Caller.INVITED})

PERMISSIONS: Final = {
    "/coffer.agent.v1.Node/ShowNode": _LOCAL,
    "/coffer.agent.v1.Node/ListServices": _LOCAL,
    "/coffer.agent.v1.Machine/ShowMachine": _LOCAL,
    "/coffer.agent.v1.Peers/Invite": _LOCAL,
    "/coffer.agent.v1.Peers/ListInvitations": _LOCAL,
    "/coffer.agent.v1.Peers/WithdrawInvitation": _LOCAL,
    "/coffer.agent.v1.Peers/Accept": _LOCAL,
    "/coffer.agent.v1.Peers/Confirm": _LOCAL,
    "/coffer.agent.v1.Peers/Reject": _LOCAL,
    "/coffer.agent.v1.Peers/ListPeers": _LOCAL,
    "/coffer.agent.v1.Peers/GetPeer": _LOCAL,
    "/coffer.agent.v1.Peers/MovePeer": _LOCAL,
    "/coffer.agent.v1.Peers/Unpair": _LOCAL,
    "/coffer.agent.v1.Peers/ForgetPeer": _LOCAL,
    "/coffer.agent.v1.Datasets/AddDataset": _LOCAL,
    "/coffer.agent.v1.Datasets/ListDatasets": _LOCAL,
    "/coffer.agent.v1.Datasets/GetDataset": _LOCAL,
    "/coffer.agent.v1.Datasets/PublishDataset": _LOCAL,
    "/coffer.agent.v1.Datasets/WithdrawDataset": _LOCAL,
    "/coffer.agent.v1.Datasets/RemoveDataset": _LOCAL,
    "/coffer.agent.v1.Jobs/SubmitJob": _LOCAL,
    "/coffer.agent.v1.Jobs/ListJobs": _LOCAL,
    "/coffer.agent.v1.Jobs/GetJob": _LOCAL,
    "/coffer.agent.v1.Jobs/ApproveJob": _LOCAL,
    "/coffer.agent.v1.Jobs/RejectJob": _LOCAL,
    "/coffer.agent.v1.Jobs/CancelJob": _LOCAL,
    "/coffer.agent.v1.Jobs/WatchJob": _LOCAL,
    "/coffer.agent.v1.Jobs/GetResult": _LOCAL,
    "/coffer.peer.v1.Greeting/Hello": _KNOWN,
    "/coffer.peer.v1.Mailbox/Deliver": _KNOWN,
    "/coffer.peer.v1.Relay/Converse": _PEER,
    "/coffer.peer.v1.Pairing/Begin": _INVITED,
    "/coffer.peer.v1.Pairing/Finish": _INVITED,
}


def admits(method: str, caller: Caller) -> bool:
    """Tell whether ``caller`` may call ``method``, a full RPC name."""
    return caller in PERMISSIONS.get(method, frozenset())
