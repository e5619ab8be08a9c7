from appliance.api import accounts_pb2 as _accounts_pb2
from appliance.api import governance_pb2 as _governance_pb2
from appliance.api import jobs_pb2 as _jobs_pb2
from appliance.api import machine_pb2 as _machine_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union
from appliance.api.accounts_pb2 import SetUpAccountsRequest as SetUpAccountsRequest
from appliance.api.accounts_pb2 import EnrollingReply as EnrollingReply
from appliance.api.accounts_pb2 import Enrolling as Enrolling
from appliance.api.accounts_pb2 import ListAccountsRequest as ListAccountsRequest
from appliance.api.accounts_pb2 import ListAccountsReply as ListAccountsReply
from appliance.api.accounts_pb2 import Account as Account
from appliance.api.accounts_pb2 import CreateAccountRequest as CreateAccountRequest
from appliance.api.accounts_pb2 import RenewEnrolmentRequest as RenewEnrolmentRequest
from appliance.api.accounts_pb2 import ChangeRolesRequest as ChangeRolesRequest
from appliance.api.accounts_pb2 import DisableAccountRequest as DisableAccountRequest
from appliance.api.accounts_pb2 import BeginEnrolmentRequest as BeginEnrolmentRequest
from appliance.api.accounts_pb2 import AuthenticatorKey as AuthenticatorKey
from appliance.api.accounts_pb2 import FinishEnrolmentRequest as FinishEnrolmentRequest
from appliance.api.accounts_pb2 import RecoveryCodes as RecoveryCodes
from appliance.api.accounts_pb2 import BindAccountRequest as BindAccountRequest
from appliance.api.accounts_pb2 import ChangePasswordRequest as ChangePasswordRequest
from appliance.api.accounts_pb2 import IssueTokenRequest as IssueTokenRequest
from appliance.api.accounts_pb2 import IssuedToken as IssuedToken
from appliance.api.accounts_pb2 import ListTokensRequest as ListTokensRequest
from appliance.api.accounts_pb2 import ListTokensReply as ListTokensReply
from appliance.api.accounts_pb2 import Token as Token
from appliance.api.accounts_pb2 import RevokeTokenRequest as RevokeTokenRequest
from appliance.api.accounts_pb2 import ShowSelfRequest as ShowSelfRequest
from appliance.api.accounts_pb2 import Self as Self
from appliance.api.governance_pb2 import DraftPolicyRequest as DraftPolicyRequest
from appliance.api.governance_pb2 import CheckPolicyRequest as CheckPolicyRequest
from appliance.api.governance_pb2 import ChangePolicyRequest as ChangePolicyRequest
from appliance.api.governance_pb2 import ShowPolicyRequest as ShowPolicyRequest
from appliance.api.governance_pb2 import ListPolicyVersionsRequest as ListPolicyVersionsRequest
from appliance.api.governance_pb2 import ListPolicyVersionsReply as ListPolicyVersionsReply
from appliance.api.governance_pb2 import Policy as Policy
from appliance.api.governance_pb2 import PolicyTaken as PolicyTaken
from appliance.api.governance_pb2 import PolicyCaution as PolicyCaution
from appliance.api.governance_pb2 import IssueGrantRequest as IssueGrantRequest
from appliance.api.governance_pb2 import ListGrantsRequest as ListGrantsRequest
from appliance.api.governance_pb2 import ListGrantsReply as ListGrantsReply
from appliance.api.governance_pb2 import RevokeGrantRequest as RevokeGrantRequest
from appliance.api.governance_pb2 import Grant as Grant
from appliance.api.governance_pb2 import GrantedColumn as GrantedColumn
from appliance.api.governance_pb2 import ListEntriesRequest as ListEntriesRequest
from appliance.api.governance_pb2 import ListEntriesReply as ListEntriesReply
from appliance.api.governance_pb2 import LedgerEntry as LedgerEntry
from appliance.api.governance_pb2 import VerifyLedgerRequest as VerifyLedgerRequest
from appliance.api.governance_pb2 import VerifiedLedger as VerifiedLedger
from appliance.api.governance_pb2 import ShowCheckpointRequest as ShowCheckpointRequest
from appliance.api.governance_pb2 import LedgerCheckpoint as LedgerCheckpoint
from appliance.api.governance_pb2 import LedgerAgreement as LedgerAgreement
from appliance.api.governance_pb2 import ShowPeerCheckpointRequest as ShowPeerCheckpointRequest
from appliance.api.governance_pb2 import PeerCheckpoint as PeerCheckpoint
from appliance.api.governance_pb2 import LedgerFork as LedgerFork
from appliance.api.governance_pb2 import ExportEvidenceRequest as ExportEvidenceRequest
from appliance.api.governance_pb2 import EntryRange as EntryRange
from appliance.api.governance_pb2 import EvidenceChunk as EvidenceChunk
from appliance.api.governance_pb2 import PruneLedgerRequest as PruneLedgerRequest
from appliance.api.governance_pb2 import ShowReceiverRequest as ShowReceiverRequest
from appliance.api.governance_pb2 import SetReceiverRequest as SetReceiverRequest
from appliance.api.governance_pb2 import LedgerReceiver as LedgerReceiver
from appliance.api.governance_pb2 import PrunedLedger as PrunedLedger
from appliance.api.jobs_pb2 import SubmitParty as SubmitParty
from appliance.api.jobs_pb2 import SubmitJobRequest as SubmitJobRequest
from appliance.api.jobs_pb2 import ListJobsRequest as ListJobsRequest
from appliance.api.jobs_pb2 import ListJobsReply as ListJobsReply
from appliance.api.jobs_pb2 import GetJobRequest as GetJobRequest
from appliance.api.jobs_pb2 import ApproveJobRequest as ApproveJobRequest
from appliance.api.jobs_pb2 import RejectJobRequest as RejectJobRequest
from appliance.api.jobs_pb2 import CancelJobRequest as CancelJobRequest
from appliance.api.jobs_pb2 import WatchJobRequest as WatchJobRequest
from appliance.api.jobs_pb2 import GetResultRequest as GetResultRequest
from appliance.api.jobs_pb2 import JobParty as JobParty
from appliance.api.jobs_pb2 import DisclosureLine as DisclosureLine
from appliance.api.jobs_pb2 import StageView as StageView
from appliance.api.jobs_pb2 import ProgressView as ProgressView
from appliance.api.jobs_pb2 import PeerProgress as PeerProgress
from appliance.api.jobs_pb2 import JobEventView as JobEventView
from appliance.api.jobs_pb2 import Job as Job
from appliance.api.jobs_pb2 import JobApproval as JobApproval
from appliance.api.jobs_pb2 import ReadResultRequest as ReadResultRequest
from appliance.api.jobs_pb2 import ResultChunk as ResultChunk
from appliance.api.jobs_pb2 import JobResult as JobResult
from appliance.api.machine_pb2 import ShowMachineRequest as ShowMachineRequest
from appliance.api.machine_pb2 import ShowHardwareRequest as ShowHardwareRequest
from appliance.api.machine_pb2 import Hardware as Hardware
from appliance.api.machine_pb2 import RestartRequest as RestartRequest
from appliance.api.machine_pb2 import RestartReply as RestartReply
from appliance.api.machine_pb2 import PowerOffRequest as PowerOffRequest
from appliance.api.machine_pb2 import PowerOffReply as PowerOffReply
from appliance.api.machine_pb2 import NetworkInterface as NetworkInterface
from appliance.api.machine_pb2 import NetworkPlan as NetworkPlan
from appliance.api.machine_pb2 import ShowNetworkRequest as ShowNetworkRequest
from appliance.api.machine_pb2 import NetworkView as NetworkView
from appliance.api.machine_pb2 import SetNetworkRequest as SetNetworkRequest
from appliance.api.machine_pb2 import ConfirmNetworkRequest as ConfirmNetworkRequest
from appliance.api.machine_pb2 import TimeServer as TimeServer
from appliance.api.machine_pb2 import ShowTimeRequest as ShowTimeRequest
from appliance.api.machine_pb2 import TimeView as TimeView
from appliance.api.machine_pb2 import SetTimeServersRequest as SetTimeServersRequest
from appliance.api.machine_pb2 import ListDisksRequest as ListDisksRequest
from appliance.api.machine_pb2 import Disk as Disk
from appliance.api.machine_pb2 import Filesystem as Filesystem
from appliance.api.machine_pb2 import ListDisksReply as ListDisksReply
from appliance.api.machine_pb2 import ShowDiskKeysRequest as ShowDiskKeysRequest
from appliance.api.machine_pb2 import DiskKeys as DiskKeys
from appliance.api.machine_pb2 import AddRecoveryKeyRequest as AddRecoveryKeyRequest
from appliance.api.machine_pb2 import RecoveryKey as RecoveryKey
from appliance.api.machine_pb2 import BindDiskRequest as BindDiskRequest
from appliance.api.machine_pb2 import FactoryResetRequest as FactoryResetRequest
from appliance.api.machine_pb2 import FactoryResetReply as FactoryResetReply
from appliance.api.machine_pb2 import WriteSupportBundleRequest as WriteSupportBundleRequest
from appliance.api.machine_pb2 import BundleChunk as BundleChunk
from appliance.api.machine_pb2 import ReadLogRequest as ReadLogRequest
from appliance.api.machine_pb2 import LogEntry as LogEntry
from appliance.api.machine_pb2 import Log as Log
from appliance.api.machine_pb2 import MachineView as MachineView
from appliance.api.machine_pb2 import Problem as Problem
from appliance.api.machine_pb2 import NetworkAddress as NetworkAddress
from appliance.api.machine_pb2 import AcceleratorCard as AcceleratorCard
from appliance.api.machine_pb2 import CardReading as CardReading
from appliance.api.machine_pb2 import ShowSlotsRequest as ShowSlotsRequest
from appliance.api.machine_pb2 import SlotView as SlotView
from appliance.api.machine_pb2 import UpdateView as UpdateView
from appliance.api.machine_pb2 import SlotsView as SlotsView
from appliance.api.machine_pb2 import UploadBundleRequest as UploadBundleRequest
from appliance.api.machine_pb2 import UploadBundleReply as UploadBundleReply
from appliance.api.machine_pb2 import CheckUpdateRequest as CheckUpdateRequest
from appliance.api.machine_pb2 import CheckUpdateReply as CheckUpdateReply
from appliance.api.machine_pb2 import InstallUpdateRequest as InstallUpdateRequest
from appliance.api.machine_pb2 import UpdateProgress as UpdateProgress
from appliance.api.machine_pb2 import CancelUpdateRequest as CancelUpdateRequest
from appliance.api.machine_pb2 import SetSourceRequest as SetSourceRequest
from appliance.api.machine_pb2 import StartOtherSlotRequest as StartOtherSlotRequest
from appliance.api.machine_pb2 import ShowHardeningRequest as ShowHardeningRequest
from appliance.api.machine_pb2 import Hardening as Hardening
from appliance.api.machine_pb2 import ControlFinding as ControlFinding

