"""The tables of grants and of the uses that jobs have taken."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    ForeignKey,
    Index,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.store.reading import read
from appliance.store.schema import Row


class GrantRow(Row):
    """A grant of ours or of a peer's; what is beside its bytes is there to be looked for."""

    __tablename__ = "grants"
    __table_args__ = (Index("ix_grants_grantor_dataset", "grantor", "dataset"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    grantor: Mapped[str]
    dataset: Mapped[str]
    # The canonical bytes, and the grantor's signature on them.
    body: Mapped[bytes]
    signature: Mapped[bytes]
    uses: Mapped[int]
    # Whether it is for more than one job.
    is_standing: Mapped[bool]
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


_NEVER: Final = 2**62
# Composed once: each decision asks, and to compose these takes longer than to run them.
_OF_DATASET: Final = and_(
    GrantRow.grantor == bindparam("grantor"), GrantRow.dataset == bindparam("dataset")
)
_COUNT: Final = (
    select(
        func.count(),
        func.count(case((GrantUseRow.taken_milliseconds >= bindparam("since"), 1))),
    )
    .select_from(GrantUseRow)
    .join(GrantRow, GrantRow.id == GrantUseRow.grant_id)
    .where(
        _OF_DATASET,
        tuple_(GrantUseRow.taken_milliseconds, GrantUseRow.job_id)
        < tuple_(bindparam("time", type_=Integer), bindparam("job", type_=Text)),
    )
)
_STANDING: Final = (
    select(GrantRow.body)
    .where(
        _OF_DATASET,
        GrantRow.is_standing,
        GrantRow.revoked_milliseconds.is_(None),
        GrantRow.expires_milliseconds > bindparam("now"),
        func.json_extract(cast(GrantRow.body, Text), "$.service") == bindparam("service"),
    )
    .order_by(GrantRow.expires_milliseconds, GrantRow.id)
)
_TAKEN_AT: Final = (
    select(GrantUseRow.taken_milliseconds)
    .join(GrantRow, GrantRow.id == GrantUseRow.grant_id)
    .where(GrantUseRow.job_id == bindparam("job"), GrantRow.grantor == bindparam("grantor"))
    .limit(1)
)


def find_grant(session: Session, grant_id: str) -> GrantRow | None:
    """Return a grant by its id."""
    return session.get(GrantRow, grant_id)


def standing_of(
    session: Session, grantor: str, dataset: str, service: str, now_milliseconds: int
) -> Sequence[bytes]:
    """Return the grants for several jobs of a service that stand, the soonest to end first."""
    asked = {
        "grantor": grantor,
        "dataset": dataset,
        "service": service,
        "now": now_milliseconds,
    }
    return [row.body for row in read(session, _STANDING, asked)]


def taken_at(session: Session, job_id: str, grantor: str) -> int | None:
    """Return when a job took a use of a node's grant, None if it took none."""
    rows = read(session, _TAKEN_AT, {"job": job_id, "grantor": grantor})
    return rows[0].taken_milliseconds if rows else None


def uses_taken(session: Session, grant_id: str) -> int:
    """Return how many uses of a grant are taken."""
    taken = select(func.count()).where(GrantUseRow.grant_id == grant_id)
    return session.scalar(taken) or 0


def count_uses(
    session: Session,
    grantor: str,
    dataset: str,
    *,
    since_milliseconds: int = 0,
    before: tuple[int, str] | None = None,
) -> tuple[int, int]:
    """Return how many uses of a dataset, by any grant, are taken in all, and since then.

    before: the time and the job of a use that others are counted before.
    """
    time, job = before or (_NEVER, "")
    asked = {
        "grantor": grantor,
        "dataset": dataset,
        "since": since_milliseconds,
        "time": time,
        "job": job,
    }
    in_all, since = read(session, _COUNT, asked)[0]
    return in_all, since


def uses_by_job(session: Session, job_id: str) -> Sequence[GrantUseRow]:
    """Return the uses that a job has taken."""
    wanted = select(GrantUseRow).where(GrantUseRow.job_id == job_id)
    return session.scalars(wanted.order_by(GrantUseRow.grant_id)).all()


def count_taken(session: Session, job_id: str, grantor: str) -> int:
    """Return how many uses a job has taken of a node's grants."""
    taken = select(func.count()).select_from(GrantUseRow).join(GrantRow)
    wanted = taken.where(GrantUseRow.job_id == job_id, GrantRow.grantor == grantor)
    return session.scalar(wanted) or 0


def jobs_of(session: Session, grant_id: str) -> Sequence[str]:
    """Return the jobs that have taken a use of a grant."""
    wanted = select(GrantUseRow.job_id).where(GrantUseRow.grant_id == grant_id)
    return session.scalars(wanted.order_by(GrantUseRow.job_id)).all()


def standing_grants(session: Session) -> Sequence[GrantRow]:
    """Return the grants that are for more than one job, the newest first."""
    wanted = select(GrantRow).where(GrantRow.is_standing)
    order = (GrantRow.issued_milliseconds.desc(), GrantRow.id)
    return session.scalars(wanted.order_by(*order)).all()


def forget_ended(session: Session, grantor: str, now_milliseconds: int) -> None:
    """Forget a node's grants for more than one job that no job used and none can any more."""
    has_ended = or_(
        GrantRow.expires_milliseconds <= now_milliseconds,
        GrantRow.revoked_milliseconds.is_not(None),
    )
    used = select(GrantUseRow.grant_id)
    session.execute(
        delete(GrantRow).where(
            GrantRow.grantor == grantor, GrantRow.is_standing, has_ended, GrantRow.id.not_in(used)
        )
    )


def count_standing(session: Session, grantor: str) -> int:
    """Return how many grants for more than one job are kept of a node."""
    wanted = select(func.count()).where(GrantRow.grantor == grantor, GrantRow.is_standing)
    return session.scalar(wanted) or 0
