"""Who the node's people are: their accounts, and what each may do.

Accounts are made with a code that enrols once, so that nobody but its holder ever knows a
password. What changes is on disk, and noted for the ledger, in one transaction.
"""

from collections.abc import Callable, Collection, Mapping

from sqlalchemy.orm import Session

from appliance.accounts import store as table
from appliance.accounts.acts import ActKind, Acts, Note
from appliance.accounts.api_tokens import ApiTokens
from appliance.accounts.bindings import Bindings
from appliance.accounts.book import Account, Book, account_of
from appliance.accounts.enrolment import Enrolment
from appliance.accounts.errors import (
    AccountNotFound,
    LastSecurityAdministrator,
    OwnAccount,
    SetUpAlready,
    SetUpIncomplete,
)
from appliance.accounts.logins import Logins
from appliance.accounts.opening import Enrolling, offer_enrolment, open_account
from appliance.accounts.passwords import Passwords
from appliance.accounts.principals import Person, Principal, PrincipalKind
from appliance.accounts.roles import (
    ADMINISTRATORS,
    ALL_POWERS,
    NO_POWERS,
    Power,
    Role,
    require_compatible,
)
from appliance.accounts.sessions import Sessions
from appliance.accounts.vault import Vault
from appliance.store.database import Store

# An account that has lost all that it is used by, and who acted as it.
_Ended = tuple[Account, tuple[Principal, ...]]


