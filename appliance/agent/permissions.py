"""Who may call what, on one page. An RPC that is not here can be called by nobody.

Of the node's people each call asks for a power; which roles have it is in accounts/roles.py.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final

from appliance.accounts.roles import Power, holders
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may make a call: callers of these kinds, and of the node's people who hold the power."""

    callers: frozenset[Caller]
    power: Power | None = None


# From afar people may what they may at the machine: it is their powers that differ.
_PEOPLE: Final = frozenset({Caller.LOCAL, Caller.OPERATOR})


def _people(power: Power) -> Rule:
    return Rule(callers=_PEOPLE, power=power)


def _shown(power: Power) -> Rule:
    return Rule(callers=_PEOPLE | {Caller.CONSOLE}, power=power)


_PEER: Final = Rule(callers=frozenset({Caller.PAIRED}))
_KNOWN: Final = Rule(callers=frozenset({Caller.PAIRED, Caller.CONFIRMING}))
_PROVING: Final = Rule(callers=_PEOPLE)
_INVITED: Final = Rule(callers=frozenset({Caller.INVITED}))
_ENROLLING: Final = Rule(callers=frozenset({Caller.ENROLLING}))

PERMISSIONS: Final[dict[str, Rule]] = {
    "/coffer.agent.v1.Node/ShowNode": _shown(Power.READ_NODE),
    "/coffer.agent.v1.Node/ListServices": _people(Power.READ_NODE),
    "/coffer.agent.v1.Machine/ShowMachine": _shown(Power.READ_NODE),
    "/coffer.agent.v1.Machine/ShowHardening": _people(Power.READ_MACHINE),
    "/coffer.agent.v1.Machine/ShowHardware": _shown(Power.READ_MACHINE),
    "/coffer.agent.v1.Machine/Restart": _people(Power.ORDER_MACHINE),
    "/coffer.agent.v1.Machine/PowerOff": _people(Power.ORDER_MACHINE),
    "/coffer.agent.v1.Machine/ShowNetwork": _people(Power.READ_MACHINE),
    "/coffer.agent.v1.Machine/SetNetwork": _people(Power.ORDER_MACHINE),
    "/coffer.agent.v1.Machine/ConfirmNetwork": _people(Power.ORDER_MACHINE),
    "/coffer.agent.v1.Machine/ShowTime": _people(Power.READ_MACHINE),
    "/coffer.agent.v1.Machine/SetTimeServers": _people(Power.ORDER_MACHINE),
    "/coffer.agent.v1.Machine/ListDisks": _people(Power.READ_MACHINE),
    "/coffer.agent.v1.Machine/ShowDiskKeys": _people(Power.READ_MACHINE),
    # The console while there is no operator.
    "/coffer.agent.v1.Machine/AddRecoveryKey": _shown(Power.KEEP_DISK_KEYS),
    "/coffer.agent.v1.Machine/BindDisk": _people(Power.KEEP_DISK_KEYS),
    "/coffer.agent.v1.Machine/FactoryReset": _people(Power.ERASE_MACHINE),
    "/coffer.agent.v1.Machine/ReadLog": _people(Power.READ_MACHINE),
    "/coffer.agent.v1.Machine/WriteSupportBundle": _people(Power.READ_MACHINE),
    "/coffer.agent.v1.Accounts/SetUpAccounts": _people(Power.MANAGE_ACCOUNTS),
    "/coffer.agent.v1.Accounts/ListAccounts": _people(Power.MANAGE_ACCOUNTS),
    "/coffer.agent.v1.Accounts/CreateAccount": _people(Power.MANAGE_ACCOUNTS),
    "/coffer.agent.v1.Accounts/RenewEnrolment": _people(Power.MANAGE_ACCOUNTS),
    "/coffer.agent.v1.Accounts/ChangeRoles": _people(Power.MANAGE_ACCOUNTS),
    "/coffer.agent.v1.Accounts/DisableAccount": _people(Power.MANAGE_ACCOUNTS),
    # Of somebody who may nothing yet: an enrolment code, or password and authenticator, prove who.
    "/coffer.agent.v1.Accounts/BeginEnrolment": _PROVING,
    "/coffer.agent.v1.Accounts/FinishEnrolment": _PROVING,
    "/coffer.agent.v1.Accounts/BindAccount": _PROVING,
    "/coffer.agent.v1.Accounts/ChangePassword": _PROVING,
    "/coffer.agent.v1.Accounts/IssueToken": _PROVING,
    "/coffer.agent.v1.Accounts/ListTokens": _people(Power.MANAGE_ACCOUNTS),
    "/coffer.agent.v1.Accounts/RevokeToken": _people(Power.MANAGE_ACCOUNTS),
    "/coffer.agent.v1.Accounts/ShowSelf": _PROVING,
    "/coffer.agent.v1.Operators/ShowSetUpCode": _shown(Power.MANAGE_ACCOUNTS),
    "/coffer.agent.v1.Operators/ListOperators": _people(Power.MANAGE_ACCOUNTS),
    "/coffer.agent.v1.Operators/RemoveOperator": _people(Power.MANAGE_ACCOUNTS),
    "/coffer.agent.v1.Peers/Invite": _people(Power.MANAGE_PEERS),
    "/coffer.agent.v1.Peers/ListInvitations": _people(Power.MANAGE_PEERS),
    "/coffer.agent.v1.Peers/WithdrawInvitation": _people(Power.MANAGE_PEERS),
    "/coffer.agent.v1.Peers/Accept": _people(Power.MANAGE_PEERS),
    "/coffer.agent.v1.Peers/Confirm": _people(Power.MANAGE_PEERS),
    "/coffer.agent.v1.Peers/Reject": _people(Power.MANAGE_PEERS),
    "/coffer.agent.v1.Peers/ListPeers": _shown(Power.READ_NODE),
    "/coffer.agent.v1.Peers/GetPeer": _people(Power.READ_NODE),
    "/coffer.agent.v1.Peers/MovePeer": _people(Power.MANAGE_PEERS),
    "/coffer.agent.v1.Peers/Unpair": _people(Power.MANAGE_PEERS),
    "/coffer.agent.v1.Peers/ForgetPeer": _people(Power.MANAGE_PEERS),
    "/coffer.agent.v1.Datasets/AddDataset": _people(Power.REGISTER_DATASETS),
    "/coffer.agent.v1.Datasets/UploadTable": _people(Power.REGISTER_DATASETS),
    "/coffer.agent.v1.Datasets/ListDatasets": _people(Power.READ_DATASETS),
    "/coffer.agent.v1.Datasets/GetDataset": _people(Power.READ_DATASETS),
    "/coffer.agent.v1.Datasets/PublishDataset": _people(Power.GRANT),
    "/coffer.agent.v1.Datasets/WithdrawDataset": _people(Power.GRANT),
    "/coffer.agent.v1.Datasets/RemoveDataset": _people(Power.REGISTER_DATASETS),
    "/coffer.agent.v1.Policies/DraftPolicy": _people(Power.GRANT),
    "/coffer.agent.v1.Policies/CheckPolicy": _people(Power.GRANT),
    "/coffer.agent.v1.Policies/ChangePolicy": _people(Power.GRANT),
    "/coffer.agent.v1.Policies/ShowPolicy": _people(Power.READ_DATASETS),
    "/coffer.agent.v1.Policies/ListPolicyVersions": _people(Power.READ_DATASETS),
    "/coffer.agent.v1.Grants/IssueGrant": _people(Power.GRANT),
    "/coffer.agent.v1.Grants/ListGrants": _people(Power.READ_DATASETS),
    "/coffer.agent.v1.Grants/RevokeGrant": _people(Power.GRANT),
    "/coffer.agent.v1.Ledger/ListEntries": _people(Power.READ_LEDGER),
    "/coffer.agent.v1.Ledger/VerifyLedger": _people(Power.READ_LEDGER),
    "/coffer.agent.v1.Ledger/ShowCheckpoint": _people(Power.READ_LEDGER),
    "/coffer.agent.v1.Ledger/ShowPeerCheckpoint": _people(Power.READ_LEDGER),
    "/coffer.agent.v1.Ledger/ExportEvidence": _people(Power.EXPORT_LEDGER),
    "/coffer.agent.v1.Ledger/PruneLedger": _people(Power.PRUNE_LEDGER),
    "/coffer.agent.v1.Ledger/ShowReceiver": _people(Power.READ_LEDGER),
    "/coffer.agent.v1.Ledger/SetReceiver": _people(Power.EXPORT_LEDGER),
    "/coffer.agent.v1.Jobs/SubmitJob": _people(Power.SUBMIT_JOBS),
    "/coffer.agent.v1.Jobs/ListJobs": _people(Power.READ_JOBS),
    "/coffer.agent.v1.Jobs/GetJob": _people(Power.READ_JOBS),
    "/coffer.agent.v1.Jobs/ApproveJob": _people(Power.APPROVE_JOBS),
    "/coffer.agent.v1.Jobs/RejectJob": _people(Power.APPROVE_JOBS),
    "/coffer.agent.v1.Jobs/CancelJob": _people(Power.CANCEL_JOBS),
    "/coffer.agent.v1.Jobs/WatchJob": _people(Power.READ_JOBS),
    "/coffer.agent.v1.Jobs/GetResult": _people(Power.READ_RESULTS),
    "/coffer.agent.v1.Jobs/ReadResult": _people(Power.READ_RESULTS),
    "/coffer.agent.v1.Updates/ShowSlots": _shown(Power.READ_MACHINE),
    "/coffer.agent.v1.Updates/UploadBundle": _people(Power.UPDATE_SYSTEM),
    "/coffer.agent.v1.Updates/CheckUpdate": _people(Power.UPDATE_SYSTEM),
    "/coffer.agent.v1.Updates/InstallUpdate": _people(Power.UPDATE_SYSTEM),
    "/coffer.agent.v1.Updates/CancelUpdate": _people(Power.UPDATE_SYSTEM),
    "/coffer.agent.v1.Updates/SetSource": _people(Power.UPDATE_SYSTEM),
    "/coffer.agent.v1.Updates/StartOtherSlot": _people(Power.UPDATE_SYSTEM),
    "/coffer.peer.v1.Greeting/Hello": _KNOWN,
    "/coffer.peer.v1.Mailbox/Deliver": _KNOWN,
    "/coffer.peer.v1.Relay/Converse": _PEER,
    "/coffer.peer.v1.Pairing/Begin": _INVITED,
    "/coffer.peer.v1.Pairing/Finish": _INVITED,
    "/coffer.peer.v1.Enrolment/Begin": _ENROLLING,
    "/coffer.peer.v1.Enrolment/Finish": _ENROLLING,
}


