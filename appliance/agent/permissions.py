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
    OPERATOR = "an operator from afar, known by the pinned key"
    CONSOLE = "the program that draws the machine's own screen"
    ENROLLING = "anyone who reaches the enrolment port while a set-up code lives"


class NotAdmitted(ConfigError):
    """The caller may not make this call."""


# From afar an operator may what the node's people may at the machine.
_OWNERS: Final = frozenset({Caller.LOCAL, Caller.OPERATOR})
_SHOWN: Final = _OWNERS | {Caller.CONSOLE}
_PEER: Final = frozenset({Caller.PAIRED})
_KNOWN: Final = frozenset({Caller.PAIRED, Caller.CONFIRMING})
_INVITED: Final = frozenset({Caller.INVITED})
_ENROLLING: Final = frozenset({Caller.ENROLLING})

PERMISSIONS: Final = {
    "/coffer.agent.v1.Node/ShowNode": _SHOWN,
    "/coffer.agent.v1.Node/ListServices": _OWNERS,
    "/coffer.agent.v1.Machine/ShowMachine": _SHOWN,
    "/coffer.agent.v1.Machine/ShowHardening": _OWNERS,
    "/coffer.agent.v1.Machine/ShowHardware": _SHOWN,
    "/coffer.agent.v1.Machine/Restart": _OWNERS,
    "/coffer.agent.v1.Machine/PowerOff": _OWNERS,
    "/coffer.agent.v1.Machine/ShowNetwork": _OWNERS,
    "/coffer.agent.v1.Machine/SetNetwork": _OWNERS,
    "/coffer.agent.v1.Machine/ConfirmNetwork": _OWNERS,
    "/coffer.agent.v1.Machine/ShowTime": _OWNERS,
    "/coffer.agent.v1.Machine/SetTimeServers": _OWNERS,
    "/coffer.agent.v1.Machine/ListDisks": _OWNERS,
    "/coffer.agent.v1.Machine/ShowDiskKeys": _OWNERS,
    "/coffer.agent.v1.Machine/AddRecoveryKey": _SHOWN,  # the console while there is no operator
    "/coffer.agent.v1.Machine/BindDisk": _OWNERS,
    "/coffer.agent.v1.Machine/FactoryReset": _OWNERS,
    "/coffer.agent.v1.Machine/ReadLog": _OWNERS,
    "/coffer.agent.v1.Machine/WriteSupportBundle": _OWNERS,
    "/coffer.agent.v1.Operators/ShowSetUpCode": _SHOWN,
    "/coffer.agent.v1.Operators/ListOperators": _OWNERS,
    "/coffer.agent.v1.Operators/RemoveOperator": _OWNERS,
    "/coffer.agent.v1.Peers/Invite": _OWNERS,
    "/coffer.agent.v1.Peers/ListInvitations": _OWNERS,
    "/coffer.agent.v1.Peers/WithdrawInvitation": _OWNERS,
    "/coffer.agent.v1.Peers/Accept": _OWNERS,
    "/coffer.agent.v1.Peers/Confirm": _OWNERS,
    "/coffer.agent.v1.Peers/Reject": _OWNERS,
    "/coffer.agent.v1.Peers/ListPeers": _SHOWN,
    "/coffer.agent.v1.Peers/GetPeer": _OWNERS,
    "/coffer.agent.v1.Peers/MovePeer": _OWNERS,
    "/coffer.agent.v1.Peers/Unpair": _OWNERS,
    "/coffer.agent.v1.Peers/ForgetPeer": _OWNERS,
    "/coffer.agent.v1.Datasets/AddDataset": _OWNERS,
    "/coffer.agent.v1.Datasets/UploadTable": _OWNERS,
    "/coffer.agent.v1.Datasets/ListDatasets": _OWNERS,
    "/coffer.agent.v1.Datasets/GetDataset": _OWNERS,
    "/coffer.agent.v1.Datasets/PublishDataset": _OWNERS,
    "/coffer.agent.v1.Datasets/WithdrawDataset": _OWNERS,
    "/coffer.agent.v1.Datasets/RemoveDataset": _OWNERS,
    "/coffer.agent.v1.Jobs/SubmitJob": _OWNERS,
    "/coffer.agent.v1.Jobs/ListJobs": _OWNERS,
    "/coffer.agent.v1.Jobs/GetJob": _OWNERS,
    "/coffer.agent.v1.Jobs/ApproveJob": _OWNERS,
    "/coffer.agent.v1.Jobs/RejectJob": _OWNERS,
    "/coffer.agent.v1.Jobs/CancelJob": _OWNERS,
    "/coffer.agent.v1.Jobs/WatchJob": _OWNERS,
    "/coffer.agent.v1.Jobs/GetResult": _OWNERS,
    "/coffer.agent.v1.Jobs/ReadResult": _OWNERS,
    "/coffer.agent.v1.Updates/ShowSlots": _SHOWN,
    "/coffer.agent.v1.Updates/UploadBundle": _OWNERS,
    "/coffer.agent.v1.Updates/CheckUpdate": _OWNERS,
    "/coffer.agent.v1.Updates/InstallUpdate": _OWNERS,
    "/coffer.agent.v1.Updates/CancelUpdate": _OWNERS,
    "/coffer.agent.v1.Updates/SetSource": _OWNERS,
    "/coffer.agent.v1.Updates/StartOtherSlot": _OWNERS,
    "/coffer.peer.v1.Greeting/Hello": _KNOWN,
    "/coffer.peer.v1.Mailbox/Deliver": _KNOWN,
    "/coffer.peer.v1.Relay/Converse": _PEER,
    "/coffer.peer.v1.Pairing/Begin": _INVITED,
    "/coffer.peer.v1.Pairing/Finish": _INVITED,
    "/coffer.peer.v1.Enrolment/Begin": _ENROLLING,
    "/coffer.peer.v1.Enrolment/Finish": _ENROLLING,
}


def admits(method: str, caller: Caller) -> bool:
    """Tell whether ``caller`` may call ``method``, a full RPC name."""
    return caller in PERMISSIONS.get(method, frozenset())
