from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HelloRequest(_message.Message):
    __slots__ = ("introduction",)
    INTRODUCTION_FIELD_NUMBER: _ClassVar[int]
    introduction: Introduction
    def __init__(self, introduction: _Optional[_Union[Introduction, _Mapping]] = ...) -> None: ...

class HelloReply(_message.Message):
    __slots__ = ("introduction",)
    INTRODUCTION_FIELD_NUMBER: _ClassVar[int]
    introduction: Introduction
    def __init__(self, introduction: _Optional[_Union[Introduction, _Mapping]] = ...) -> None: ...

class Introduction(_message.Message):
    __slots__ = ("name", "address", "version", "lowest_interface", "highest_interface", "clock_milliseconds", "boot")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LOWEST_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    HIGHEST_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    CLOCK_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    BOOT_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    version: str
    lowest_interface: int
    highest_interface: int
    clock_milliseconds: int
    boot: bytes
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., version: _Optional[str] = ..., lowest_interface: _Optional[int] = ..., highest_interface: _Optional[int] = ..., clock_milliseconds: _Optional[int] = ..., boot: _Optional[bytes] = ...) -> None: ...

class Letter(_message.Message):
    __slots__ = ("number", "kind", "body")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    number: int
    kind: str
    body: bytes
    def __init__(self, number: _Optional[int] = ..., kind: _Optional[str] = ..., body: _Optional[bytes] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("number", "refusal")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    number: int
    refusal: str
    def __init__(self, number: _Optional[int] = ..., refusal: _Optional[str] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PairingOffer(_message.Message):
    __slots__ = ("version", "invitation", "pake")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INVITATION_FIELD_NUMBER: _ClassVar[int]
    PAKE_FIELD_NUMBER: _ClassVar[int]
    version: int
    invitation: int
    pake: bytes
    def __init__(self, version: _Optional[int] = ..., invitation: _Optional[int] = ..., pake: _Optional[bytes] = ...) -> None: ...

class PairingAnswer(_message.Message):
    __slots__ = ("pake", "attempt")
    PAKE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    pake: bytes
    attempt: bytes
    def __init__(self, pake: _Optional[bytes] = ..., attempt: _Optional[bytes] = ...) -> None: ...

class PairingProof(_message.Message):
    __slots__ = ("attempt", "sealed", "mac")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    attempt: bytes
    sealed: bytes
    mac: bytes
    def __init__(self, attempt: _Optional[bytes] = ..., sealed: _Optional[bytes] = ..., mac: _Optional[bytes] = ...) -> None: ...

class PairingAcceptance(_message.Message):
    __slots__ = ("sealed", "mac")
    SEALED_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    sealed: bytes
    mac: bytes
    def __init__(self, sealed: _Optional[bytes] = ..., mac: _Optional[bytes] = ...) -> None: ...

class PairingIdentity(_message.Message):
    __slots__ = ("certificate", "introduction", "signature")
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    INTRODUCTION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    certificate: bytes
    introduction: bytes
    signature: bytes
    def __init__(self, certificate: _Optional[bytes] = ..., introduction: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...
