"""The table of policies: every version of each, as a job is signed under one of them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.store.schema import Row


class PolicyRow(Row):
    """One version of a dataset's policy, as its owner wrote it, but with node ids for names.

    An empty text says that the policy was taken away.
    """

    __tablename__ = "policies"

    dataset: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    # SHA-256 of the canonical form, hexadecimal; empty with the text.
    digest: Mapped[str]
    changed_by: Mapped[str]
    changed_milliseconds: Mapped[int]


def newest(session: Session, dataset: str) -> PolicyRow | None:
    """Return the newest version of a dataset's policy, None if it never had one."""
    wanted = select(PolicyRow).where(PolicyRow.dataset == dataset)
    return session.scalars(wanted.order_by(PolicyRow.version.desc()).limit(1)).first()


def versions_of(session: Session, dataset: str) -> Sequence[PolicyRow]:
    """Return the versions of a dataset's policy, the newest first."""
    wanted = select(PolicyRow).where(PolicyRow.dataset == dataset)
    return session.scalars(wanted.order_by(PolicyRow.version.desc())).all()