DESCRIPTOR: _descriptor.FileDescriptor

class ShowNodeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NodeView(_message.Message):
    __slots__ = ("node_id", "name", "version", "address", "state_folder", "certificate_expires_milliseconds", "confinement", "peer_count", "dataset_count", "waiting_count", "operators_address", "operator_count", "is_development", "is_key_sealed", "account_count")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FOLDER_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_EXPIRES_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    CONFINEMENT_FIELD_NUMBER: _ClassVar[int]
    PEER_COUNT_FIELD_NUMBER: _ClassVar[int]
    DATASET_COUNT_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNT_FIELD_NUMBER: _ClassVar[int]
    OPERATORS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_DEVELOPMENT_FIELD_NUMBER: _ClassVar[int]
    IS_KEY_SEALED_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_COUNT_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    name: str
    version: str
    address: str
    state_folder: str
    certificate_expires_milliseconds: int
    confinement: _containers.RepeatedScalarFieldContainer[str]
    peer_count: int
    dataset_count: int
    waiting_count: int
    operators_address: str
    operator_count: int
    is_development: bool
    is_key_sealed: bool
    account_count: int
    def __init__(self, node_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., address: _Optional[str] = ..., state_folder: _Optional[str] = ..., certificate_expires_milliseconds: _Optional[int] = ..., confinement: _Optional[_Iterable[str]] = ..., peer_count: _Optional[int] = ..., dataset_count: _Optional[int] = ..., waiting_count: _Optional[int] = ..., operators_address: _Optional[str] = ..., operator_count: _Optional[int] = ..., is_development: _Optional[bool] = ..., is_key_sealed: _Optional[bool] = ..., account_count: _Optional[int] = ...) -> None: ...

