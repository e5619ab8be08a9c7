"""The table of what jobs have spent of datasets' privacy budgets: for good, once they began."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.store.reading import read
from appliance.store.schema import Row


class SpendRow(Row):
    """What one job has spent of one dataset, toward the peers that it told something.

    A dataset keeps its spends when it is registered anew under its name, and when it is removed:
    what has been told is known.
    """

    __tablename__ = "budget_spends"

    job_id: Mapped[str] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(primary_key=True, index=True)
    peer: Mapped[str] = mapped_column(primary_key=True)
    # Decimal numbers, exactly.
    epsilon: Mapped[str]
    delta: Mapped[str]
    # When the job was signed here, and when it began; until then a loss comes back if it ends.
    signed_milliseconds: Mapped[int]
    began_milliseconds: Mapped[int | None]


class PastSpend(NamedTuple):
    """What is asked of each row when the spends of a dataset are summed up."""

    job_id: str
    peer: str
    epsilon: str
    delta: str
    signed_milliseconds: int


_OF_DATASET: Final = (
    select(
        SpendRow.job_id,
        SpendRow.peer,
        SpendRow.epsilon,
        SpendRow.delta,
        SpendRow.signed_milliseconds,
    )
    .where(SpendRow.dataset == bindparam("dataset"))
    .order_by(SpendRow.signed_milliseconds, SpendRow.job_id, SpendRow.peer)
)


def spends_of(session: Session, dataset: str) -> Sequence[PastSpend]:
    """Return what is spent of a dataset, in the order of time."""
    return [PastSpend(*row) for row in read(session, _OF_DATASET, {"dataset": dataset})]


def find_spend(session: Session, job_id: str, dataset: str, peer: str) -> SpendRow | None:
    """Return what a job has spent."""
    return session.get(SpendRow, (job_id, dataset, peer))


def spends_by_job(session: Session, job_id: str) -> Sequence[SpendRow]:
    """Return what a job has spent, of all datasets."""
    return session.scalars(select(SpendRow).where(SpendRow.job_id == job_id)).all()