# How the names of methods begin that change nothing, and who writes down by itself what it does.
_READING: Final = ("Show", "List", "Get", "Read", "Watch", "Draft", "Check", "Verify")
_NOTED_BY_ITSELF: Final = (
    "/coffer.agent.v1.Accounts/",
    "/coffer.agent.v1.Grants/",
    "/coffer.agent.v1.Jobs/",
    "/coffer.agent.v1.Policies/",
)
# Calls that change nothing, and give out what is worth knowing of: codes, results, evidence.
_NOTED: Final = frozenset(
    {
        "/coffer.agent.v1.Jobs/ReadResult",
        "/coffer.agent.v1.Ledger/ExportEvidence",
        "/coffer.agent.v1.Machine/WriteSupportBundle",
        "/coffer.agent.v1.Operators/ShowSetUpCode",
    }
)


def is_noted(method: str) -> bool:
    """Whether a call of the node's people is written to the ledger before it is made."""
    if method in _NOTED:
        return True
    is_reading = method.rpartition("/")[2].startswith(_READING)
    return not is_reading and not method.startswith(_NOTED_BY_ITSELF)


def require_admitted(method: str, caller: Caller, powers: Collection[Power]) -> None:
    """Return if such a caller, who holds these powers, may call ``method``, a full RPC name.

    Raises: NotAdmitted.
    """
    rule = PERMISSIONS.get(method)
    if rule is None or caller not in rule.callers:
        raise NotAdmitted(f"{caller.value} may not call {method}")
    if caller in _PEOPLE and rule.power is not None and rule.power not in powers:
        raise NotAdmitted(
            f"you may not {rule.power.value}",
            remedy=f"that is for the {' or the '.join(holders(rule.power))}",
        )