class ShowSetUpCodeRequest(_message.Message):
    __slots__ = ("renew",)
    RENEW_FIELD_NUMBER: _ClassVar[int]
    renew: bool
    def __init__(self, renew: _Optional[bool] = ...) -> None: ...

class SetUpCode(_message.Message):
    __slots__ = ("words", "address", "expires_milliseconds", "wrong_codes")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    WRONG_CODES_FIELD_NUMBER: _ClassVar[int]
    words: str
    address: str
    expires_milliseconds: int
    wrong_codes: int
    def __init__(self, words: _Optional[str] = ..., address: _Optional[str] = ..., expires_milliseconds: _Optional[int] = ..., wrong_codes: _Optional[int] = ...) -> None: ...

class Operator(_message.Message):
    __slots__ = ("name", "id", "enrolled_milliseconds", "last_seen_milliseconds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    id: str
    enrolled_milliseconds: int
    last_seen_milliseconds: int
    def __init__(self, name: _Optional[str] = ..., id: _Optional[str] = ..., enrolled_milliseconds: _Optional[int] = ..., last_seen_milliseconds: _Optional[int] = ...) -> None: ...

class ListOperatorsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListOperatorsReply(_message.Message):
    __slots__ = ("operators",)
    OPERATORS_FIELD_NUMBER: _ClassVar[int]
    operators: _containers.RepeatedCompositeFieldContainer[Operator]
    def __init__(self, operators: _Optional[_Iterable[_Union[Operator, _Mapping]]] = ...) -> None: ...

class RemoveOperatorRequest(_message.Message):
    __slots__ = ("operator",)
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    operator: str
    def __init__(self, operator: _Optional[str] = ...) -> None: ...

class ListServicesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListServicesReply(_message.Message):
    __slots__ = ("services",)
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[ServiceView]
    def __init__(self, services: _Optional[_Iterable[_Union[ServiceView, _Mapping]]] = ...) -> None: ...

class ServiceView(_message.Message):
    __slots__ = ("name", "version", "title", "adversary", "roles", "outputs", "parameters_schema", "fewest_parties", "most_parties")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ADVERSARY_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    FEWEST_PARTIES_FIELD_NUMBER: _ClassVar[int]
    MOST_PARTIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    title: str
    adversary: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    outputs: _containers.RepeatedScalarFieldContainer[str]
    parameters_schema: str
    fewest_parties: int
    most_parties: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., title: _Optional[str] = ..., adversary: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., outputs: _Optional[_Iterable[str]] = ..., parameters_schema: _Optional[str] = ..., fewest_parties: _Optional[int] = ..., most_parties: _Optional[int] = ...) -> None: ...

