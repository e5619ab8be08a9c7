from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SetUpAccountsRequest(_message.Message):
    __slots__ = ("system_administrator", "security_administrator", "auditor", "own")
    SYSTEM_ADMINISTRATOR_FIELD_NUMBER: _ClassVar[int]
    SECURITY_ADMINISTRATOR_FIELD_NUMBER: _ClassVar[int]
    AUDITOR_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    system_administrator: str
    security_administrator: str
    auditor: str
    own: str
    def __init__(self, system_administrator: _Optional[str] = ..., security_administrator: _Optional[str] = ..., auditor: _Optional[str] = ..., own: _Optional[str] = ...) -> None: ...

class EnrollingReply(_message.Message):
    __slots__ = ("enrolling",)
    ENROLLING_FIELD_NUMBER: _ClassVar[int]
    enrolling: _containers.RepeatedCompositeFieldContainer[Enrolling]
    def __init__(self, enrolling: _Optional[_Iterable[_Union[Enrolling, _Mapping]]] = ...) -> None: ...

class Enrolling(_message.Message):
    __slots__ = ("name", "roles", "code", "expires_milliseconds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    code: str
    expires_milliseconds: int
    def __init__(self, name: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., code: _Optional[str] = ..., expires_milliseconds: _Optional[int] = ...) -> None: ...

class ListAccountsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListAccountsReply(_message.Message):
    __slots__ = ("accounts",)
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedCompositeFieldContainer[Account]
    def __init__(self, accounts: _Optional[_Iterable[_Union[Account, _Mapping]]] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("name", "roles", "disabled", "enrolled", "created_milliseconds", "enrolled_milliseconds", "password_changed_milliseconds", "bound_to")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_FIELD_NUMBER: _ClassVar[int]
    CREATED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_CHANGED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    BOUND_TO_FIELD_NUMBER: _ClassVar[int]
    name: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    disabled: bool
    enrolled: bool
    created_milliseconds: int
    enrolled_milliseconds: int
    password_changed_milliseconds: int
    bound_to: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., disabled: _Optional[bool] = ..., enrolled: _Optional[bool] = ..., created_milliseconds: _Optional[int] = ..., enrolled_milliseconds: _Optional[int] = ..., password_changed_milliseconds: _Optional[int] = ..., bound_to: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateAccountRequest(_message.Message):
    __slots__ = ("name", "roles")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    name: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ...) -> None: ...

class RenewEnrolmentRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ChangeRolesRequest(_message.Message):
    __slots__ = ("name", "roles")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    name: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ...) -> None: ...

class DisableAccountRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class BeginEnrolmentRequest(_message.Message):
    __slots__ = ("name", "code", "password")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    name: str
    code: str
    password: str
    def __init__(self, name: _Optional[str] = ..., code: _Optional[str] = ..., password: _Optional[str] = ...) -> None: ...

class AuthenticatorKey(_message.Message):
    __slots__ = ("secret", "uri")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    secret: str
    uri: str
    def __init__(self, secret: _Optional[str] = ..., uri: _Optional[str] = ...) -> None: ...

class FinishEnrolmentRequest(_message.Message):
    __slots__ = ("name", "code", "totp")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TOTP_FIELD_NUMBER: _ClassVar[int]
    name: str
    code: str
    totp: str
    def __init__(self, name: _Optional[str] = ..., code: _Optional[str] = ..., totp: _Optional[str] = ...) -> None: ...

class RecoveryCodes(_message.Message):
    __slots__ = ("codes",)
    CODES_FIELD_NUMBER: _ClassVar[int]
    codes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, codes: _Optional[_Iterable[str]] = ...) -> None: ...

class BindAccountRequest(_message.Message):
    __slots__ = ("name", "password", "code")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    name: str
    password: str
    code: str
    def __init__(self, name: _Optional[str] = ..., password: _Optional[str] = ..., code: _Optional[str] = ...) -> None: ...

class ChangePasswordRequest(_message.Message):
    __slots__ = ("name", "password", "code", "new_password")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NEW_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    name: str
    password: str
    code: str
    new_password: str
    def __init__(self, name: _Optional[str] = ..., password: _Optional[str] = ..., code: _Optional[str] = ..., new_password: _Optional[str] = ...) -> None: ...

class IssueTokenRequest(_message.Message):
    __slots__ = ("name", "password", "code", "token", "scope", "expires_milliseconds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    password: str
    code: str
    token: str
    scope: _containers.RepeatedScalarFieldContainer[str]
    expires_milliseconds: int
    def __init__(self, name: _Optional[str] = ..., password: _Optional[str] = ..., code: _Optional[str] = ..., token: _Optional[str] = ..., scope: _Optional[_Iterable[str]] = ..., expires_milliseconds: _Optional[int] = ...) -> None: ...

class IssuedToken(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ListTokensRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListTokensReply(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    def __init__(self, tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("token", "scope", "created_milliseconds", "expires_milliseconds", "last_used_milliseconds")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    CREATED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    LAST_USED_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    token: str
    scope: _containers.RepeatedScalarFieldContainer[str]
    created_milliseconds: int
    expires_milliseconds: int
    last_used_milliseconds: int
    def __init__(self, token: _Optional[str] = ..., scope: _Optional[_Iterable[str]] = ..., created_milliseconds: _Optional[int] = ..., expires_milliseconds: _Optional[int] = ..., last_used_milliseconds: _Optional[int] = ...) -> None: ...

class RevokeTokenRequest(_message.Message):
    __slots__ = ("name", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    token: str
    def __init__(self, name: _Optional[str] = ..., token: _Optional[str] = ...) -> None: ...

class ShowSelfRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Self(_message.Message):
    __slots__ = ("principal", "account", "powers")
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    POWERS_FIELD_NUMBER: _ClassVar[int]
    principal: str
    account: Account
    powers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, principal: _Optional[str] = ..., account: _Optional[_Union[Account, _Mapping]] = ..., powers: _Optional[_Iterable[str]] = ...) -> None: ...
