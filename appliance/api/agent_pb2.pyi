from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ShowNodeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NodeView(_message.Message):
    __slots__ = ("node_id", "name", "version", "address", "state_folder", "certificate_expires_milliseconds", "confinement", "peer_count", "dataset_count", "waiting_count", "operators_address", "operator_count")
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
    def __init__(self, node_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., address: _Optional[str] = ..., state_folder: _Optional[str] = ..., certificate_expires_milliseconds: _Optional[int] = ..., confinement: _Optional[_Iterable[str]] = ..., peer_count: _Optional[int] = ..., dataset_count: _Optional[int] = ..., waiting_count: _Optional[int] = ..., operators_address: _Optional[str] = ..., operator_count: _Optional[int] = ...) -> None: ...

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

class ShowMachineRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ShowHardwareRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Hardware(_message.Message):
    __slots__ = ("maker", "model", "serial_number")
    MAKER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SERIAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    maker: str
    model: str
    serial_number: str
    def __init__(self, maker: _Optional[str] = ..., model: _Optional[str] = ..., serial_number: _Optional[str] = ...) -> None: ...

class RestartRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RestartReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PowerOffRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PowerOffReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NetworkInterface(_message.Message):
    __slots__ = ("name", "dhcp", "addresses", "gateways", "dns", "domains", "mtu_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DHCP_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    GATEWAYS_FIELD_NUMBER: _ClassVar[int]
    DNS_FIELD_NUMBER: _ClassVar[int]
    DOMAINS_FIELD_NUMBER: _ClassVar[int]
    MTU_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    dhcp: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    gateways: _containers.RepeatedScalarFieldContainer[str]
    dns: _containers.RepeatedScalarFieldContainer[str]
    domains: _containers.RepeatedScalarFieldContainer[str]
    mtu_bytes: int
    def __init__(self, name: _Optional[str] = ..., dhcp: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ..., gateways: _Optional[_Iterable[str]] = ..., dns: _Optional[_Iterable[str]] = ..., domains: _Optional[_Iterable[str]] = ..., mtu_bytes: _Optional[int] = ...) -> None: ...

class NetworkPlan(_message.Message):
    __slots__ = ("node_name", "interfaces")
    NODE_NAME_FIELD_NUMBER: _ClassVar[int]
    INTERFACES_FIELD_NUMBER: _ClassVar[int]
    node_name: str
    interfaces: _containers.RepeatedCompositeFieldContainer[NetworkInterface]
    def __init__(self, node_name: _Optional[str] = ..., interfaces: _Optional[_Iterable[_Union[NetworkInterface, _Mapping]]] = ...) -> None: ...

class ShowNetworkRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NetworkView(_message.Message):
    __slots__ = ("kept", "trial", "trial_seconds", "interfaces")
    KEPT_FIELD_NUMBER: _ClassVar[int]
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    TRIAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    INTERFACES_FIELD_NUMBER: _ClassVar[int]
    kept: NetworkPlan
    trial: NetworkPlan
    trial_seconds: int
    interfaces: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kept: _Optional[_Union[NetworkPlan, _Mapping]] = ..., trial: _Optional[_Union[NetworkPlan, _Mapping]] = ..., trial_seconds: _Optional[int] = ..., interfaces: _Optional[_Iterable[str]] = ...) -> None: ...

class SetNetworkRequest(_message.Message):
    __slots__ = ("plan", "confirm_within_seconds")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_WITHIN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    plan: NetworkPlan
    confirm_within_seconds: int
    def __init__(self, plan: _Optional[_Union[NetworkPlan, _Mapping]] = ..., confirm_within_seconds: _Optional[int] = ...) -> None: ...

class ConfirmNetworkRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TimeServer(_message.Message):
    __slots__ = ("name", "nts")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    nts: bool
    def __init__(self, name: _Optional[str] = ..., nts: _Optional[bool] = ...) -> None: ...

class ShowTimeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TimeView(_message.Message):
    __slots__ = ("servers", "is_synchronised", "most_off_seconds", "now_milliseconds")
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    IS_SYNCHRONISED_FIELD_NUMBER: _ClassVar[int]
    MOST_OFF_SECONDS_FIELD_NUMBER: _ClassVar[int]
    NOW_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    servers: _containers.RepeatedCompositeFieldContainer[TimeServer]
    is_synchronised: bool
    most_off_seconds: float
    now_milliseconds: int
    def __init__(self, servers: _Optional[_Iterable[_Union[TimeServer, _Mapping]]] = ..., is_synchronised: _Optional[bool] = ..., most_off_seconds: _Optional[float] = ..., now_milliseconds: _Optional[int] = ...) -> None: ...

