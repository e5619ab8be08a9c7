"""Logging in: a name, a password and a code at once, so that no answer tells which is wrong.

Logins are judged one after the other: an attempt is counted before the next is heard, and only
one Argon2 holds its memory.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.orm import Session

from appliance.accounts import store as table
from appliance.accounts.acts import ActKind, Acts
from appliance.accounts.book import Account, Book, account_of
from appliance.accounts.codes import digest_of_code
from appliance.accounts.errors import (
    CodeWrong,
    LoginBusy,
    LoginDelayed,
    LoginRefused,
    SessionEnded,
)
from appliance.accounts.lockout import FREE_TRIES, FREE_TRIES_OF_SOURCE, Failures, Tally
from appliance.accounts.passwords import Passwords
from appliance.accounts.principals import Principal
from appliance.accounts.sessions import Sessions
from appliance.accounts.totp import TOTPKey, is_totp
from appliance.accounts.vault import Vault
from appliance.store.database import Store

MOST_WAITING: Final = 16
MOST_WAITING_EACH: Final = 2
_MOST_NAME_CHARACTERS: Final = 128
_HIDDEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """Somebody's attempt, before it is judged. stored: the password's hash, empty without any."""

    name_digest: bytes
    source: str
    account: str
    is_familiar: bool
    stored: str = field(repr=False)


# Does and notes what a right password is given for. Raises: CodeWrong if the rest is wrong.
Judge = Callable[[Session, table.AccountRow], None]


class Logins:
    """Lets holders in, and knows who is in."""

    def __init__(
        self,
        store: Store,
        book: Book,
        acts: Acts,
        sessions: Sessions,
        vault: Vault,
        passwords: Passwords,
        now_milliseconds: Callable[[], int],
    ) -> None:
        self._store = store
        self._book = book
        self._acts = acts
        self._sessions = sessions
        self._vault = vault
        self._passwords = passwords
        self._now = now_milliseconds
        self._hidden = secrets.token_bytes(_HIDDEN_BYTES)
        self._judging = asyncio.Lock()
        self._waiting: Counter[str] = Counter()
        self._trying: set[asyncio.Task[None]] = set()
        self._of_source = Tally()
        self._of_familiar = Tally()

    async def log_in(self, name: str, password: str, code: str, *, source: str) -> str:
        """Return the word of a new session.

        code: the authenticator's, or one of those that stand in for it. source: where this comes
            from, as an address's network or a user id; who shares it shares its delays.
        Raises: LoginRefused, LoginDelayed, LoginBusy.
        """

        def judge(session: Session, row: table.AccountRow) -> None:
            factor = self._take_factor(session, row, code)
            by = Principal.of_account(row.id)
            self._acts.write(session, ActKind.LOGGED_IN, by, row, source=source, factor=factor)

        words: list[str] = []

        def done(account: Account) -> None:
            words.append(self._sessions.begin(account.id, source, self._now()))

        await self._prove(name, password, source, judge, done)
        return words[0]

    async def change_password(self, word: str, old: str, new: str) -> None:
        """Set the own password; all other sessions of the account end.

        Raises: SessionEnded, PasswordUnfit, LoginRefused, LoginDelayed, LoginBusy.
        """
        holder = self.account_of(word)
        source = self._sessions.use(word, self._now()).source
        hashed = await asyncio.to_thread(self._passwords.hash, new, name=holder.name)

        def judge(session: Session, row: table.AccountRow) -> None:
            row.password_hash = hashed
            row.password_changed_milliseconds = self._now()
            by = Principal.of_account(row.id)
            self._acts.write(session, ActKind.PASSWORD_CHANGED, by, row, source=source)

        def done(account: Account) -> None:
            self._sessions.end_all(account.id, but=word)

        await self._prove(holder.name, old, source, judge, done)

    def account_of(self, word: str) -> Account:
        """Return who is logged in by a session's word; they begin to be idle anew.

        Raises: SessionEnded.
        """
        used = self._sessions.use(word, self._now())
        account = self._book.find_of(Principal.of_account(used.account))
        if account is None or account.is_disabled:
            raise SessionEnded
        return account

    async def log_out(self, word: str) -> None:
        """End a session. Raises: SessionEnded."""
        account = self.account_of(word)
        by = Principal.of_account(account.id)
        await self._store.run(
            lambda session: self._acts.write(session, ActKind.LOGGED_OUT, by, account),
            then=lambda _: self._sessions.end(word),
        )

    async def _prove(
        self,
        name: str,
        password: str,
        source: str,
        judge: Judge,
        done: Callable[[Account], None],
    ) -> None:
        """Return if this is the account's password, once ``judge`` has done its part on disk.

        A try that has begun is judged and counted to the end, even if the caller hangs up.
        done: hears of a right one, in the order in which the disk did.
        """
        self._take_place(source)
        trying = asyncio.create_task(self._try(name, password, source, judge, done))
        self._trying.add(trying)

        def end(ended: asyncio.Task[None]) -> None:
            self._trying.discard(ended)
            self._give_place_up(source)
            if not ended.cancelled():
                ended.exception()  # heard of here if nobody waits for it any more

        trying.add_done_callback(end)
        await asyncio.shield(trying)

    async def _try(
        self,
        name: str,
        password: str,
        source: str,
        judge: Judge,
        done: Callable[[Account], None],
    ) -> None:
        async with self._judging:
            tried = await self._store.run(lambda session: self._look(session, name, source))
            try:
                stored = await asyncio.to_thread(self._passwords.verify, tried.stored, password)
            except LoginRefused:
                stored = ""

            def follow(account: Account | None) -> None:
                self._count(tried, is_right=account is not None)
                if account is not None:
                    self._book.put(account)
                    done(account)

            account = await self._store.run(
                lambda session: self._judge(session, tried, stored, judge), then=follow
            )
        if account is None:
            raise LoginRefused

    def _count(self, tried: _Try, *, is_right: bool) -> None:
        """Count a try against its source, and against the account's usual place if it is one."""
        familiar = (tried.account, tried.source)
        if is_right:
            self._of_source.clear(tried.source)
            self._of_familiar.clear(familiar)
            return
        self._of_source.add(tried.source, self._now())
        if tried.is_familiar:
            self._of_familiar.add(familiar, self._now())

    def _take_place(self, source: str) -> None:
        """Count somebody who waits to be judged. Raises: LoginBusy, LoginDelayed."""
        _require_heard(self._of_source.of(source), self._now(), free=FREE_TRIES_OF_SOURCE)
        if self._waiting.total() >= MOST_WAITING or self._waiting[source] >= MOST_WAITING_EACH:
            raise LoginBusy
        self._waiting[source] += 1

    def _give_place_up(self, source: str) -> None:
        self._waiting[source] -= 1
        if not self._waiting[source]:
            del self._waiting[source]

    def _look(self, session: Session, name: str, source: str) -> _Try:
        """Return what is known of who tries. Raises: LoginDelayed."""
        _require_heard(self._of_source.of(source), self._now(), free=FREE_TRIES_OF_SOURCE)
        typed = name[:_MOST_NAME_CHARACTERS].encode("utf-8", "replace")
        row = table.find_by_name(session, typed.decode())
        # What nobody is called may be a password, of which no hash is kept that could be searched.
        digest = (
            hmac.digest(self._hidden, typed, "sha256")
            if row is None
            else hashlib.sha256(row.id.encode()).digest()
        )
        is_familiar = row is not None and table.is_familiar(session, row.id, source)
        if row is not None and is_familiar:
            failures = self._of_familiar.of((row.id, source))
        else:
            failures = table.failures_of(session, digest)
        _require_heard(failures, self._now())
        return _Try(
            name_digest=digest,
            source=source,
            account="" if row is None else row.id,
            is_familiar=is_familiar,
            stored=row.password_hash if row is not None and row.is_able else "",
        )

    def _judge(self, session: Session, tried: _Try, stored: str, judge: Judge) -> Account | None:
        """Do what a right password is given for, or count a wrong try; note it either way."""
        now = self._now()
        row = session.get(table.AccountRow, tried.account)
        # Since it was looked up the account may have been disabled, or its password changed.
        if stored and row is not None and row.is_able and row.password_hash == tried.stored:
            row.password_hash = stored
            with suppress(CodeWrong):
                judge(session, row)
                table.put_source(session, row.id, tried.source, now)
                if not tried.is_familiar:
                    table.clear_failures(session, tried.name_digest)
                return account_of(session, row)
        if not tried.is_familiar:
            failures = table.failures_of(session, tried.name_digest)
            table.put_failures(session, tried.name_digest, failures.after_another(now))
        self._acts.write(session, ActKind.LOGIN_FAILED, None, row, source=tried.source)
        return None

    def _take_factor(self, session: Session, row: table.AccountRow, code: str) -> str:
        """Use a code up, and return what kind it is. Raises: CodeWrong."""
        if is_totp(code):
            key = TOTPKey(secret=self._vault.unseal(row.totp_secret, of=row.id))
            row.totp_last_step = key.require(code, self._now(), after=row.totp_last_step)
            return "authenticator"
        recovery = table.find_recovery_code(session, row.id, digest_of_code(code))
        if recovery is None:
            raise CodeWrong
        session.delete(recovery)
        return "recovery code"


def _require_heard(failures: Failures, now_milliseconds: int, *, free: int = FREE_TRIES) -> None:
    seconds = failures.wait_seconds(now_milliseconds, free=free)
    if seconds > 0:
        raise LoginDelayed(seconds)
