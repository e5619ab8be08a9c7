"""What programs act for an account with: tokens that do less than it may, and end."""

import secrets
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from sqlalchemy.orm import Session

from appliance.accounts import store as table
from appliance.accounts.acts import ActKind, Acts
from appliance.accounts.book import Account, Book, token_of
from appliance.accounts.errors import SessionEnded, TokenNotFound, TokenRefused, TokenUnfit
from appliance.accounts.principals import Principal
from appliance.accounts.roles import Power
from appliance.accounts.tokens import ApiToken, digest_of_token, make_token, require_fit
from appliance.store.database import Store

MOST_EACH: Final = 32
# The time of the last use is as exact as this on disk, so that not each call writes.
_USE_NOTED_MILLISECONDS: Final = 10 * 60 * 1000
_ID_BYTES: Final = 8


class ApiTokens:
    """The API tokens of all accounts."""

    def __init__(
        self, store: Store, book: Book, acts: Acts, now_milliseconds: Callable[[], int]
    ) -> None:
        self._store = store
        self._book = book
        self._acts = acts
        self._now = now_milliseconds

    async def load(self) -> None:
        """Read the tokens."""
        for row in await self._store.run(table.all_tokens):
            self._book.put_token(row.digest, token_of(row))

    def of(self, name: str) -> tuple[ApiToken, ...]:
        """Return an account's tokens by name. Raises: AccountNotFound."""
        return self._book.tokens_of(self._book.get(name).id)

    async def issue(
        self, holder: Account, name: str, scope: Collection[Power], *, expires_milliseconds: int
    ) -> str:
        """Return a new token's text, which nothing keeps.

        holder: the account that has logged in. Raises: TokenUnfit, SessionEnded.
        """
        require_fit(
            name,
            scope,
            holder.powers,
            expires_milliseconds=expires_milliseconds,
            now_milliseconds=self._now(),
        )
        text = make_token()

        def work(session: Session) -> table.ApiTokenRow:
            if table.find_able(session, holder.id) is None:  # since it logged in
                raise SessionEnded
            now = self._now()
            own = [row for row in table.all_tokens(session) if row.account == holder.id]
            if name in [row.name for row in own] or len(own) >= MOST_EACH:
                raise TokenUnfit(
                    f"the account has a token {name}, or {MOST_EACH} of them",
                    remedy="revoke one, or choose another name",
                )
            row = table.ApiTokenRow(
                id=secrets.token_hex(_ID_BYTES),
                account=holder.id,
                name=name,
                digest=digest_of_token(text),
                scope=",".join(sorted(power.name for power in scope)),
                created_milliseconds=now,
                expires_milliseconds=expires_milliseconds,
                last_used_milliseconds=0,
            )
            session.add(row)
            by = Principal.of_account(holder.id)
            self._write(session, ActKind.TOKEN_ISSUED, by, holder, row)
            return row

        await self._store.run(work, then=self._put)
        return text

    async def use(self, text: str) -> tuple[Account, frozenset[Power]]:
        """Return whom a token acts for and what it may do now: of its scope what they still may.

        Raises: TokenRefused.
        """
        digest, now = digest_of_token(text), self._now()
        token = self._book.find_token(digest)
        if token is None or not token.created_milliseconds <= now < token.expires_milliseconds:
            raise TokenRefused
        account = self._book.find_of(Principal.of_account(token.account))
        if account is None or account.is_disabled:
            raise TokenRefused
        if now - token.last_used_milliseconds >= _USE_NOTED_MILLISECONDS:
            used = replace(token, last_used_milliseconds=now)
            self._book.put_token(digest, used)
            await self._store.run(lambda session: _note_use(session, used))
        return account, token.scope & account.powers

    async def revoke(self, by: Principal, account: str, name: str) -> None:
        """End a token, when this returns. Raises: AccountNotFound, TokenNotFound."""
        holder = self._book.get(account)
        gone = [one for one in self._book.tokens_of(holder.id) if one.name == name]

        def work(session: Session) -> None:
            row = session.get(table.ApiTokenRow, gone[0].id) if gone else None
            if row is None:
                raise TokenNotFound(name)
            self._write(session, ActKind.TOKEN_REVOKED, by, holder, row)
            session.delete(row)

        await self._store.run(work, then=lambda _: self._book.drop_tokens(gone))

    def _put(self, row: table.ApiTokenRow) -> None:
        self._book.put_token(row.digest, token_of(row))

    def _write(
        self,
        session: Session,
        kind: ActKind,
        by: Principal,
        holder: Account,
        row: table.ApiTokenRow,
    ) -> None:
        self._acts.write(session, kind, by, holder, token=row.id, called=row.name, scope=row.scope)


def _note_use(session: Session, used: ApiToken) -> None:
    row = session.get(table.ApiTokenRow, used.id)
    if row is not None:
        row.last_used_milliseconds = used.last_used_milliseconds
