"""What can go wrong with accounts, and with those who come by them."""

from collections.abc import Sequence

from services.errors import ConfigError


class RolesConflict(ConfigError):
    """One account cannot hold these roles at once."""

    def __init__(self, held: Sequence[str]) -> None:
        super().__init__(
            f"one account cannot be {' and '.join(held) or 'without any role'}",
            remedy="an administrator's account has that one role, any other has one or two",
        )


class RoleUnknown(ConfigError):
    """A word names no role."""

    def __init__(self, word: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no role {word[:64]!r}", remedy=f"the roles are: {', '.join(known)}"
        )


class PowerUnknown(ConfigError):
    """A word names no power."""

    def __init__(self, word: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no power {word[:64]!r}", remedy=f"the powers are: {', '.join(known)}"
        )


class AccountNameInvalid(ConfigError):
    """A name cannot be an account's."""

    def __init__(self) -> None:
        super().__init__(
            "an account's name has 1 to 32 of a-z, 0-9, dot, dash and underscore, and begins with"
            " a letter",
            remedy='choose such a name, as "wei.zhang"',
        )


class AccountNameTaken(ConfigError):
    """Another account has or had this name; what it did stays under it for ever."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is or was an account {name}", remedy="choose a name that was never used"
        )


class AccountNotFound(ConfigError):
    """No account has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no account {name[:64]!r}", remedy="see the list of accounts")


class TooManyAccounts(ConfigError):
    """The node has as many accounts as it may."""


class OwnAccount(ConfigError):
    """Nobody changes what the own account may do."""

    def __init__(self) -> None:
        super().__init__(
            "nobody changes the roles of the own account, or disables or resets it",
            remedy="another security administrator can",
        )


class LastSecurityAdministrator(ConfigError):
    """Without this account nobody could say any more who may do what."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is the last security administrator who can log in",
            remedy="first make another one, who enrols",
        )


class SetUpAlready(ConfigError):
    """The node has accounts; more are made by a security administrator."""

    def __init__(self) -> None:
        super().__init__(
            "this node has accounts already", remedy="a security administrator makes more"
        )


class SetUpIncomplete(ConfigError):
    """A node's first accounts are its three administrators, and who makes them is one of them."""

    def __init__(self, what: str) -> None:
        super().__init__(
            what,
            remedy="name a system administrator, a security administrator and an auditor, three"
            " people, and say which of them you are",
        )


class PrincipalUnbindable(ConfigError):
    """What an account can be bound to is a local user id or an operator's key."""


class PasswordUnfit(ConfigError):
    """A password that is to be set is too short, too long, or too easily guessed."""


class LoginRefused(ConfigError):
    """Name, password or code is wrong; which of them is told to nobody."""

    def __init__(self) -> None:
        super().__init__(
            "name, password or code is wrong, or the account is not to be used",
            remedy="a code is good once: wait for the next one",
        )


class LoginDelayed(ConfigError):
    """There were too many wrong tries in a row; the next is heard after a while."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"too many wrong tries; the next is heard in {max(1, round(seconds))} seconds",
            remedy="wait; a source from which this account has logged in before waits for itself"
            " alone",
        )


class LoginBusy(ConfigError):
    """Too many are logging in at once."""

    def __init__(self) -> None:
        super().__init__("too many are logging in at once", remedy="try again in a moment")


class SessionEnded(ConfigError):
    """The session is not, or no longer, one of this node's."""

    def __init__(self) -> None:
        super().__init__("you are not logged in, or no longer", remedy="log in")


class EnrolmentRefused(ConfigError):
    """Name or enrolment code is wrong, or the code was used or has expired."""

    def __init__(self) -> None:
        super().__init__(
            "name or enrolment code is wrong, or the code was used or has expired",
            remedy="ask a security administrator for a new code",
        )


class CodeWrong(ConfigError):
    """The code is not one that the authenticator shows now."""

    def __init__(self) -> None:
        super().__init__(
            "the code is not one that the authenticator shows now",
            remedy="type the code that it shows; if it is refused again, compare both clocks",
        )


class TokenRefused(ConfigError):
    """An API token is unknown, revoked or expired."""

    def __init__(self) -> None:
        super().__init__(
            "the API token is unknown, revoked or expired", remedy="make another token"
        )


class TokenUnfit(ConfigError):
    """No API token may be as it was asked for."""


class TokenNotFound(ConfigError):
    """The account has no API token of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the account has no API token {name[:64]!r}", remedy="see the list of its tokens"
        )


class SecretSealed(ConfigError):
    """A secret of an account cannot be read with the sealing key that this machine gives out."""
