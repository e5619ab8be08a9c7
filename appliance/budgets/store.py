"""The table of what jobs have spent of datasets' privacy budgets; nothing is taken out of it."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

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
    spent_milliseconds: Mapped[int]


def spends_of(session: Session, dataset: str) -> Sequence[SpendRow]:
    """Return what was spent of a dataset, in the order of time."""
    order = (SpendRow.spent_milliseconds, SpendRow.job_id, SpendRow.peer)
    wanted = select(SpendRow).where(SpendRow.dataset == dataset).order_by(*order)
    return session.scalars(wanted).all()


def find_spend(session: Session, job_id: str, dataset: str, peer: str) -> SpendRow | None:
    """Return what a job has spent."""
    return session.get(SpendRow, (job_id, dataset, peer))
