"""The accounts and API tokens as memory has them, since each call is asked for its powers.

Memory follows the disk: what is put here was committed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from appliance.accounts import store as table
from appliance.accounts.errors import AccountNotFound
from appliance.accounts.principals import Principal, PrincipalKind
from appliance.accounts.roles import NO_POWERS, Power, Role, powers_of
from appliance.accounts.tokens import ApiToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account. Times are 0 where something has not happened.

    bound_to: the user ids and operators' keys that act as it.
    """

    id: str
    name: str
    roles: frozenset[Role]
    is_disabled: bool
    is_enrolled: bool
    created_milliseconds: int
    enrolled_milliseconds: int
    password_changed_milliseconds: int
    bound_to: tuple[Principal, ...]

    @property
    def powers(self) -> frozenset[Power]:
        """What it may do now."""
        return NO_POWERS if self.is_disabled else powers_of(self.roles)


class Book:
    """All accounts and API tokens, by what they are looked for by."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._bound: dict[Principal, str] = {}
        self._released: frozenset[Principal] = frozenset()
        self._tokens: dict[bytes, ApiToken] = {}

    @property
    def count(self) -> int:
        """How many accounts there are or were."""
        return len(self._accounts)

    def all(self) -> tuple[Account, ...]:
        """Return the accounts by name."""
        return tuple(sorted(self._accounts.values(), key=lambda one: one.name))

    def get(self, name: str) -> Account:
        """Return an account by its name. Raises: AccountNotFound."""
        for one in self._accounts.values():
            if one.name == name:
                return one
        raise AccountNotFound(name)

    def find_of(self, principal: Principal) -> Account | None:
        """Return the account that somebody acts as."""
        is_account = principal.kind is PrincipalKind.ACCOUNT
        account = principal.value if is_account else self._bound.get(principal, "")
        return self._accounts.get(account)

    def is_released(self, principal: Principal) -> bool:
        """Tell whether somebody acted as an account and may do nothing since."""
        return principal in self._released and principal not in self._bound

    def release(self, *principals: Principal) -> None:
        """Note that these act as no account any more, unless one says otherwise later."""
        self._released |= {*principals}

    def put(self, *accounts: Account) -> None:
        """Note accounts as they are now."""
        for one in accounts:
            self._accounts[one.id] = one
        pairs = ((bound, one.id) for one in self._accounts.values() for bound in one.bound_to)
        self._bound = dict(pairs)

    def tokens_of(self, account: str) -> tuple[ApiToken, ...]:
        """Return an account's API tokens by name."""
        own = (one for one in self._tokens.values() if one.account == account)
        return tuple(sorted(own, key=lambda one: one.name))

    def find_token(self, digest: bytes) -> ApiToken | None:
        """Return an API token."""
        return self._tokens.get(digest)

    def put_token(self, digest: bytes, token: ApiToken) -> None:
        """Note an API token as it is now."""
        self._tokens[digest] = token

    def drop_tokens(self, gone: Iterable[ApiToken]) -> None:
        """Forget API tokens."""
        ids = {one.id for one in gone}
        self._tokens = {key: one for key, one in self._tokens.items() if one.id not in ids}


def account_of(session: Session, row: table.AccountRow) -> Account:
    """Return an account as its row and its bindings are now."""
    session.flush()
    return Account(
        id=row.id,
        name=row.name,
        roles=row.role_set,
        is_disabled=row.is_disabled,
        is_enrolled=bool(row.password_hash),
        created_milliseconds=row.created_milliseconds,
        enrolled_milliseconds=row.enrolled_milliseconds,
        password_changed_milliseconds=row.password_changed_milliseconds,
        bound_to=table.bindings_of(session, row.id),
    )


def token_of(row: table.ApiTokenRow) -> ApiToken:
    """Return an API token as its row says."""
    return ApiToken(
        id=row.id,
        account=row.account,
        name=row.name,
        scope=frozenset(Power[name] for name in row.scope.split(",")),
        created_milliseconds=row.created_milliseconds,
        expires_milliseconds=row.expires_milliseconds,
        last_used_milliseconds=row.last_used_milliseconds,
    )
