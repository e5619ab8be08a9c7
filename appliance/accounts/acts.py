"""What is done to accounts and by them, as the ledger is told of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeAlias

from sqlalchemy.orm import Session

from appliance.accounts.principals import Principal


class ActKind(Enum):
    """What was done."""

    CREATED = "account.created"
    ENROLMENT_RENEWED = "account.enrolment_renewed"
    ENROLLED = "account.enrolled"
    ROLES_CHANGED = "account.roles_changed"
    DISABLED = "account.disabled"
    BOUND = "account.bound"
    RELEASED = "account.released"
    PASSWORD_CHANGED = "account.password_changed"  # noqa: S105 (an act's name)
    LOGGED_IN = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGGED_OUT = "login.ended"
    TOKEN_ISSUED = "token.issued"  # noqa: S105 (an act's name)
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 (an act's name)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAct:
    """One act. It never holds a password, a code, a key or a token.

    by:      who did it; None where nobody has proved to be anybody.
    account: the id of the account that it was done to; empty where no account has the name that
             was typed, which is not noted, for it may be a password in the wrong place.
    facts:   such as roles, and the source of a login.
    """

    kind: ActKind
    at_milliseconds: int
    by: Principal | None
    account: str
    name: str
    facts: Mapping[str, str] = field(default_factory=dict)


Note: TypeAlias = Callable[[Session, AccountAct], None]
"""Writes an act down in the transaction that does it; if it raises, the act does not happen."""


class Named(Protocol):
    """An account, be it a row or a value."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str:
        """Its name."""


class Acts:
    """Has acts noted, with their time."""

    def __init__(self, note: Note, now_milliseconds: Callable[[], int]) -> None:
        self._note = note
        self._now = now_milliseconds

    def write(
        self, session: Session, kind: ActKind, by: Principal | None, of: Named | None, **facts: str
    ) -> None:
        """Note an act in the transaction that does it. of: the account that it is done to."""
        act = AccountAct(
            kind=kind,
            at_milliseconds=self._now(),
            by=by,
            account="" if of is None else of.id,
            name="" if of is None else of.name,
            facts=facts,
        )
        self._note(session, act)
