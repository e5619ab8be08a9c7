"""The Accounts API: read the request, ask Accounts, write the reply. No rule lives here."""

from collections.abc import Callable, Iterable
from typing import Any

from appliance.accounts.accounts import Accounts
from appliance.accounts.book import Account
from appliance.accounts.errors import PowerUnknown, RoleUnknown
from appliance.accounts.opening import Enrolling
from appliance.accounts.principals import Person, Principal
from appliance.accounts.roles import Power, Role
from appliance.accounts.tokens import ApiToken
from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import AccountsServicer


class AccountsRpc(AccountsServicer):
    """Answers the node's people.

    principal_of: by what a call comes. person_of: who makes it. source_of: where it comes from,
    whose wrong tries count together. node: this node's name, for authenticators.
    """

    def __init__(
        self,
        accounts: Accounts,
        principal_of: Callable[[Any], Principal],
        person_of: Callable[[Any], Person],
        source_of: Callable[[Any], str],
        node: str,
    ) -> None:
        self._accounts = accounts
        self._principal_of = principal_of
        self._person_of = person_of
        self._source_of = source_of
        self._node = node

    async def SetUpAccounts(
        self, request: pb.SetUpAccountsRequest, context: Any
    ) -> pb.EnrollingReply:
        """Make the three administrators' accounts."""
        names = {
            Role.SYSTEM_ADMINISTRATOR: request.system_administrator,
            Role.SECURITY_ADMINISTRATOR: request.security_administrator,
            Role.AUDITOR: request.auditor,
        }
        own = role_of(request.own) if request.own else None
        made = await self._accounts.set_up(self._principal_of(context), names, own=own)
        return pb.EnrollingReply(enrolling=map(enrolling_to_proto, made))

    async def ListAccounts(
        self, request: pb.ListAccountsRequest, context: Any
    ) -> pb.ListAccountsReply:
        """List accounts."""
        return pb.ListAccountsReply(accounts=map(to_proto, self._accounts.all()))

    async def CreateAccount(self, request: pb.CreateAccountRequest, context: Any) -> pb.Enrolling:
        """Make an account."""
        by, roles = self._principal_of(context), roles_of(request.roles)
        return enrolling_to_proto(await self._accounts.create(by, request.name, roles))

    async def RenewEnrolment(self, request: pb.RenewEnrolmentRequest, context: Any) -> pb.Enrolling:
        """Take an account's credentials away, and offer it enrolment."""
        by = self._principal_of(context)
        return enrolling_to_proto(await self._accounts.renew_enrolment(by, request.name))

    async def ChangeRoles(self, request: pb.ChangeRolesRequest, context: Any) -> pb.Account:
        """Change an account's roles."""
        by, roles = self._principal_of(context), roles_of(request.roles)
        return to_proto(await self._accounts.change_roles(by, request.name, roles))

    async def DisableAccount(self, request: pb.DisableAccountRequest, context: Any) -> pb.Account:
        """End what an account may do."""
        return to_proto(await self._accounts.disable(self._principal_of(context), request.name))

    async def BeginEnrolment(
        self, request: pb.BeginEnrolmentRequest, context: Any
    ) -> pb.AuthenticatorKey:
        """Take the holder's password, and give out the authenticator's key."""
        key = await self._accounts.enrolment.begin(request.name, request.code, request.password)
        return pb.AuthenticatorKey(secret=key.text, uri=key.uri(request.name, self._node))

    async def FinishEnrolment(
        self, request: pb.FinishEnrolmentRequest, context: Any
    ) -> pb.RecoveryCodes:
        """Take the authenticator's first code."""
        codes = await self._accounts.enrolment.finish(
            request.name, request.code, request.totp, source=self._source_of(context)
        )
        return pb.RecoveryCodes(codes=codes)

    async def BindAccount(self, request: pb.BindAccountRequest, context: Any) -> pb.Account:
        """Have what the call comes by act as an account, whose holder proves to be there."""
        logins = self._accounts.logins
        word = await logins.log_in(
            request.name, request.password, request.code, source=self._source_of(context)
        )
        try:
            bound = await self._accounts.bindings.bind(self._principal_of(context), word)
        finally:
            await logins.log_out(word)
        return to_proto(bound)

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: Any) -> pb.Account:
        """Set another password, whose holder proves to be there."""
        logins = self._accounts.logins
        word = await logins.log_in(
            request.name, request.password, request.code, source=self._source_of(context)
        )
        try:
            await logins.change_password(word, request.password, request.new_password)
            return to_proto(logins.account_of(word))
        finally:
            await logins.log_out(word)

    async def IssueToken(self, request: pb.IssueTokenRequest, context: Any) -> pb.IssuedToken:
        """Make a token, whose holder proves to be there."""
        logins, scope = self._accounts.logins, frozenset(map(power_of, request.scope))
        word = await logins.log_in(
            request.name, request.password, request.code, source=self._source_of(context)
        )
        try:
            text = await self._accounts.tokens.issue(
                logins.account_of(word),
                request.token,
                scope,
                expires_milliseconds=request.expires_milliseconds,
            )
        finally:
            await logins.log_out(word)
        return pb.IssuedToken(text=text)

    async def ListTokens(self, request: pb.ListTokensRequest, context: Any) -> pb.ListTokensReply:
        """List an account's tokens."""
        found = self._accounts.tokens.of(request.name)
        return pb.ListTokensReply(tokens=map(token_to_proto, found))

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Any) -> pb.Account:
        """End a token."""
        by = self._principal_of(context)
        await self._accounts.tokens.revoke(by, request.name, request.token)
        (account,) = [one for one in self._accounts.all() if one.name == request.name]
        return to_proto(account)

    async def ShowSelf(self, request: pb.ShowSelfRequest, context: Any) -> pb.Self:
        """Say who calls, and what they may."""
        principal = self._principal_of(context)
        account = self._accounts.find_of(principal)
        powers = self._person_of(context).powers
        return pb.Self(
            principal=str(principal),
            account=None if account is None else to_proto(account),
            powers=sorted(power.value for power in powers),
        )