class SetTimeServersRequest(_message.Message):
    __slots__ = ("servers",)
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    servers: _containers.RepeatedCompositeFieldContainer[TimeServer]
    def __init__(self, servers: _Optional[_Iterable[_Union[TimeServer, _Mapping]]] = ...) -> None: ...

class ListDisksRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Disk(_message.Message):
    __slots__ = ("name", "model", "size_bytes", "rotates", "is_removable")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ROTATES_FIELD_NUMBER: _ClassVar[int]
    IS_REMOVABLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    model: str
    size_bytes: int
    rotates: bool
    is_removable: bool
    def __init__(self, name: _Optional[str] = ..., model: _Optional[str] = ..., size_bytes: _Optional[int] = ..., rotates: _Optional[bool] = ..., is_removable: _Optional[bool] = ...) -> None: ...

class Filesystem(_message.Message):
    __slots__ = ("place", "kind", "size_bytes", "free_bytes", "is_read_only")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    IS_READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    place: str
    kind: str
    size_bytes: int
    free_bytes: int
    is_read_only: bool
    def __init__(self, place: _Optional[str] = ..., kind: _Optional[str] = ..., size_bytes: _Optional[int] = ..., free_bytes: _Optional[int] = ..., is_read_only: _Optional[bool] = ...) -> None: ...

class ListDisksReply(_message.Message):
    __slots__ = ("disks", "filesystems")
    DISKS_FIELD_NUMBER: _ClassVar[int]
    FILESYSTEMS_FIELD_NUMBER: _ClassVar[int]
    disks: _containers.RepeatedCompositeFieldContainer[Disk]
    filesystems: _containers.RepeatedCompositeFieldContainer[Filesystem]
    def __init__(self, disks: _Optional[_Iterable[_Union[Disk, _Mapping]]] = ..., filesystems: _Optional[_Iterable[_Union[Filesystem, _Mapping]]] = ...) -> None: ...

class ShowDiskKeysRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DiskKeys(_message.Message):
    __slots__ = ("kinds",)
    KINDS_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kinds: _Optional[_Iterable[str]] = ...) -> None: ...

class AddRecoveryKeyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RecoveryKey(_message.Message):
    __slots__ = ("recovery_key",)
    RECOVERY_KEY_FIELD_NUMBER: _ClassVar[int]
    recovery_key: str
    def __init__(self, recovery_key: _Optional[str] = ...) -> None: ...

class BindDiskRequest(_message.Message):
    __slots__ = ("recovery_key",)
    RECOVERY_KEY_FIELD_NUMBER: _ClassVar[int]
    recovery_key: str
    def __init__(self, recovery_key: _Optional[str] = ...) -> None: ...

class FactoryResetRequest(_message.Message):
    __slots__ = ("serial_number",)
    SERIAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    serial_number: str
    def __init__(self, serial_number: _Optional[str] = ...) -> None: ...

class FactoryResetReply(_message.Message):
    __slots__ = ("tpm_cleared",)
    TPM_CLEARED_FIELD_NUMBER: _ClassVar[int]
    tpm_cleared: bool
    def __init__(self, tpm_cleared: _Optional[bool] = ...) -> None: ...

class WriteSupportBundleRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BundleChunk(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class ReadLogRequest(_message.Message):
    __slots__ = ("unit", "since_seconds", "lines")
    UNIT_FIELD_NUMBER: _ClassVar[int]
    SINCE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    unit: str
    since_seconds: int
    lines: int
    def __init__(self, unit: _Optional[str] = ..., since_seconds: _Optional[int] = ..., lines: _Optional[int] = ...) -> None: ...

class LogEntry(_message.Message):
    __slots__ = ("milliseconds", "source", "priority", "text")
    MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    milliseconds: int
    source: str
    priority: int
    text: str
    def __init__(self, milliseconds: _Optional[int] = ..., source: _Optional[str] = ..., priority: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class Log(_message.Message):
    __slots__ = ("entries", "is_cut")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    IS_CUT_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[LogEntry]
    is_cut: bool
    def __init__(self, entries: _Optional[_Iterable[_Union[LogEntry, _Mapping]]] = ..., is_cut: _Optional[bool] = ...) -> None: ...

class MachineView(_message.Message):
    __slots__ = ("is_appliance", "image_version", "kernel", "secure_boot", "lockdown", "requires_signed_modules", "usr_root_hash", "usr_is_read_only", "var_is_encrypted", "pcrs", "taint", "problems", "cores", "busy_fraction", "memory_bytes", "memory_free_bytes", "disk_bytes", "disk_free_bytes", "up_seconds", "addresses", "cards")
    class PcrsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: str
        def __init__(self, key: _Optional[int] = ..., value: _Optional[str] = ...) -> None: ...
    IS_APPLIANCE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_VERSION_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    SECURE_BOOT_FIELD_NUMBER: _ClassVar[int]
    LOCKDOWN_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_SIGNED_MODULES_FIELD_NUMBER: _ClassVar[int]
    USR_ROOT_HASH_FIELD_NUMBER: _ClassVar[int]
    USR_IS_READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    VAR_IS_ENCRYPTED_FIELD_NUMBER: _ClassVar[int]
    PCRS_FIELD_NUMBER: _ClassVar[int]
    TAINT_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    CORES_FIELD_NUMBER: _ClassVar[int]
    BUSY_FRACTION_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    UP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    CARDS_FIELD_NUMBER: _ClassVar[int]
    is_appliance: bool
    image_version: str
    kernel: str
    secure_boot: bool
    lockdown: str
    requires_signed_modules: bool
    usr_root_hash: str
    usr_is_read_only: bool
    var_is_encrypted: bool
    pcrs: _containers.ScalarMap[int, str]
    taint: int
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    cores: int
    busy_fraction: float
    memory_bytes: int
    memory_free_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    up_seconds: float
    addresses: _containers.RepeatedCompositeFieldContainer[NetworkAddress]
    cards: _containers.RepeatedCompositeFieldContainer[AcceleratorCard]
    def __init__(self, is_appliance: _Optional[bool] = ..., image_version: _Optional[str] = ..., kernel: _Optional[str] = ..., secure_boot: _Optional[bool] = ..., lockdown: _Optional[str] = ..., requires_signed_modules: _Optional[bool] = ..., usr_root_hash: _Optional[str] = ..., usr_is_read_only: _Optional[bool] = ..., var_is_encrypted: _Optional[bool] = ..., pcrs: _Optional[_Mapping[int, str]] = ..., taint: _Optional[int] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., cores: _Optional[int] = ..., busy_fraction: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., memory_free_bytes: _Optional[int] = ..., disk_bytes: _Optional[int] = ..., disk_free_bytes: _Optional[int] = ..., up_seconds: _Optional[float] = ..., addresses: _Optional[_Iterable[_Union[NetworkAddress, _Mapping]]] = ..., cards: _Optional[_Iterable[_Union[AcceleratorCard, _Mapping]]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("what", "remedy")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    what: str
    remedy: str
    def __init__(self, what: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class NetworkAddress(_message.Message):
    __slots__ = ("interface", "address")
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    interface: str
    address: str
    def __init__(self, interface: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class AcceleratorCard(_message.Message):
    __slots__ = ("address", "title", "driver", "speeds_up", "problems", "readings")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DRIVER_FIELD_NUMBER: _ClassVar[int]
    SPEEDS_UP_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    READINGS_FIELD_NUMBER: _ClassVar[int]
    address: str
    title: str
    driver: str
    speeds_up: _containers.RepeatedScalarFieldContainer[str]
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    readings: _containers.RepeatedCompositeFieldContainer[CardReading]
    def __init__(self, address: _Optional[str] = ..., title: _Optional[str] = ..., driver: _Optional[str] = ..., speeds_up: _Optional[_Iterable[str]] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., readings: _Optional[_Iterable[_Union[CardReading, _Mapping]]] = ...) -> None: ...

class CardReading(_message.Message):
    __slots__ = ("metric", "value", "health")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    metric: str
    value: float
    health: str
    def __init__(self, metric: _Optional[str] = ..., value: _Optional[float] = ..., health: _Optional[str] = ...) -> None: ...

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
    __slots__ = ()
    def __init__(self) -> None: ...

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
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("learner", "text")
    LEARNER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    learner: int
    text: str
    def __init__(self, learner: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("id", "service", "service_title", "adversary", "state", "ended", "parameters", "parties", "disclosure", "digest", "record", "cause", "remedy", "progress", "events", "summary", "created_milliseconds", "expires_milliseconds", "stages", "contract", "caution", "grace_seconds", "most_seconds", "attempt")
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
    def __init__(self, id: _Optional[str] = ..., service: _Optional[str] = ..., service_title: _Optional[str] = ..., adversary: _Optional[str] = ..., state: _Optional[str] = ..., ended: _Optional[bool] = ..., parameters: _Optional[str] = ..., parties: _Optional[_Iterable[_Union[JobParty, _Mapping]]] = ..., disclosure: _Optional[_Iterable[_Union[DisclosureLine, _Mapping]]] = ..., digest: _Optional[str] = ..., record: _Optional[str] = ..., cause: _Optional[str] = ..., remedy: _Optional[str] = ..., progress: _Optional[_Union[ProgressView, _Mapping]] = ..., events: _Optional[_Iterable[_Union[JobEventView, _Mapping]]] = ..., summary: _Optional[_Mapping[str, int]] = ..., created_milliseconds: _Optional[int] = ..., expires_milliseconds: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[StageView, _Mapping]]] = ..., contract: _Optional[str] = ..., caution: _Optional[str] = ..., grace_seconds: _Optional[int] = ..., most_seconds: _Optional[int] = ..., attempt: _Optional[int] = ...) -> None: ...

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

class ShowSlotsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SlotView(_message.Message):
    __slots__ = ("version", "is_running", "has_kernel", "tries_left")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    HAS_KERNEL_FIELD_NUMBER: _ClassVar[int]
    TRIES_LEFT_FIELD_NUMBER: _ClassVar[int]
    version: str
    is_running: bool
    has_kernel: bool
    tries_left: int
    def __init__(self, version: _Optional[str] = ..., is_running: _Optional[bool] = ..., has_kernel: _Optional[bool] = ..., tries_left: _Optional[int] = ...) -> None: ...

class UpdateView(_message.Message):
    __slots__ = ("version", "replaced", "state", "reason", "remedy", "began_milliseconds")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    BEGAN_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    version: str
    replaced: str
    state: str
    reason: str
    remedy: str
    began_milliseconds: int
    def __init__(self, version: _Optional[str] = ..., replaced: _Optional[str] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., remedy: _Optional[str] = ..., began_milliseconds: _Optional[int] = ...) -> None: ...

class SlotsView(_message.Message):
    __slots__ = ("version", "slots", "update", "floor", "source", "incoming_sha256", "incoming_size_bytes", "incoming_bytes")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    INCOMING_SHA256_FIELD_NUMBER: _ClassVar[int]
    INCOMING_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    INCOMING_BYTES_FIELD_NUMBER: _ClassVar[int]
    version: str
    slots: _containers.RepeatedCompositeFieldContainer[SlotView]
    update: UpdateView
    floor: str
    source: str
    incoming_sha256: str
    incoming_size_bytes: int
    incoming_bytes: int
    def __init__(self, version: _Optional[str] = ..., slots: _Optional[_Iterable[_Union[SlotView, _Mapping]]] = ..., update: _Optional[_Union[UpdateView, _Mapping]] = ..., floor: _Optional[str] = ..., source: _Optional[str] = ..., incoming_sha256: _Optional[str] = ..., incoming_size_bytes: _Optional[int] = ..., incoming_bytes: _Optional[int] = ...) -> None: ...

class UploadBundleRequest(_message.Message):
    __slots__ = ("size_bytes", "sha256", "offset", "chunk")
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    size_bytes: int
    sha256: str
    offset: int
    chunk: bytes
    def __init__(self, size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., offset: _Optional[int] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class UploadBundleReply(_message.Message):
    __slots__ = ("incoming_bytes",)
    INCOMING_BYTES_FIELD_NUMBER: _ClassVar[int]
    incoming_bytes: int
    def __init__(self, incoming_bytes: _Optional[int] = ...) -> None: ...

class CheckUpdateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CheckUpdateReply(_message.Message):
    __slots__ = ("version", "size_bytes", "created_milliseconds")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    version: str
    size_bytes: int
    created_milliseconds: int
    def __init__(self, version: _Optional[str] = ..., size_bytes: _Optional[int] = ..., created_milliseconds: _Optional[int] = ...) -> None: ...

class InstallUpdateRequest(_message.Message):
    __slots__ = ("fetch",)
    FETCH_FIELD_NUMBER: _ClassVar[int]
    fetch: bool
    def __init__(self, fetch: _Optional[bool] = ...) -> None: ...

class UpdateProgress(_message.Message):
    __slots__ = ("stage", "done_bytes", "total_bytes", "version")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DONE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    stage: str
    done_bytes: int
    total_bytes: int
    version: str
    def __init__(self, stage: _Optional[str] = ..., done_bytes: _Optional[int] = ..., total_bytes: _Optional[int] = ..., version: _Optional[str] = ...) -> None: ...

class CancelUpdateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SetSourceRequest(_message.Message):
    __slots__ = ("url", "authority")
    URL_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    url: str
    authority: str
    def __init__(self, url: _Optional[str] = ..., authority: _Optional[str] = ...) -> None: ...

class StartOtherSlotRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
