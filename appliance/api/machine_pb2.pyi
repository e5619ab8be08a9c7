from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

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
    __slots__ = ("servers", "is_synchronised", "now_milliseconds")
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    IS_SYNCHRONISED_FIELD_NUMBER: _ClassVar[int]
    NOW_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    servers: _containers.RepeatedCompositeFieldContainer[TimeServer]
    is_synchronised: bool
    now_milliseconds: int
    def __init__(self, servers: _Optional[_Iterable[_Union[TimeServer, _Mapping]]] = ..., is_synchronised: _Optional[bool] = ..., now_milliseconds: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("is_appliance", "image_version", "kernel", "secure_boot", "lockdown", "requires_signed_modules", "usr_root_hash", "usr_is_read_only", "var_is_encrypted", "pcrs", "taint", "problems", "cores", "busy_fraction", "memory_bytes", "memory_free_bytes", "disk_bytes", "disk_free_bytes", "up_seconds", "addresses", "cards", "recovery_key_made_milliseconds")
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
    RECOVERY_KEY_MADE_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
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
    recovery_key_made_milliseconds: int
    def __init__(self, is_appliance: _Optional[bool] = ..., image_version: _Optional[str] = ..., kernel: _Optional[str] = ..., secure_boot: _Optional[bool] = ..., lockdown: _Optional[str] = ..., requires_signed_modules: _Optional[bool] = ..., usr_root_hash: _Optional[str] = ..., usr_is_read_only: _Optional[bool] = ..., var_is_encrypted: _Optional[bool] = ..., pcrs: _Optional[_Mapping[int, str]] = ..., taint: _Optional[int] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., cores: _Optional[int] = ..., busy_fraction: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., memory_free_bytes: _Optional[int] = ..., disk_bytes: _Optional[int] = ..., disk_free_bytes: _Optional[int] = ..., up_seconds: _Optional[float] = ..., addresses: _Optional[_Iterable[_Union[NetworkAddress, _Mapping]]] = ..., cards: _Optional[_Iterable[_Union[AcceleratorCard, _Mapping]]] = ..., recovery_key_made_milliseconds: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("fetch", "from_stick")
    FETCH_FIELD_NUMBER: _ClassVar[int]
    FROM_STICK_FIELD_NUMBER: _ClassVar[int]
    fetch: bool
    from_stick: bool
    def __init__(self, fetch: _Optional[bool] = ..., from_stick: _Optional[bool] = ...) -> None: ...

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

class ShowHardeningRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Hardening(_message.Message):
    __slots__ = ("findings",)
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    findings: _containers.RepeatedCompositeFieldContainer[ControlFinding]
    def __init__(self, findings: _Optional[_Iterable[_Union[ControlFinding, _Mapping]]] = ...) -> None: ...

class ControlFinding(_message.Message):
    __slots__ = ("title", "cites", "verdict", "why")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CITES_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    title: str
    cites: _containers.RepeatedScalarFieldContainer[str]
    verdict: str
    why: str
    def __init__(self, title: _Optional[str] = ..., cites: _Optional[_Iterable[str]] = ..., verdict: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...
