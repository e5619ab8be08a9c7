"""How an account's holder comes into it: a code once, a password, an authenticator.

Nothing is on disk before both factors have been seen to work: until then the account is as it was
made, and whoever breaks off begins again with the same code.
"""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from appliance.accounts import store as table
from appliance.accounts.acts import ActKind, Acts
from appliance.accounts.book import Account, Book, account_of
from appliance.accounts.codes import digest_of_code
from appliance.accounts.errors import EnrolmentRefused
from appliance.accounts.passwords import Passwords
from appliance.accounts.principals import Principal
from appliance.accounts.totp import NEVER, TOTPKey, make_recovery_codes
from appliance.accounts.vault import Vault
from appliance.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """What was chosen so far, with the code that it was chosen by."""

    enrolment_digest: bytes
    password_hash: str = field(repr=False)
    key: TOTPKey


class Enrolment:
    """Takes holders into their accounts."""

    def __init__(
        self,
        store: Store,
        book: Book,
        acts: Acts,
        vault: Vault,
        passwords: Passwords,
        now_milliseconds: Callable[[], int],
    ) -> None:
        self._store = store
        self._book = book
        self._acts = acts
        self._vault = vault
        self._passwords = passwords
        self._now = now_milliseconds
        self._begun: dict[str, _Begun] = {}

    async def begin(self, name: str, code: str, password: str) -> TOTPKey:
        """Choose a password; return the key that the authenticator is to be given.

        Raises: EnrolmentRefused, PasswordUnfit.
        """
        row = await self._store.run(lambda session: self._require_code(session, name, code))
        hashed = await asyncio.to_thread(self._passwords.hash, password, name=name)
        begun = _Begun(
            enrolment_digest=row.enrolment_digest, password_hash=hashed, key=TOTPKey.make()
        )
        self._begun[row.id] = begun
        return begun.key

    async def finish(self, name: str, code: str, totp: str, *, source: str) -> tuple[str, ...]:
        """Prove the authenticator; return the codes that stand in for it, which nothing keeps.

        Raises: EnrolmentRefused, CodeWrong.
        """
        recovery = make_recovery_codes()

        def work(session: Session) -> Account:
            row = self._require_code(session, name, code)
            begun = self._begun.get(row.id)
            if begun is None or begun.enrolment_digest != row.enrolment_digest:
                raise EnrolmentRefused
            step = begun.key.require(totp, self._now(), after=NEVER)
            row.forget_credentials()
            row.password_hash, row.totp_last_step = begun.password_hash, step
            row.totp_secret = self._vault.seal(begun.key.secret, of=row.id)
            row.enrolled_milliseconds = row.password_changed_milliseconds = self._now()
            table.replace_recovery_codes(session, row.id, [*map(digest_of_code, recovery)])
            table.put_source(session, row.id, source, self._now())
            by = Principal.of_account(row.id)
            self._acts.write(session, ActKind.ENROLLED, by, row, source=source)
            return account_of(session, row)

        await self._store.run(work, then=self._take_in)
        return recovery

    def _take_in(self, account: Account) -> None:
        self._begun.pop(account.id, None)
        self._book.put(account)

    def _require_code(self, session: Session, name: str, code: str) -> table.AccountRow:
        """Return the account that this code enrols. Raises: EnrolmentRefused."""
        row = table.find_by_name(session, name)
        if (
            row is None
            or row.is_disabled
            or not hmac.compare_digest(row.enrolment_digest, digest_of_code(code))
            or row.enrolment_expires_milliseconds <= self._now()
        ):
            raise EnrolmentRefused
        return row
