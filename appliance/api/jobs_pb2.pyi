from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitParty(_message.Message):
    __slots__ = ("node", "dataset", "role", "receives")
    NODE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    RECEIVES_FIELD_NUMBER: _ClassVar[int]
    node: str
    dataset: str
    role: str
    receives: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, node: _Optional[str] = ..., dataset: _Optional[str] = ..., role: _Optional[str] = ..., receives: _Optional[_Iterable[str]] = ...) -> None: ...

class SubmitJobRequest(_message.Message):
    __slots__ = ("service", "parameters", "parties", "grace_seconds", "most_seconds")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    GRACE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MOST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    service: str
    parameters: str
    parties: _containers.RepeatedCompositeFieldContainer[SubmitParty]
    grace_seconds: int
    most_seconds: int
    def __init__(self, service: _Optional[str] = ..., parameters: _Optional[str] = ..., parties: _Optional[_Iterable[_Union[SubmitParty, _Mapping]]] = ..., grace_seconds: _Optional[int] = ..., most_seconds: _Optional[int] = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("waiting", "after", "most")
    WAITING_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    waiting: bool
    after: str
    most: int
    def __init__(self, waiting: _Optional[bool] = ..., after: _Optional[str] = ..., most: _Optional[int] = ...) -> None: ...

class ListJobsReply(_message.Message):
    __slots__ = ("jobs", "more")
    JOBS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    more: bool
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("id", "language")
    ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    language: str
    def __init__(self, id: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

class ApproveJobRequest(_message.Message):
    __slots__ = ("id", "digest")
    ID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    id: str
    digest: str
    def __init__(self, id: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class RejectJobRequest(_message.Message):
    __slots__ = ("id", "note")
    ID_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    id: str
    note: str
    def __init__(self, id: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class WatchJobRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetResultRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class JobParty(_message.Message):
    __slots__ = ("rank", "name", "node_id", "role", "dataset", "row_count", "receives", "signed", "verdict", "reason", "here", "is_bound")
    RANK_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECEIVES_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    HERE_FIELD_NUMBER: _ClassVar[int]
    IS_BOUND_FIELD_NUMBER: _ClassVar[int]
    rank: int
    name: str
    node_id: str
    role: str
    dataset: str
    row_count: int
    receives: _containers.RepeatedScalarFieldContainer[str]
    signed: bool
    verdict: str
    reason: str
    here: bool
    is_bound: bool
    def __init__(self, rank: _Optional[int] = ..., name: _Optional[str] = ..., node_id: _Optional[str] = ..., role: _Optional[str] = ..., dataset: _Optional[str] = ..., row_count: _Optional[int] = ..., receives: _Optional[_Iterable[str]] = ..., signed: _Optional[bool] = ..., verdict: _Optional[str] = ..., reason: _Optional[str] = ..., here: _Optional[bool] = ..., is_bound: _Optional[bool] = ...) -> None: ...

class DisclosureLine(_message.Message):
    __slots__ = ("learner", "text", "about", "template", "values", "topic")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LEARNER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    learner: int
    text: str
    about: int
    template: str
    values: _containers.ScalarMap[str, str]
    topic: str
    def __init__(self, learner: _Optional[int] = ..., text: _Optional[str] = ..., about: _Optional[int] = ..., template: _Optional[str] = ..., values: _Optional[_Mapping[str, str]] = ..., topic: _Optional[str] = ...) -> None: ...

class StageView(_message.Message):
    __slots__ = ("name", "title")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class ProgressView(_message.Message):
    __slots__ = ("stage", "stage_title", "fraction", "rows_done", "rows_total", "bytes_sent", "bytes_received", "rounds", "remaining_seconds", "elapsed_seconds", "peers", "reconnecting")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STAGE_TITLE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    ROWS_DONE_FIELD_NUMBER: _ClassVar[int]
    ROWS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    BYTES_SENT_FIELD_NUMBER: _ClassVar[int]
    BYTES_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    RECONNECTING_FIELD_NUMBER: _ClassVar[int]
    stage: str
    stage_title: str
    fraction: float
    rows_done: int
    rows_total: int
    bytes_sent: int
    bytes_received: int
    rounds: int
    remaining_seconds: float
    elapsed_seconds: float
    peers: _containers.RepeatedCompositeFieldContainer[PeerProgress]
    reconnecting: bool
    def __init__(self, stage: _Optional[str] = ..., stage_title: _Optional[str] = ..., fraction: _Optional[float] = ..., rows_done: _Optional[int] = ..., rows_total: _Optional[int] = ..., bytes_sent: _Optional[int] = ..., bytes_received: _Optional[int] = ..., rounds: _Optional[int] = ..., remaining_seconds: _Optional[float] = ..., elapsed_seconds: _Optional[float] = ..., peers: _Optional[_Iterable[_Union[PeerProgress, _Mapping]]] = ..., reconnecting: _Optional[bool] = ...) -> None: ...

class PeerProgress(_message.Message):
    __slots__ = ("rank", "stage_title", "fraction")
    RANK_FIELD_NUMBER: _ClassVar[int]
    STAGE_TITLE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    rank: int
    stage_title: str
    fraction: float
    def __init__(self, rank: _Optional[int] = ..., stage_title: _Optional[str] = ..., fraction: _Optional[float] = ...) -> None: ...

class JobEventView(_message.Message):
    __slots__ = ("at_milliseconds", "state", "text")
    AT_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    at_milliseconds: int
    state: str
    text: str
    def __init__(self, at_milliseconds: _Optional[int] = ..., state: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("id", "service", "service_title", "adversary", "state", "ended", "parameters", "parties", "disclosure", "digest", "record", "cause", "remedy", "progress", "events", "summary", "created_milliseconds", "expires_milliseconds", "stages", "contract", "caution", "grace_seconds", "most_seconds", "attempt", "approvals", "approvals_needed")
    class SummaryEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_TITLE_FIELD_NUMBER: _ClassVar[int]
    ADVERSARY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    CREATED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    CAUTION_FIELD_NUMBER: _ClassVar[int]
    GRACE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MOST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    APPROVALS_FIELD_NUMBER: _ClassVar[int]
    APPROVALS_NEEDED_FIELD_NUMBER: _ClassVar[int]
    id: str
    service: str
    service_title: str
    adversary: str
    state: str
    ended: bool
    parameters: str
    parties: _containers.RepeatedCompositeFieldContainer[JobParty]
    disclosure: _containers.RepeatedCompositeFieldContainer[DisclosureLine]
    digest: str
    record: str
    cause: str
    remedy: str
    progress: ProgressView
    events: _containers.RepeatedCompositeFieldContainer[JobEventView]
    summary: _containers.ScalarMap[str, int]
    created_milliseconds: int
    expires_milliseconds: int
    stages: _containers.RepeatedCompositeFieldContainer[StageView]
    contract: str
    caution: str
    grace_seconds: int
    most_seconds: int
    attempt: int
    approvals: _containers.RepeatedCompositeFieldContainer[JobApproval]
    approvals_needed: int
    def __init__(self, id: _Optional[str] = ..., service: _Optional[str] = ..., service_title: _Optional[str] = ..., adversary: _Optional[str] = ..., state: _Optional[str] = ..., ended: _Optional[bool] = ..., parameters: _Optional[str] = ..., parties: _Optional[_Iterable[_Union[JobParty, _Mapping]]] = ..., disclosure: _Optional[_Iterable[_Union[DisclosureLine, _Mapping]]] = ..., digest: _Optional[str] = ..., record: _Optional[str] = ..., cause: _Optional[str] = ..., remedy: _Optional[str] = ..., progress: _Optional[_Union[ProgressView, _Mapping]] = ..., events: _Optional[_Iterable[_Union[JobEventView, _Mapping]]] = ..., summary: _Optional[_Mapping[str, int]] = ..., created_milliseconds: _Optional[int] = ..., expires_milliseconds: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[StageView, _Mapping]]] = ..., contract: _Optional[str] = ..., caution: _Optional[str] = ..., grace_seconds: _Optional[int] = ..., most_seconds: _Optional[int] = ..., attempt: _Optional[int] = ..., approvals: _Optional[_Iterable[_Union[JobApproval, _Mapping]]] = ..., approvals_needed: _Optional[int] = ...) -> None: ...

class JobApproval(_message.Message):
    __slots__ = ("name", "at_milliseconds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AT_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    at_milliseconds: int
    def __init__(self, name: _Optional[str] = ..., at_milliseconds: _Optional[int] = ...) -> None: ...

class ReadResultRequest(_message.Message):
    __slots__ = ("id", "output")
    ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    id: str
    output: str
    def __init__(self, id: _Optional[str] = ..., output: _Optional[str] = ...) -> None: ...

class ResultChunk(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class JobResult(_message.Message):
    __slots__ = ("files", "row_counts")
    class FilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class RowCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    FILES_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNTS_FIELD_NUMBER: _ClassVar[int]
    files: _containers.ScalarMap[str, str]
    row_counts: _containers.ScalarMap[str, int]
    def __init__(self, files: _Optional[_Mapping[str, str]] = ..., row_counts: _Optional[_Mapping[str, int]] = ...) -> None: ...
