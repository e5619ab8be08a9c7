"""The tables of grants and of the uses that jobs have taken."""

from collections.abc import Sequence

from sqlalchemy import ForeignKey, func, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.store.schema import Row


class GrantRow(Row):
    """A grant of ours or of a peer's; what is beside its bytes is there to be looked for."""

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(primary_key=True)
    grantor: Mapped[str] = mapped_column(index=True)
    dataset: Mapped[str]
    # The canonical bytes, and the grantor's signature on them.
    body: Mapped[bytes]
    signature: Mapped[bytes]
    uses: Mapped[int]
    issued_milliseconds: Mapped[int]
    expires_milliseconds: Mapped[int]
    revoked_milliseconds: Mapped[int | None]


class GrantUseRow(Row):
    """One use of a grant, taken by a job: reserved when its owner signs, then for good."""

    __tablename__ = "grant_uses"

    job_id: Mapped[str] = mapped_column(primary_key=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey("grants.id"), primary_key=True, index=True)
    taken_milliseconds: Mapped[int]
    # When the job began; until then the use comes back if the job ends.
    began_milliseconds: Mapped[int | None]


def find_grant(session: Session, grant_id: str) -> GrantRow | None:
    """Return a grant by its id."""
    return session.get(GrantRow, grant_id)


def grants_of(session: Session, grantor: str, dataset: str) -> Sequence[GrantRow]:
    """Return the grants of one dataset that are not revoked, the soonest to expire first."""
    wanted = select(GrantRow).where(
        GrantRow.grantor == grantor,
        GrantRow.dataset == dataset,
        GrantRow.revoked_milliseconds.is_(None),
    )
    order = (GrantRow.expires_milliseconds, GrantRow.id)
    return session.scalars(wanted.order_by(*order)).all()


def uses_taken(session: Session, grant_id: str) -> int:
    """Return how many uses of a grant are taken."""
    taken = select(func.count()).where(GrantUseRow.grant_id == grant_id)
    return session.scalar(taken) or 0


def uses_taken_of(
    session: Session,
    grantor: str,
    dataset: str,
    *,
    since_milliseconds: int = 0,
    before: tuple[int, str] | None = None,
) -> int:
    """Return how many uses of a dataset, by any grant, are taken since then.

    before: the time and the job of a use that others are counted before.
    """
    taken = (
        select(func.count(GrantUseRow.job_id))
        .join(GrantRow, GrantRow.id == GrantUseRow.grant_id)
        .where(
            GrantRow.grantor == grantor,
            GrantRow.dataset == dataset,
            GrantUseRow.taken_milliseconds >= since_milliseconds,
        )
    )
    if before is not None:
        place = tuple_(GrantUseRow.taken_milliseconds, GrantUseRow.job_id)
        taken = taken.where(place < before)
    return session.scalar(taken) or 0


def uses_by_job(session: Session, job_id: str) -> Sequence[GrantUseRow]:
    """Return the uses that a job has taken."""
    wanted = select(GrantUseRow).where(GrantUseRow.job_id == job_id)
    return session.scalars(wanted.order_by(GrantUseRow.grant_id)).all()


def jobs_of(session: Session, grant_id: str) -> Sequence[str]:
    """Return the jobs that have taken a use of a grant."""
    wanted = select(GrantUseRow.job_id).where(GrantUseRow.grant_id == grant_id)
    return session.scalars(wanted.order_by(GrantUseRow.job_id)).all()


def find_use(session: Session, job_id: str, grantor: str) -> GrantUseRow | None:
    """Return the use that a job has taken of a grant of this node's."""
    wanted = (
        select(GrantUseRow)
        .join(GrantRow, GrantRow.id == GrantUseRow.grant_id)
        .where(GrantUseRow.job_id == job_id, GrantRow.grantor == grantor)
    )
    return session.scalars(wanted.limit(1)).first()