def roles_of(words: Iterable[str]) -> frozenset[Role]:
    """Return the roles that words name. Raises: RoleUnknown."""
    return frozenset(map(role_of, words))


def role_of(word: str) -> Role:
    """Return the role that a word names, with hyphens or spaces. Raises: RoleUnknown."""
    plain = word.replace("-", " ").strip().casefold()
    for role in Role:
        if role.value == plain:
            return role
    raise RoleUnknown(word, [role.value.replace(" ", "-") for role in Role])


def power_of(word: str) -> Power:
    """Return the power that a word names, as submit-jobs. Raises: PowerUnknown."""
    for power in Power:
        if power.name == word.replace("-", "_").upper():
            return power
    raise PowerUnknown(word, [power.name.replace("_", "-").casefold() for power in Power])


def token_to_proto(token: ApiToken) -> pb.Token:
    """Return a token, without its text, as the API tells it."""
    return pb.Token(
        token=token.name,
        scope=sorted(power.name.replace("_", "-").casefold() for power in token.scope),
        created_milliseconds=token.created_milliseconds,
        expires_milliseconds=token.expires_milliseconds,
        last_used_milliseconds=token.last_used_milliseconds,
    )


def to_proto(account: Account) -> pb.Account:
    """Return an account as the API tells it."""
    return pb.Account(
        name=account.name,
        roles=sorted(role.value for role in account.roles),
        disabled=account.is_disabled,
        enrolled=account.is_enrolled,
        created_milliseconds=account.created_milliseconds,
        enrolled_milliseconds=account.enrolled_milliseconds,
        password_changed_milliseconds=account.password_changed_milliseconds,
        bound_to=[str(one) for one in account.bound_to],
    )


def enrolling_to_proto(made: Enrolling) -> pb.Enrolling:
    """Return an enrolment's code as the API tells it, this once."""
    return pb.Enrolling(
        name=made.name,
        roles=sorted(role.value for role in made.roles),
        code=made.code,
        expires_milliseconds=made.expires_milliseconds,
    )
