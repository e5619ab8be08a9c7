"""What people are on a node, what each may do, and what nobody may be at once. Pure.

The three administrators share nothing but what everybody may read, there is no role above them,
and none of them reads business data.
"""

from collections.abc import Collection, Iterable
from enum import Enum
from typing import Final

from appliance.accounts.errors import RolesConflict


class Power(Enum):
    """One thing that somebody may do. A call names the one that it needs (permissions.py)."""

    READ_NODE = "see who the node is, how it fares, its peers, and what it can compute"
    READ_MACHINE = "read the machine's settings, versions and log"
    ORDER_MACHINE = "set the network and the time, restart, and switch off"
    KEEP_DISK_KEYS = "have a recovery key made, and bind the disk"
    ERASE_MACHINE = "make all that the machine keeps unreadable"
    UPDATE_SYSTEM = "install other versions of the system"
    MANAGE_PEERS = "pair with other nodes and end it"
    MANAGE_ACCOUNTS = "say who may do what here"
    MANAGE_POLICIES = "say what holds for all datasets of the node"
    READ_LEDGER = "read and verify the whole ledger"
    EXPORT_LEDGER = "take the ledger out of the node"
    PRUNE_LEDGER = "forget old entries of the ledger"
    READ_DATASETS = "see which datasets there are, and their columns"
    REGISTER_DATASETS = "bring tables to the node, and remove them"
    GRANT = "say which peers may use a dataset, and how"
    READ_JOBS = "see the node's jobs"
    SUBMIT_JOBS = "propose jobs"
    APPROVE_JOBS = "sign or reject what others propose"
    CANCEL_JOBS = "stop jobs"
    READ_RESULTS = "read what jobs have computed"


class Role(Enum):
    """What somebody is on this node."""

    SYSTEM_ADMINISTRATOR = "system administrator"
    SECURITY_ADMINISTRATOR = "security administrator"
    AUDITOR = "auditor"
    DATA_OWNER = "data owner"
    ANALYST = "analyst"

    @property
    def is_administrator(self) -> bool:
        """Whether it is one of the three who look after the node."""
        return self in ADMINISTRATORS


ADMINISTRATORS: Final = frozenset(
    {Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDITOR}
)
ALL_POWERS: Final = frozenset(Power)
NO_POWERS: Final[frozenset[Power]] = frozenset()
EVERYBODYS: Final = frozenset({Power.READ_NODE})
"""What whoever has a role may."""

POWERS: Final[dict[Role, frozenset[Power]]] = {
    Role.SYSTEM_ADMINISTRATOR: EVERYBODYS
    | {
        Power.READ_MACHINE,
        Power.ORDER_MACHINE,
        Power.KEEP_DISK_KEYS,
        Power.ERASE_MACHINE,
        Power.UPDATE_SYSTEM,
    },
    Role.SECURITY_ADMINISTRATOR: EVERYBODYS
    | {Power.MANAGE_PEERS, Power.MANAGE_ACCOUNTS, Power.MANAGE_POLICIES},
    Role.AUDITOR: EVERYBODYS | {Power.READ_LEDGER, Power.EXPORT_LEDGER, Power.PRUNE_LEDGER},
    Role.DATA_OWNER: EVERYBODYS
    | {
        Power.READ_DATASETS,
        Power.REGISTER_DATASETS,
        Power.GRANT,
        Power.READ_JOBS,
        Power.APPROVE_JOBS,
        Power.CANCEL_JOBS,
    },
    Role.ANALYST: EVERYBODYS
    | {
        Power.READ_DATASETS,
        Power.READ_JOBS,
        Power.SUBMIT_JOBS,
        Power.CANCEL_JOBS,
        Power.READ_RESULTS,
    },
}
BUSINESS: Final = (POWERS[Role.DATA_OWNER] | POWERS[Role.ANALYST]) - EVERYBODYS
"""What concerns the organisation's data; no administrator has any of it."""


def powers_of(roles: Iterable[Role]) -> frozenset[Power]:
    """Return what somebody of these roles may do."""
    return NO_POWERS.union(*(POWERS[role] for role in roles))


def require_compatible(roles: Collection[Role]) -> None:
    """Return if one account may hold these roles at once. Raises: RolesConflict."""
    held = sorted({role.value for role in roles})
    if not held or (len(held) > 1 and any(role.is_administrator for role in roles)):
        raise RolesConflict(held)


def holders(power: Power) -> tuple[str, ...]:
    """Return the names of the roles that have a power."""
    return tuple(role.value for role in Role if power in POWERS[role])
