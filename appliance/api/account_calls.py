"""What the typed client asks about the node's people."""

from collections.abc import Sequence

from appliance.api import agent_pb2 as pb
from appliance.api.calls import Calls


class AccountCalls(Calls):
    """The Accounts API, a method each."""

    def set_up_accounts(
        self,
        *,
        system_administrator: str,
        security_administrator: str,
        auditor: str,
        own: str = "",
    ) -> Sequence[pb.Enrolling]:
        """Make a new node's first accounts. own: which of the three roles the caller has."""
        request = pb.SetUpAccountsRequest(
            system_administrator=system_administrator,
            security_administrator=security_administrator,
            auditor=auditor,
            own=own,
        )
        return self._ask("Accounts/SetUpAccounts", request, pb.EnrollingReply).enrolling

    def list_accounts(self) -> Sequence[pb.Account]:
        """List the accounts."""
        reply = self._ask("Accounts/ListAccounts", pb.ListAccountsRequest(), pb.ListAccountsReply)
        return reply.accounts

    def create_account(self, name: str, roles: Sequence[str]) -> pb.Enrolling:
        """Make an account, and the code by which its holder enrols."""
        request = pb.CreateAccountRequest(name=name, roles=roles)
        return self._ask("Accounts/CreateAccount", request, pb.Enrolling)

    def renew_enrolment(self, name: str) -> pb.Enrolling:
        """Take away all that an account is used by, and get a new code for its holder."""
        request = pb.RenewEnrolmentRequest(name=name)
        return self._ask("Accounts/RenewEnrolment", request, pb.Enrolling)

    def change_roles(self, name: str, roles: Sequence[str]) -> pb.Account:
        """Have an account hold these roles and no others."""
        request = pb.ChangeRolesRequest(name=name, roles=roles)
        return self._ask("Accounts/ChangeRoles", request, pb.Account)

    def disable_account(self, name: str) -> pb.Account:
        """End what an account may do."""
        request = pb.DisableAccountRequest(name=name)
        return self._ask("Accounts/DisableAccount", request, pb.Account)

    def begin_enrolment(self, name: str, code: str, password: str) -> pb.AuthenticatorKey:
        """Choose a password by an enrolment code; get the authenticator's key."""
        request = pb.BeginEnrolmentRequest(name=name, code=code, password=password)
        return self._ask("Accounts/BeginEnrolment", request, pb.AuthenticatorKey)

    def finish_enrolment(self, name: str, code: str, totp: str) -> pb.RecoveryCodes:
        """Prove the authenticator; get the codes that stand in for it."""
        request = pb.FinishEnrolmentRequest(name=name, code=code, totp=totp)
        return self._ask("Accounts/FinishEnrolment", request, pb.RecoveryCodes)

    def bind_account(self, name: str, password: str, code: str) -> pb.Account:
        """Have the caller's user id or key act as an account."""
        request = pb.BindAccountRequest(name=name, password=password, code=code)
        return self._ask("Accounts/BindAccount", request, pb.Account)

    def change_password(self, name: str, password: str, code: str, new: str) -> pb.Account:
        """Set another password for the own account."""
        request = pb.ChangePasswordRequest(
            name=name, password=password, code=code, new_password=new
        )
        return self._ask("Accounts/ChangePassword", request, pb.Account)

    def show_self(self) -> pb.Self:
        """Say who the caller is to the node, and what they may."""
        return self._ask("Accounts/ShowSelf", pb.ShowSelfRequest(), pb.Self)

    def issue_token(
        self,
        name: str,
        password: str,
        code: str,
        *,
        token: str,
        scope: Sequence[str],
        expires_milliseconds: int,
    ) -> pb.IssuedToken:
        """Make a token that acts for an account by some of its powers."""
        request = pb.IssueTokenRequest(
            name=name,
            password=password,
            code=code,
            token=token,
            scope=scope,
            expires_milliseconds=expires_milliseconds,
        )
        return self._ask("Accounts/IssueToken", request, pb.IssuedToken)

    def list_tokens(self, name: str) -> Sequence[pb.Token]:
        """List an account's tokens, without their texts."""
        request = pb.ListTokensRequest(name=name)
        return self._ask("Accounts/ListTokens", request, pb.ListTokensReply).tokens

    def revoke_token(self, name: str, token: str) -> pb.Account:
        """End a token."""
        request = pb.RevokeTokenRequest(name=name, token=token)
        return self._ask("Accounts/RevokeToken", request, pb.Account)