class InviteRequest(_message.Message):
    __slots__ = ("host",)
    HOST_FIELD_NUMBER: _ClassVar[int]
    host: str
    def __init__(self, host: _Optional[str] = ...) -> None: ...

class Invitation(_message.Message):
    __slots__ = ("id", "text", "words", "address", "expires_milliseconds", "state", "wrong_codes")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WRONG_CODES_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    words: str
    address: str
    expires_milliseconds: int
    state: str
    wrong_codes: int
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., words: _Optional[str] = ..., address: _Optional[str] = ..., expires_milliseconds: _Optional[int] = ..., state: _Optional[str] = ..., wrong_codes: _Optional[int] = ...) -> None: ...

class ListInvitationsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListInvitationsReply(_message.Message):
    __slots__ = ("invitations",)
    INVITATIONS_FIELD_NUMBER: _ClassVar[int]
    invitations: _containers.RepeatedCompositeFieldContainer[Invitation]
    def __init__(self, invitations: _Optional[_Iterable[_Union[Invitation, _Mapping]]] = ...) -> None: ...

class WithdrawInvitationRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class AcceptRequest(_message.Message):
    __slots__ = ("invitation",)
    INVITATION_FIELD_NUMBER: _ClassVar[int]
    invitation: str
    def __init__(self, invitation: _Optional[str] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("node_id", "name", "address", "state", "authentication_string", "confirmed_here", "confirmed_there", "reachable", "trouble", "remedy", "version", "last_seen_milliseconds", "outbox_count", "ended", "former_address")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    AUTHENTICATION_STRING_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_HERE_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_THERE_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    TROUBLE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    FORMER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    name: str
    address: str
    state: str
    authentication_string: str
    confirmed_here: bool
    confirmed_there: bool
    reachable: bool
    trouble: str
    remedy: str
    version: str
    last_seen_milliseconds: int
    outbox_count: int
    ended: str
    former_address: str
    def __init__(self, node_id: _Optional[str] = ..., name: _Optional[str] = ..., address: _Optional[str] = ..., state: _Optional[str] = ..., authentication_string: _Optional[str] = ..., confirmed_here: _Optional[bool] = ..., confirmed_there: _Optional[bool] = ..., reachable: _Optional[bool] = ..., trouble: _Optional[str] = ..., remedy: _Optional[str] = ..., version: _Optional[str] = ..., last_seen_milliseconds: _Optional[int] = ..., outbox_count: _Optional[int] = ..., ended: _Optional[str] = ..., former_address: _Optional[str] = ...) -> None: ...

class ConfirmRequest(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: str
    def __init__(self, peer: _Optional[str] = ...) -> None: ...

class RejectRequest(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: str
    def __init__(self, peer: _Optional[str] = ...) -> None: ...

class ListPeersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPeersReply(_message.Message):
    __slots__ = ("peers",)
    PEERS_FIELD_NUMBER: _ClassVar[int]
    peers: _containers.RepeatedCompositeFieldContainer[Peer]
    def __init__(self, peers: _Optional[_Iterable[_Union[Peer, _Mapping]]] = ...) -> None: ...

class GetPeerRequest(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: str
    def __init__(self, peer: _Optional[str] = ...) -> None: ...

class MovePeerRequest(_message.Message):
    __slots__ = ("peer", "address")
    PEER_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    peer: str
    address: str
    def __init__(self, peer: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class UnpairRequest(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: str
    def __init__(self, peer: _Optional[str] = ...) -> None: ...

class ForgetPeerRequest(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: str
    def __init__(self, peer: _Optional[str] = ...) -> None: ...

class AddDatasetRequest(_message.Message):
    __slots__ = ("name", "path", "query", "key", "normal_form", "replace")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NORMAL_FORM_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    name: str
    path: str
    query: str
    key: _containers.RepeatedScalarFieldContainer[str]
    normal_form: _containers.RepeatedScalarFieldContainer[str]
    replace: bool
    def __init__(self, name: _Optional[str] = ..., path: _Optional[str] = ..., query: _Optional[str] = ..., key: _Optional[_Iterable[str]] = ..., normal_form: _Optional[_Iterable[str]] = ..., replace: _Optional[bool] = ...) -> None: ...

class UploadTableRequest(_message.Message):
    __slots__ = ("name", "suffix", "size_bytes", "chunk")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUFFIX_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    name: str
    suffix: str
    size_bytes: int
    chunk: bytes
    def __init__(self, name: _Optional[str] = ..., suffix: _Optional[str] = ..., size_bytes: _Optional[int] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class UploadTableReply(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class ColumnView(_message.Message):
    __slots__ = ("name", "type", "null_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NULL_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    null_count: int
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., null_count: _Optional[int] = ...) -> None: ...

class Dataset(_message.Message):
    __slots__ = ("name", "peer_id", "peer_name", "source", "columns", "key", "normal_form", "row_count", "null_key_count", "duplicate_key_count", "fingerprint", "publications", "added_milliseconds", "is_bound", "payload")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    PEER_NAME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NORMAL_FORM_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    NULL_KEY_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_KEY_COUNT_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    PUBLICATIONS_FIELD_NUMBER: _ClassVar[int]
    ADDED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    IS_BOUND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    name: str
    peer_id: str
    peer_name: str
    source: str
    columns: _containers.RepeatedCompositeFieldContainer[ColumnView]
    key: _containers.RepeatedScalarFieldContainer[str]
    normal_form: _containers.RepeatedScalarFieldContainer[str]
    row_count: int
    null_key_count: int
    duplicate_key_count: int
    fingerprint: str
    publications: _containers.RepeatedCompositeFieldContainer[Publication]
    added_milliseconds: int
    is_bound: bool
    payload: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., peer_id: _Optional[str] = ..., peer_name: _Optional[str] = ..., source: _Optional[str] = ..., columns: _Optional[_Iterable[_Union[ColumnView, _Mapping]]] = ..., key: _Optional[_Iterable[str]] = ..., normal_form: _Optional[_Iterable[str]] = ..., row_count: _Optional[int] = ..., null_key_count: _Optional[int] = ..., duplicate_key_count: _Optional[int] = ..., fingerprint: _Optional[str] = ..., publications: _Optional[_Iterable[_Union[Publication, _Mapping]]] = ..., added_milliseconds: _Optional[int] = ..., is_bound: _Optional[bool] = ..., payload: _Optional[_Iterable[str]] = ...) -> None: ...

class Publication(_message.Message):
    __slots__ = ("peer", "payload", "rows_up_to")
    PEER_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ROWS_UP_TO_FIELD_NUMBER: _ClassVar[int]
    peer: str
    payload: _containers.RepeatedScalarFieldContainer[str]
    rows_up_to: int
    def __init__(self, peer: _Optional[str] = ..., payload: _Optional[_Iterable[str]] = ..., rows_up_to: _Optional[int] = ...) -> None: ...

class ListDatasetsRequest(_message.Message):
    __slots__ = ("peers",)
    PEERS_FIELD_NUMBER: _ClassVar[int]
    peers: bool
    def __init__(self, peers: _Optional[bool] = ...) -> None: ...

class ListDatasetsReply(_message.Message):
    __slots__ = ("datasets",)
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    datasets: _containers.RepeatedCompositeFieldContainer[Dataset]
    def __init__(self, datasets: _Optional[_Iterable[_Union[Dataset, _Mapping]]] = ...) -> None: ...

class GetDatasetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class PublishDatasetRequest(_message.Message):
    __slots__ = ("name", "peers", "payload", "rows_up_to")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ROWS_UP_TO_FIELD_NUMBER: _ClassVar[int]
    name: str
    peers: _containers.RepeatedScalarFieldContainer[str]
    payload: _containers.RepeatedScalarFieldContainer[str]
    rows_up_to: int
    def __init__(self, name: _Optional[str] = ..., peers: _Optional[_Iterable[str]] = ..., payload: _Optional[_Iterable[str]] = ..., rows_up_to: _Optional[int] = ...) -> None: ...

class WithdrawDatasetRequest(_message.Message):
    __slots__ = ("name", "peers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    peers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., peers: _Optional[_Iterable[str]] = ...) -> None: ...

class RemoveDatasetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class RemoveDatasetReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
