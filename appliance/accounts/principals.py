"""Who calls: a logged-in account, a user id of this machine, or an operator's pinned key."""

import os
from dataclasses import dataclass
from enum import Enum
from typing import Self

from appliance.accounts.roles import Power, Role
from appliance.identity.node_id import NodeId


class PrincipalKind(Enum):
    """By what somebody is known."""

    ACCOUNT = "account"
    UID = "uid"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody as the node knows them. value: an account's id, a user id, or a key's id."""

    kind: PrincipalKind
    value: str

    @classmethod
    def of_account(cls, account_id: str) -> Self:
        """Return who has logged in to an account, or calls with one of its API tokens."""
        return cls(kind=PrincipalKind.ACCOUNT, value=account_id)

    @classmethod
    def of_uid(cls, uid: int) -> Self:
        """Return who runs programs on this machine under a user id."""
        return cls(kind=PrincipalKind.UID, value=str(uid))

    @classmethod
    def of_operator(cls, key: NodeId) -> Self:
        """Return who has an operator's key."""
        return cls(kind=PrincipalKind.OPERATOR, value=key.text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return whom ``str`` wrote."""
        kind, _, value = text.partition(" ")
        return cls(kind=PrincipalKind(kind), value=value)

    def __str__(self) -> str:
        return f"{self.kind.value} {self.value}"


def is_sovereign(principal: Principal) -> bool:
    """Tell whether somebody may do all: the node's own user or root, who can read what it can."""
    return principal in (Principal.of_uid(os.getuid()), Principal.of_uid(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One of the node's people, as far as two of them are told apart.

    principal: the account's, if the call came by what acts as one; so two are the same person if
               these are equal.
    name:      for people, in what is noted.
    roles:     those of the account; none where there is no account.
    """

    principal: Principal
    name: str
    powers: frozenset[Power]
    roles: frozenset[Role] = frozenset()

    @property
    def id(self) -> str:
        """Return what tells two people apart."""
        return str(self.principal)
