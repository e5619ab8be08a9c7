"""How an account comes to be: its name, its roles, and the code by which its holder enrols."""

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from appliance.accounts import store as table
from appliance.accounts.codes import digest_of_code, make_code
from appliance.accounts.errors import AccountNameInvalid, AccountNameTaken, TooManyAccounts
from appliance.accounts.roles import Role
from appliance.accounts.totp import NEVER

ENROLMENT_LIFE: Final = timedelta(hours=24)
MOST_ACCOUNTS: Final = 256
_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,31}")
_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolling:
    """The code by which an account's holder enrols; it is shown once, and nothing keeps it."""

    name: str
    roles: frozenset[Role]
    code: str = field(repr=False)
    expires_milliseconds: int


def open_account(
    session: Session, name: str, roles: Collection[Role], now_milliseconds: int
) -> tuple[table.AccountRow, Enrolling]:
    """Make an account that nobody can log in to yet.

    Raises: AccountNameInvalid, AccountNameTaken, TooManyAccounts.
    """
    if not _NAME.fullmatch(name):
        raise AccountNameInvalid
    if table.find_by_name(session, name) is not None:
        raise AccountNameTaken(name)
    if len(table.all_accounts(session)) >= MOST_ACCOUNTS:
        raise TooManyAccounts(f"there are {MOST_ACCOUNTS} accounts already")
    row = table.AccountRow(
        id=secrets.token_hex(_ID_BYTES),
        name=name,
        roles=table.roles_text(roles),
        is_disabled=False,
        password_hash="",
        totp_secret=b"",
        totp_last_step=NEVER,
        created_milliseconds=now_milliseconds,
        enrolled_milliseconds=0,
        password_changed_milliseconds=0,
    )
    enrolling = offer_enrolment(row, now_milliseconds)
    session.add(row)
    return row, enrolling


def offer_enrolment(row: table.AccountRow, now_milliseconds: int) -> Enrolling:
    """Have an account enrol by a new code, in place of any before."""
    code = make_code()
    life_milliseconds = ENROLMENT_LIFE // timedelta(milliseconds=1)
    row.enrolment_digest = digest_of_code(code)
    row.enrolment_expires_milliseconds = now_milliseconds + life_milliseconds
    return Enrolling(
        name=row.name,
        roles=row.role_set,
        code=code,
        expires_milliseconds=row.enrolment_expires_milliseconds,
    )
