from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DraftPolicyRequest(_message.Message):
    __slots__ = ("dataset",)
    DATASET_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    def __init__(self, dataset: _Optional[str] = ...) -> None: ...

class CheckPolicyRequest(_message.Message):
    __slots__ = ("dataset", "text")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    text: str
    def __init__(self, dataset: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class ChangePolicyRequest(_message.Message):
    __slots__ = ("dataset", "text", "over")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OVER_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    text: str
    over: int
    def __init__(self, dataset: _Optional[str] = ..., text: _Optional[str] = ..., over: _Optional[int] = ...) -> None: ...

class ShowPolicyRequest(_message.Message):
    __slots__ = ("dataset", "version")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    version: int
    def __init__(self, dataset: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ListPolicyVersionsRequest(_message.Message):
    __slots__ = ("dataset",)
    DATASET_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    def __init__(self, dataset: _Optional[str] = ...) -> None: ...

class ListPolicyVersionsReply(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[Policy]
    def __init__(self, versions: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("dataset", "version", "text", "digest", "changed_by", "changed_milliseconds", "cautions", "stopped_jobs", "taken")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CHANGED_BY_FIELD_NUMBER: _ClassVar[int]
    CHANGED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    CAUTIONS_FIELD_NUMBER: _ClassVar[int]
    STOPPED_JOBS_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    version: int
    text: str
    digest: str
    changed_by: str
    changed_milliseconds: int
    cautions: _containers.RepeatedCompositeFieldContainer[PolicyCaution]
    stopped_jobs: _containers.RepeatedScalarFieldContainer[str]
    taken: PolicyTaken
    def __init__(self, dataset: _Optional[str] = ..., version: _Optional[int] = ..., text: _Optional[str] = ..., digest: _Optional[str] = ..., changed_by: _Optional[str] = ..., changed_milliseconds: _Optional[int] = ..., cautions: _Optional[_Iterable[_Union[PolicyCaution, _Mapping]]] = ..., stopped_jobs: _Optional[_Iterable[str]] = ..., taken: _Optional[_Union[PolicyTaken, _Mapping]] = ...) -> None: ...

class PolicyTaken(_message.Message):
    __slots__ = ("uses", "uses_today", "epsilon", "delta")
    USES_FIELD_NUMBER: _ClassVar[int]
    USES_TODAY_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    uses: int
    uses_today: int
    epsilon: str
    delta: str
    def __init__(self, uses: _Optional[int] = ..., uses_today: _Optional[int] = ..., epsilon: _Optional[str] = ..., delta: _Optional[str] = ...) -> None: ...

class PolicyCaution(_message.Message):
    __slots__ = ("doubt", "text", "remedy")
    DOUBT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    doubt: str
    text: str
    remedy: str
    def __init__(self, doubt: _Optional[str] = ..., text: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class IssueGrantRequest(_message.Message):
    __slots__ = ("dataset", "peers", "service", "uses", "expires_milliseconds")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    peers: _containers.RepeatedScalarFieldContainer[str]
    service: str
    uses: int
    expires_milliseconds: int
    def __init__(self, dataset: _Optional[str] = ..., peers: _Optional[_Iterable[str]] = ..., service: _Optional[str] = ..., uses: _Optional[int] = ..., expires_milliseconds: _Optional[int] = ...) -> None: ...

class ListGrantsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListGrantsReply(_message.Message):
    __slots__ = ("grants",)
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    def __init__(self, grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ...) -> None: ...

class RevokeGrantRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("id", "grantor", "grantees", "dataset", "service", "columns", "uses", "taken", "issued_milliseconds", "expires_milliseconds", "revoked_milliseconds", "stopped_jobs")
    ID_FIELD_NUMBER: _ClassVar[int]
    GRANTOR_FIELD_NUMBER: _ClassVar[int]
    GRANTEES_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    ISSUED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    REVOKED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    STOPPED_JOBS_FIELD_NUMBER: _ClassVar[int]
    id: str
    grantor: str
    grantees: _containers.RepeatedScalarFieldContainer[str]
    dataset: str
    service: str
    columns: _containers.RepeatedCompositeFieldContainer[GrantedColumn]
    uses: int
    taken: int
    issued_milliseconds: int
    expires_milliseconds: int
    revoked_milliseconds: int
    stopped_jobs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., grantor: _Optional[str] = ..., grantees: _Optional[_Iterable[str]] = ..., dataset: _Optional[str] = ..., service: _Optional[str] = ..., columns: _Optional[_Iterable[_Union[GrantedColumn, _Mapping]]] = ..., uses: _Optional[int] = ..., taken: _Optional[int] = ..., issued_milliseconds: _Optional[int] = ..., expires_milliseconds: _Optional[int] = ..., revoked_milliseconds: _Optional[int] = ..., stopped_jobs: _Optional[_Iterable[str]] = ...) -> None: ...

class GrantedColumn(_message.Message):
    __slots__ = ("name", "uses")
    NAME_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    name: str
    uses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., uses: _Optional[_Iterable[str]] = ...) -> None: ...

class ListEntriesRequest(_message.Message):
    __slots__ = ("most", "before", "kinds", "job")
    MOST_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    most: int
    before: int
    kinds: _containers.RepeatedScalarFieldContainer[str]
    job: str
    def __init__(self, most: _Optional[int] = ..., before: _Optional[int] = ..., kinds: _Optional[_Iterable[str]] = ..., job: _Optional[str] = ...) -> None: ...

class ListEntriesReply(_message.Message):
    __slots__ = ("entries", "more")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[LedgerEntry]
    more: bool
    def __init__(self, entries: _Optional[_Iterable[_Union[LedgerEntry, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class LedgerEntry(_message.Message):
    __slots__ = ("index", "at_milliseconds", "kind", "job", "actor", "facts")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    AT_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    index: int
    at_milliseconds: int
    kind: str
    job: str
    actor: str
    facts: str
    def __init__(self, index: _Optional[int] = ..., at_milliseconds: _Optional[int] = ..., kind: _Optional[str] = ..., job: _Optional[str] = ..., actor: _Optional[str] = ..., facts: _Optional[str] = ...) -> None: ...

class VerifyLedgerRequest(_message.Message):
    __slots__ = ("checkpoint",)
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    checkpoint: str
    def __init__(self, checkpoint: _Optional[str] = ...) -> None: ...

class VerifiedLedger(_message.Message):
    __slots__ = ("size", "root", "pruned_up_to", "checkpoints")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    PRUNED_UP_TO_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    size: int
    root: str
    pruned_up_to: int
    checkpoints: int
    def __init__(self, size: _Optional[int] = ..., root: _Optional[str] = ..., pruned_up_to: _Optional[int] = ..., checkpoints: _Optional[int] = ...) -> None: ...

class ShowCheckpointRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LedgerCheckpoint(_message.Message):
    __slots__ = ("note", "peers")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    note: str
    peers: _containers.RepeatedCompositeFieldContainer[LedgerAgreement]
    def __init__(self, note: _Optional[str] = ..., peers: _Optional[_Iterable[_Union[LedgerAgreement, _Mapping]]] = ...) -> None: ...

class LedgerAgreement(_message.Message):
    __slots__ = ("peer", "peer_id", "shown", "signed", "theirs", "forks")
    PEER_FIELD_NUMBER: _ClassVar[int]
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    THEIRS_FIELD_NUMBER: _ClassVar[int]
    FORKS_FIELD_NUMBER: _ClassVar[int]
    peer: str
    peer_id: str
    shown: int
    signed: int
    theirs: int
    forks: int
    def __init__(self, peer: _Optional[str] = ..., peer_id: _Optional[str] = ..., shown: _Optional[int] = ..., signed: _Optional[int] = ..., theirs: _Optional[int] = ..., forks: _Optional[int] = ...) -> None: ...

class ShowPeerCheckpointRequest(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: str
    def __init__(self, peer: _Optional[str] = ...) -> None: ...

class PeerCheckpoint(_message.Message):
    __slots__ = ("peer", "peer_id", "note", "size", "held_milliseconds", "forks")
    PEER_FIELD_NUMBER: _ClassVar[int]
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    HELD_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    FORKS_FIELD_NUMBER: _ClassVar[int]
    peer: str
    peer_id: str
    note: str
    size: int
    held_milliseconds: int
    forks: _containers.RepeatedCompositeFieldContainer[LedgerFork]
    def __init__(self, peer: _Optional[str] = ..., peer_id: _Optional[str] = ..., note: _Optional[str] = ..., size: _Optional[int] = ..., held_milliseconds: _Optional[int] = ..., forks: _Optional[_Iterable[_Union[LedgerFork, _Mapping]]] = ...) -> None: ...

class LedgerFork(_message.Message):
    __slots__ = ("held", "shown", "shown_milliseconds")
    HELD_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    SHOWN_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    held: str
    shown: str
    shown_milliseconds: int
    def __init__(self, held: _Optional[str] = ..., shown: _Optional[str] = ..., shown_milliseconds: _Optional[int] = ...) -> None: ...

class ExportEvidenceRequest(_message.Message):
    __slots__ = ("job", "alone", "entries")
    JOB_FIELD_NUMBER: _ClassVar[int]
    ALONE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    job: str
    alone: bool
    entries: EntryRange
    def __init__(self, job: _Optional[str] = ..., alone: _Optional[bool] = ..., entries: _Optional[_Union[EntryRange, _Mapping]] = ...) -> None: ...

class EntryRange(_message.Message):
    __slots__ = ("first", "last")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    first: int
    last: int
    def __init__(self, first: _Optional[int] = ..., last: _Optional[int] = ...) -> None: ...

class EvidenceChunk(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class PruneLedgerRequest(_message.Message):
    __slots__ = ("keep_days",)
    KEEP_DAYS_FIELD_NUMBER: _ClassVar[int]
    keep_days: int
    def __init__(self, keep_days: _Optional[int] = ...) -> None: ...

class ShowReceiverRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SetReceiverRequest(_message.Message):
    __slots__ = ("address", "authority")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    address: str
    authority: bytes
    def __init__(self, address: _Optional[str] = ..., authority: _Optional[bytes] = ...) -> None: ...

class LedgerReceiver(_message.Message):
    __slots__ = ("address", "authority_sha256", "set_by", "set_milliseconds", "sent", "size", "trouble")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_SHA256_FIELD_NUMBER: _ClassVar[int]
    SET_BY_FIELD_NUMBER: _ClassVar[int]
    SET_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    TROUBLE_FIELD_NUMBER: _ClassVar[int]
    address: str
    authority_sha256: str
    set_by: str
    set_milliseconds: int
    sent: int
    size: int
    trouble: str
    def __init__(self, address: _Optional[str] = ..., authority_sha256: _Optional[str] = ..., set_by: _Optional[str] = ..., set_milliseconds: _Optional[int] = ..., sent: _Optional[int] = ..., size: _Optional[int] = ..., trouble: _Optional[str] = ...) -> None: ...

class PrunedLedger(_message.Message):
    __slots__ = ("kept_from", "waits_for_export")
    KEPT_FROM_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_EXPORT_FIELD_NUMBER: _ClassVar[int]
    kept_from: int
    waits_for_export: bool
    def __init__(self, kept_from: _Optional[int] = ..., waits_for_export: _Optional[bool] = ...) -> None: ...
