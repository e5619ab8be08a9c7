"""All grants that this node knows, and the uses that jobs take of them.

Every method runs inside the caller's transaction, so that a use is taken together with what it is
taken for. A use is taken when the dataset's owner signs the contract; it is given back if the job
ends before it has begun, and never afterwards.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from appliance.contracts.envelope import parse_envelope, sign, verify, write_envelope
from appliance.grants import store as table
from appliance.grants.cover import Asked, require_covers
from appliance.grants.errors import (
    GrantMalformed,
    GrantNotFound,
    GrantRefused,
    GrantRevoked,
    GrantSpent,
)
from appliance.grants.grant import GRANT, Grant, grant_of, parse_grant, write_grant
from appliance.grants.store import GrantRow, GrantUseRow
from appliance.identity.errors import SignatureInvalid
from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId

_ANOTHER: Final = "ask the dataset's owner for another grant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A use of a grant that is taken for good: how many are taken now, and how many are left."""

    grant: str
    count: int
    left: int


class Grants:
    """Grants of this node's own and of its peers."""

    def __init__(self, key: IdentityKey) -> None:
        self._key = key

    def issue(self, session: Session, grant: Grant) -> str:
        """Sign and keep a grant of our own; return it in its envelope, for its grantees."""
        data = write_grant(grant)
        signature = sign(data, GRANT, self._key)
        _keep(session, grant, data, signature)
        return write_envelope(data, GRANT, {self._key.node_id: signature})

    def take_in(self, session: Session, grantor: NodeId, public_der: bytes, envelope: str) -> Grant:
        """Keep a grant that a peer gave this node; the same one again changes nothing.

        Raises: EnvelopeMalformed, GrantMalformed, SignatureInvalid.
        """
        signed = parse_envelope(envelope, GRANT)
        grant = parse_grant(signed.data)
        if grant.grantor_id != grantor:
            raise GrantMalformed(f"{grantor.short} sends a grant of {grant.grantor_id.short}")
        if self._key.node_id.text not in grant.grantees:
            raise GrantMalformed(f"{grantor.short} sends a grant that is not for this node")
        signature = signed.signatures.get(grantor.text)
        if signature is None:
            raise SignatureInvalid(f"the grant is not signed by {grantor.short}")
        verify(signed.data, GRANT, grantor, public_der, signature)
        known = table.find_grant(session, grant.id)
        if known is None:
            _keep(session, grant, signed.data, signature)
        elif known.body != signed.data:
            raise GrantMalformed(f"{grantor.short} sends another grant under a known id")
        return grant

    def envelope_of(self, session: Session, grant_id: str) -> str:
        """Return a grant as its grantor signed it. Raises: GrantNotFound."""
        row = _get(session, grant_id)
        grantor = NodeId(row.grantor)
        return write_envelope(row.body, GRANT, {grantor: row.signature})

    def find_for(self, session: Session, asked: Asked, now_milliseconds: int) -> Grant | None:
        """Return a grant for several jobs that covers what is asked and has a use left.

        Of several it is the soonest to end.
        """
        owner, dataset, service = asked.owner.text, asked.dataset, asked.service
        for body in table.standing_of(session, owner, dataset, service, now_milliseconds):
            grant = grant_of(body)
            with suppress(GrantRefused):
                _require_use(session, grant, asked, now_milliseconds)
                return grant
        return None

    def take_use(
        self, session: Session, grant_id: str, asked: Asked, now_milliseconds: int
    ) -> None:
        """Take one use for the job, if it has not been taken before.

        Raises: GrantNotFound, GrantRefused, GrantRevoked, GrantSpent.
        """
        row = _get(session, grant_id)
        if session.get(GrantUseRow, (asked.job, grant_id)) is not None:
            return
        _require_standing(row)
        _require_use(session, grant_of(row.body), asked, now_milliseconds)
        session.add(
            GrantUseRow(
                job_id=asked.job,
                grant_id=grant_id,
                taken_milliseconds=now_milliseconds,
                began_milliseconds=None,
            )
        )
        session.flush()

    def begin(self, session: Session, job_id: str, now_milliseconds: int) -> Sequence[Used]:
        """Note that the job begins, so that its uses are taken for good; return these.

        Raises: GrantRevoked if one was revoked meanwhile, GrantRefused if one has expired.
        """
        begun = []
        for use in table.uses_by_job(session, job_id):
            row = _get(session, use.grant_id)
            _require_standing(row)
            if use.began_milliseconds is None:
                _require_unexpired(row, now_milliseconds)
                use.began_milliseconds = now_milliseconds
                count = table.uses_taken(session, row.id)
                begun.append(Used(grant=row.id, count=count, left=row.uses - count))
        return begun

    def give_back(self, session: Session, job_id: str) -> None:
        """Give back the uses of a job that has ended without having begun.

        Grants for that job alone are forgotten, so that refused proposals leave nothing.
        """
        for use in table.uses_by_job(session, job_id):
            if use.began_milliseconds is not None:
                continue
            row = _get(session, use.grant_id)
            session.delete(use)
            session.flush()
            if grant_of(row.body).job == job_id:
                session.delete(row)
        session.flush()

    def revoke(
        self, session: Session, grantor: NodeId, grant_id: str, now_milliseconds: int
    ) -> Sequence[str]:
        """Have a grant cover nothing any more; return the jobs that took a use of it.

        Raises: GrantNotFound, also if it is not that grantor's; GrantRevoked if it was before.
        """
        row = _get(session, grant_id)
        if row.grantor != grantor.text:
            raise GrantNotFound(grant_id)
        _require_standing(row)
        row.revoked_milliseconds = now_milliseconds
        return table.jobs_of(session, grant_id)


def _keep(session: Session, grant: Grant, data: bytes, signature: bytes) -> None:
    session.add(
        GrantRow(
            id=grant.id,
            grantor=grant.grantor,
            dataset=grant.dataset,
            body=data,
            signature=signature,
            uses=grant.uses,
            is_standing=grant.job is None,
            issued_milliseconds=grant.issued,
            expires_milliseconds=grant.expires,
            revoked_milliseconds=None,
        )
    )
    session.flush()


def _get(session: Session, grant_id: str) -> GrantRow:
    row = table.find_grant(session, grant_id)
    if row is None:
        raise GrantNotFound(grant_id)
    return row


def _require_standing(row: GrantRow) -> None:
    if row.revoked_milliseconds is not None:
        raise GrantRevoked(f"the grant {row.id} was revoked by its owner", remedy=_ANOTHER)


def _require_use(session: Session, grant: Grant, asked: Asked, now_milliseconds: int) -> None:
    require_covers(grant, asked, now_milliseconds)
    if table.uses_taken(session, grant.id) >= grant.uses:
        raise GrantSpent(
            f"all {grant.uses} uses of the grant {grant.id} are taken", remedy=_ANOTHER
        )


def _require_unexpired(row: GrantRow, now_milliseconds: int) -> None:
    # One for this job alone ends with the time to sign in, which may be over by now.
    if row.is_standing and now_milliseconds >= row.expires_milliseconds:
        raise GrantRefused(f"the grant {row.id} has expired", remedy=_ANOTHER)
