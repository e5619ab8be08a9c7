"""The policies of this node's datasets, in versions. All runs inside the caller's transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.orm import Session

from appliance.identity.node_id import NodeId
from appliance.policies import store as table
from appliance.policies.document import parse_policy, pin_peers
from appliance.policies.errors import PolicyConflict
from appliance.policies.policy import Policy, digest_of
from appliance.policies.store import Newest, PolicyRow
from appliance.policies.writing import write_policy

_KEPT_PARSED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a policy; ``policy`` is None where it was taken away, or never was."""

    number: int
    policy: Policy | None
    digest: str


NONE_YET = Version(number=0, policy=None, digest="")


def current(session: Session, dataset: str) -> Version:
    """Return what holds for a dataset now."""
    row = table.newest(session, dataset)
    return NONE_YET if row is None else version_of(row)


def change(
    session: Session,
    dataset: str,
    text: str,
    peers: Mapping[str, NodeId],
    *,
    over: int,
    by: str,
    now_milliseconds: int,
) -> Version:
    """Put a policy in place of the version ``over``; an empty text takes it away.

    peers: those that this node knows, by name.
    Raises: PolicyInvalid; PolicyConflict if somebody else changed it meanwhile.
    """
    before = current(session, dataset)
    if before.number != over:
        raise PolicyConflict(dataset, over, before.number)
    policy = pin_peers(parse_policy(text), peers) if text else None
    row = PolicyRow(
        dataset=dataset,
        version=before.number + 1,
        text=write_policy(policy) if policy else "",
        digest=digest_of(policy) if policy else "",
        changed_by=by,
        changed_milliseconds=now_milliseconds,
    )
    session.add(row)
    session.flush()
    return version_of(row)


def version_of(row: PolicyRow | Newest) -> Version:
    """Return a row as what it says."""
    policy = _parsed(row.text) if row.text else None
    return Version(number=row.version, policy=policy, digest=row.digest)


@lru_cache(maxsize=_KEPT_PARSED)
def _parsed(text: str) -> Policy:
    return parse_policy(text)