class Accounts:
    """The accounts of this node; how their holders enrol, log in, and let programs act for them.

    note:        writes each act down, in its transaction.
    sealing_key: what secrets are sealed with on disk, where there is such a key.
    """

    def __init__(
        self,
        store: Store,
        *,
        note: Note,
        now_milliseconds: Callable[[], int],
        sealing_key: bytes | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        self._store = store
        self._now = now_milliseconds
        self._acts = acts = Acts(note, now_milliseconds)
        self._book = book = Book()
        self._sessions = Sessions()
        self._vault = vault = Vault(sealing_key)
        passwords = passwords or Passwords()
        self.enrolment = Enrolment(store, book, acts, vault, passwords, now_milliseconds)
        self.logins = Logins(store, book, acts, self._sessions, vault, passwords, now_milliseconds)
        self.bindings = Bindings(store, book, acts, self.logins)
        self.tokens = ApiTokens(store, book, acts, now_milliseconds)

    async def load(self) -> None:
        """Read the accounts, and seal what lies plain; to be called once before anything else."""

        def work(session: Session) -> tuple[tuple[Account, ...], tuple[Principal, ...]]:
            rows = table.all_accounts(session)
            for row in rows:
                if row.totp_secret and self._vault.is_to_be_sealed(row.totp_secret):
                    secret = self._vault.unseal(row.totp_secret, of=row.id)
                    row.totp_secret = self._vault.seal(secret, of=row.id)
            accounts = tuple(account_of(session, row) for row in rows)
            return accounts, table.bindings_of(session, None)

        accounts, released = await self._store.run(work)
        self._book.put(*accounts)
        self._book.release(*released)
        await self.tokens.load()

    @property
    def count(self) -> int:
        """How many accounts there are or were; with none, the node is not governed by any."""
        return self._book.count

    def all(self) -> tuple[Account, ...]:
        """Return the accounts by name."""
        return self._book.all()

    def find_of(self, principal: Principal) -> Account | None:
        """Return the account that somebody acts as."""
        return self._book.find_of(principal)

    def powers_of(self, principal: Principal) -> frozenset[Power]:
        """Return what somebody may do now.

        While there are no accounts, whoever is let in may do everything. The node's own user id
        is not asked about: it can read all that the node can, whatever stands here.
        """
        account = self._book.find_of(principal)
        if account is not None:
            return account.powers
        if self._book.is_released(principal):
            return NO_POWERS
        return NO_POWERS if self.count else ALL_POWERS

    def person_of(self, principal: Principal, *, called: str, powers: frozenset[Power]) -> Person:
        """Return who somebody is among the node's people.

        called: the name of who is bound to no account; powers: those that the call has.
        """
        account = self._book.find_of(principal)
        if account is None:
            return Person(principal=principal, name=called, powers=powers)
        acts_as = Principal.of_account(account.id)
        return Person(
            principal=acts_as, name=account.name, powers=powers, roles=frozenset(account.roles)
        )

    async def set_up(
        self, by: Principal, names: Mapping[Role, str], *, own: Role | None = None
    ) -> tuple[Enrolling, ...]:
        """Make a new node's first accounts: exactly its three administrators.

        own: which of them the caller is, who may from then on do what that one may and no more;
            to be said but by the node's own user, who stays what it is.
        Raises: SetUpAlready, SetUpIncomplete, AccountNameInvalid.
        """
        if names.keys() != ADMINISTRATORS or len(set(names.values())) != len(ADMINISTRATORS):
            raise SetUpIncomplete("a node's first accounts are its three administrators'")
        if own not in names if by.kind is PrincipalKind.OPERATOR else own not in {None, *names}:
            raise SetUpIncomplete("who sets a node up is one of its three administrators")

        def work(session: Session) -> tuple[tuple[Enrolling, ...], tuple[Account, ...]]:
            if table.all_accounts(session):
                raise SetUpAlready
            made, rows = [], []
            for role, name in names.items():
                row, enrolling = open_account(session, name, {role}, self._now())
                self._acts.write(session, ActKind.CREATED, by, row, roles=row.roles)
                if role is own:
                    table.put_binding(session, by, row.id)
                    self._acts.write(session, ActKind.BOUND, by, row, principal=str(by))
                made.append(enrolling)
                rows.append(row)
            return tuple(made), tuple(account_of(session, row) for row in rows)

        enrolling, _ = await self._store.run(work, then=lambda done: self._book.put(*done[1]))
        return enrolling

    async def create(self, by: Principal, name: str, roles: Collection[Role]) -> Enrolling:
        """Make an account, and the code by which its holder enrols.

        Raises: RolesConflict, SetUpIncomplete, and why there cannot be such an account.
        """
        require_compatible(roles)

        def work(session: Session) -> tuple[Enrolling, Account]:
            if not table.all_accounts(session):
                raise SetUpIncomplete("this node has no administrators yet")
            row, enrolling = open_account(session, name, roles, self._now())
            self._acts.write(session, ActKind.CREATED, by, row, roles=row.roles)
            return enrolling, account_of(session, row)

        enrolling, _ = await self._store.run(work, then=lambda done: self._book.put(done[1]))
        return enrolling

    async def renew_enrolment(self, by: Principal, name: str) -> Enrolling:
        """Take away all that an account is used by, and let its holder enrol anew.

        So also comes back one that was disabled, with its roles.
        Raises: AccountNotFound, OwnAccount.
        """

        def work(session: Session) -> tuple[Enrolling, _Ended]:
            row = self._others(session, by, name)
            released = _end_credentials(session, row)
            row.is_disabled = False
            enrolling = offer_enrolment(row, self._now())
            self._acts.write(session, ActKind.ENROLMENT_RENEWED, by, row)
            return enrolling, (account_of(session, row), released)

        enrolling, _ = await self._store.run(work, then=lambda done: self._end(done[1]))
        return enrolling

    async def change_roles(self, by: Principal, name: str, roles: Collection[Role]) -> Account:
        """Have an account hold these roles and no others, at once.

        Raises: AccountNotFound, RolesConflict, OwnAccount, LastSecurityAdministrator.
        """
        require_compatible(roles)

        def work(session: Session) -> Account:
            row = self._others(session, by, name)
            if Role.SECURITY_ADMINISTRATOR not in roles:
                _require_successor(session, row)
            before, row.roles = row.roles, table.roles_text(roles)
            self._acts.write(
                session, ActKind.ROLES_CHANGED, by, row, before=before, after=row.roles
            )
            return account_of(session, row)

        return await self._store.run(work, then=self._book.put)

    async def disable(self, by: Principal, name: str) -> Account:
        """End what an account may do, its sessions and its tokens, when this returns.

        Raises: AccountNotFound, OwnAccount, LastSecurityAdministrator.
        """

        def work(session: Session) -> _Ended:
            row = self._others(session, by, name)
            _require_successor(session, row)
            released = _end_credentials(session, row)
            row.is_disabled = True
            self._acts.write(session, ActKind.DISABLED, by, row)
            return account_of(session, row), released

        account, _ = await self._store.run(work, then=self._end)
        return account

    def _others(self, session: Session, by: Principal, name: str) -> table.AccountRow:
        """Return an account that is not the caller's own. Raises: AccountNotFound, OwnAccount."""
        row = table.find_by_name(session, name)
        if row is None:
            raise AccountNotFound(name)
        own = self._book.find_of(by)
        if own is not None and own.id == row.id:
            raise OwnAccount
        return row

    def _end(self, ended: _Ended) -> None:
        account, released = ended
        self._book.put(account)
        self._book.release(*released)
        self._book.drop_tokens(self._book.tokens_of(account.id))
        self._sessions.end_all(account.id)


def _end_credentials(session: Session, row: table.AccountRow) -> tuple[Principal, ...]:
    """Take away all that an account is used by; return who acted as it and acts as none now."""
    row.forget_credentials()
    table.replace_recovery_codes(session, row.id, ())
    table.remove_tokens(session, row.id)
    released = table.bindings_of(session, row.id)
    for principal in released:
        table.put_binding(session, principal, None)
    return released


def _require_successor(session: Session, leaving: table.AccountRow) -> None:
    """Return if somebody else can still say who may do what.

    Raises: LastSecurityAdministrator.
    """
    enabled = [
        row
        for row in table.all_accounts(session)
        if Role.SECURITY_ADMINISTRATOR in row.role_set and not row.is_disabled
    ]
    able = [row for row in enabled if row.is_able]
    if (able if leaving in able else enabled) == [leaving]:
        raise LastSecurityAdministrator(leaving.name)
