"""The tables of accounts, and the questions that are asked of them."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import ForeignKey, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.accounts.lockout import Failures
from appliance.accounts.principals import Principal, PrincipalKind
from appliance.accounts.roles import Role
from appliance.store.schema import Row

_MOST_SOURCES_EACH = 8
_MOST_FAILURES = 4096


class AccountRow(Row):
    """An account. It is never removed: what it did stays under its name."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    # Names of roles, by commas.
    roles: Mapped[str]
    is_disabled: Mapped[bool]
    # Argon2id as a PHC string; empty before enrolment, as is the secret, which the vault seals.
    password_hash: Mapped[str]
    totp_secret: Mapped[bytes]
    totp_last_step: Mapped[int]
    # Of the code that enrols; empty if none does.
    enrolment_digest: Mapped[bytes]
    enrolment_expires_milliseconds: Mapped[int]
    created_milliseconds: Mapped[int]
    enrolled_milliseconds: Mapped[int]
    password_changed_milliseconds: Mapped[int]

    @property
    def role_set(self) -> frozenset[Role]:
        """The roles as values."""
        return frozenset(Role(name) for name in self.roles.split(","))

    @property
    def is_able(self) -> bool:
        """Whether somebody can log in to it."""
        return not self.is_disabled and bool(self.password_hash)

    def forget_credentials(self) -> None:
        """Take away all that logs in to it, or would let somebody enrol."""
        self.password_hash, self.totp_secret = "", b""
        self.enrolment_digest, self.enrolment_expires_milliseconds = b"", 0


class RecoveryCodeRow(Row):
    """A code that stands in for an account's authenticator once, as a hash."""

    __tablename__ = "account_recovery_codes"

    account: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True)


class BindingRow(Row):
    """A user id or an operator's key that acts as an account; as none since it was released."""

    __tablename__ = "account_bindings"

    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"), index=True)

    @property
    def principal(self) -> Principal:
        """Who it is."""
        return Principal(kind=PrincipalKind(self.kind), value=self.value)


class ApiTokenRow(Row):
    """An API token, as a hash."""

    __tablename__ = "account_tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    # Names of powers, by commas.
    scope: Mapped[str]
    created_milliseconds: Mapped[int]
    expires_milliseconds: Mapped[int]
    last_used_milliseconds: Mapped[int]


class SourceRow(Row):
    """A source from which somebody has logged in to an account."""

    __tablename__ = "account_sources"

    account: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    last_login_milliseconds: Mapped[int]


class FailuresRow(Row):
    """Wrong tries in a row on a name, be it an account's or not.

    Of an account its id's hash; of another name one under a key that ends with the agent.
    """

    __tablename__ = "login_failures"

    name_digest: Mapped[bytes] = mapped_column(primary_key=True)
    count: Mapped[int]
    last_milliseconds: Mapped[int]


class CredentialRow(Row):
    """An authenticator of WebAuthn; see webauthn.py."""

    __tablename__ = "account_credentials"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    public_key_cose: Mapped[bytes]
    sign_count: Mapped[int]
    # Names of transports, by commas.
    transports: Mapped[str]
    name: Mapped[str]
    created_milliseconds: Mapped[int]


def all_accounts(session: Session) -> Sequence[AccountRow]:
    """Return all accounts by name."""
    return session.scalars(select(AccountRow).order_by(AccountRow.name)).all()


def find_by_name(session: Session, name: str) -> AccountRow | None:
    """Return the account of this name."""
    return session.scalars(select(AccountRow).where(AccountRow.name == name)).one_or_none()


def find_able(session: Session, account: str) -> AccountRow | None:
    """Return the account of this id if somebody can log in to it."""
    row = session.get(AccountRow, account)
    return row if row is not None and row.is_able else None


def roles_text(roles: Iterable[Role]) -> str:
    """Return roles as they are stored, and noted."""
    return ",".join(sorted(role.value for role in roles))


def bindings_of(session: Session, account: str | None) -> tuple[Principal, ...]:
    """Return what acts as an account, or what was released and acts as none."""
    query = select(BindingRow).where(BindingRow.account == account)
    rows = session.scalars(query.order_by(BindingRow.kind, BindingRow.value))
    return tuple(row.principal for row in rows)


def find_binding(session: Session, principal: Principal) -> BindingRow | None:
    """Return the account that somebody acts as."""
    return session.get(BindingRow, (principal.kind.value, principal.value))


def put_binding(session: Session, principal: Principal, account: str | None) -> None:
    """Have somebody act as an account, or as none, in place of any other."""
    made = BindingRow(kind=principal.kind.value, value=principal.value, account=account)
    session.merge(made)


def replace_recovery_codes(session: Session, account: str, digests: Collection[bytes]) -> None:
    """Store an account's codes in place of all before."""
    session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.account == account))
    session.add_all(RecoveryCodeRow(account=account, digest=digest) for digest in digests)


def find_recovery_code(session: Session, account: str, digest: bytes) -> RecoveryCodeRow | None:
    """Return an account's code if it was not used yet."""
    return session.get(RecoveryCodeRow, (account, digest))


def all_tokens(session: Session) -> Sequence[ApiTokenRow]:
    """Return all API tokens."""
    return session.scalars(select(ApiTokenRow)).all()


def remove_tokens(session: Session, account: str) -> None:
    """End all API tokens of an account."""
    session.execute(delete(ApiTokenRow).where(ApiTokenRow.account == account))


def is_familiar(session: Session, account: str, source: str) -> bool:
    """Tell whether somebody has logged in to the account from there."""
    return session.get(SourceRow, (account, source)) is not None


def put_source(session: Session, account: str, source: str, now_milliseconds: int) -> None:
    """Note a login from there; only the last few sources of each account are kept."""
    made = SourceRow(account=account, source=source, last_login_milliseconds=now_milliseconds)
    session.merge(made)
    newest_first = SourceRow.last_login_milliseconds.desc()
    query = select(SourceRow).where(SourceRow.account == account).order_by(newest_first)
    for row in session.scalars(query).all()[_MOST_SOURCES_EACH:]:
        session.delete(row)


def failures_of(session: Session, name_digest: bytes) -> Failures:
    """Return the wrong tries on a name."""
    row = session.get(FailuresRow, name_digest)
    if row is None:
        return Failures()
    return Failures(count=row.count, last_milliseconds=row.last_milliseconds)


def put_failures(session: Session, name_digest: bytes, failures: Failures) -> None:
    """Note wrong tries on a name; of too many names those of long ago are forgotten."""
    made = FailuresRow(
        name_digest=name_digest,
        count=failures.count,
        last_milliseconds=failures.last_milliseconds,
    )
    session.merge(made)
    if session.scalars(select(func.count()).select_from(FailuresRow)).one() > _MOST_FAILURES:
        oldest = select(FailuresRow).order_by(FailuresRow.last_milliseconds).limit(1)
        session.delete(session.scalars(oldest).one())


def clear_failures(session: Session, name_digest: bytes) -> None:
    """Forget the wrong tries on a name."""
    session.execute(delete(FailuresRow).where(FailuresRow.name_digest == name_digest))
