"""Which user ids and operators' keys act as an account: those that its holder says so of."""

from sqlalchemy.orm import Session

from appliance.accounts import store as table
from appliance.accounts.acts import ActKind, Acts
from appliance.accounts.book import Account, Book, account_of
from appliance.accounts.errors import AccountNotFound, PrincipalUnbindable, SessionEnded
from appliance.accounts.logins import Logins
from appliance.accounts.principals import Principal, PrincipalKind
from appliance.store.database import Store


class Bindings:
    """Binds who calls to accounts, and releases them."""

    def __init__(self, store: Store, book: Book, acts: Acts, logins: Logins) -> None:
        self._store = store
        self._book = book
        self._acts = acts
        self._logins = logins

    async def bind(self, principal: Principal, word: str) -> Account:
        """Have who calls act as the account that has logged in, in place of any other.

        principal: by what the call came, which proved it; word: that of a session. So nobody is
        bound to another's account.
        Raises: PrincipalUnbindable, SessionEnded.
        """
        holder = self._logins.account_of(word)
        if principal.kind is PrincipalKind.ACCOUNT:
            raise PrincipalUnbindable(
                "only a user id or an operator's key can act as an account",
                remedy="call from the machine or with the key that is to act as it",
            )

        def work(session: Session) -> tuple[Account, ...]:
            if table.find_able(session, holder.id) is None:  # since it logged in
                raise SessionEnded
            before = table.find_binding(session, principal)
            moved = {holder.id, holder.id if before is None else before.account or holder.id}
            table.put_binding(session, principal, holder.id)
            by = Principal.of_account(holder.id)
            self._acts.write(session, ActKind.BOUND, by, holder, principal=str(principal))
            return tuple(account_of(session, _row_of(session, one)) for one in moved)

        await self._store.run(work, then=lambda moved: self._book.put(*moved))
        return self._book.get(holder.name)

    async def release(self, by: Principal, principal: Principal) -> Account:
        """Have a user id or an operator's key act as no account, so that it may do nothing.

        Raises: PrincipalUnbindable.
        """

        def work(session: Session) -> Account:
            found = table.find_binding(session, principal)
            if found is None or found.account is None:
                raise PrincipalUnbindable(
                    f"{principal} acts as no account", remedy="see the list of accounts"
                )
            row = _row_of(session, found.account)
            table.put_binding(session, principal, None)
            self._acts.write(session, ActKind.RELEASED, by, row, principal=str(principal))
            return account_of(session, row)

        def follow(account: Account) -> None:
            self._book.put(account)
            self._book.release(principal)

        return await self._store.run(work, then=follow)


def _row_of(session: Session, account: str) -> table.AccountRow:
    row = session.get(table.AccountRow, account)
    if row is None:
        raise AccountNotFound(account)
    return row
