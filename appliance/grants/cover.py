"""Whether a grant covers what a contract asks of its dataset. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.grants.errors import GrantRefused
from appliance.grants.grant import Grant
from appliance.identity.node_id import NodeId
from services.demand import ColumnUse


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedColumn:
    """What a contract makes of one column, and whom it shows the values."""

    uses: frozenset[ColumnUse]
    shown_to: frozenset[NodeId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a contract asks of one party's dataset.

    others: the other parties' nodes, each of which must be granted it.
    """

    job: str
    owner: NodeId
    others: frozenset[NodeId]
    dataset: str
    fingerprint: str
    service: str
    columns: Mapping[str, AskedColumn]


def require_covers(grant: Grant, asked: Asked, now_milliseconds: int) -> None:
    """Return if the grant covers all that is asked, now.

    Uses are counted elsewhere, in the transaction that takes one.
    Raises: GrantRefused, naming the first thing that goes beyond the grant.
    """
    if grant.grantor_id != asked.owner:
        raise _refused(grant, f"it is of {grant.grantor_id.short}, not of {asked.owner.short}")
    for node in sorted(asked.others, key=lambda node: node.text):
        if node.text not in grant.grantees:
            raise _refused(grant, f"it is not granted to {node.short}")
    if grant.job not in (None, asked.job):
        raise _refused(grant, f"it is for the job {grant.job} alone")
    if grant.dataset != asked.dataset:
        raise _refused(grant, f"it is for the dataset {grant.dataset}, not for {asked.dataset}")
    if grant.fingerprint != asked.fingerprint:
        raise _refused(grant, f"{grant.dataset} has changed since it was granted")
    if grant.service != asked.service:
        raise _refused(grant, f"it is for {grant.service}, not for {asked.service}")
    if now_milliseconds >= grant.expires:
        late = (now_milliseconds - grant.expires) // 1000
        raise _refused(grant, f"it has expired {late} s ago")
    _require_columns(grant, asked)


def _require_columns(grant: Grant, asked: Asked) -> None:
    granted = {column.name: column for column in grant.columns}
    for name, column in sorted(asked.columns.items()):
        found = granted.get(name)
        if found is None:
            raise _refused(grant, f"it does not grant the column {name}")
        allowed = {one for use in found.uses for one in use.implied}
        for use in sorted(column.uses - allowed, key=lambda use: use.value):
            raise _refused(grant, f"it does not grant the column {name} as {use.value}")
        for node in sorted(column.shown_to, key=lambda node: node.text):
            if node.text not in found.shown_to:
                raise _refused(grant, f"it does not let {node.short} see the column {name}")


def _refused(grant: Grant, why: str) -> GrantRefused:
    return GrantRefused(
        f"the grant {grant.id} does not cover the job: {why}",
        remedy="propose what is granted, or ask the dataset's owner for another grant",
    )
