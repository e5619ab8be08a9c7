"""The table of policies: every version of each, as a job is signed under one of them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.store.reading import read
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


class Newest(NamedTuple):
    """What each decision asks of a policy's row."""

    version: int
    text: str
    digest: str


# Composed once: each decision asks, and to compose it takes longer than to run it.
_NEWEST: Final = (
    select(PolicyRow.version, PolicyRow.text, PolicyRow.digest)
    .where(PolicyRow.dataset == bindparam("dataset"))
    .order_by(PolicyRow.version.desc())
    .limit(1)
)


def newest(session: Session, dataset: str) -> Newest | None:
    """Return the newest version of a dataset's policy, None if it never had one."""
    rows = read(session, _NEWEST, {"dataset": dataset})
    return Newest(*rows[0]) if rows else None


def versions_of(session: Session, dataset: str) -> Sequence[PolicyRow]:
    """Return the versions of a dataset's policy, the newest first."""
    wanted = select(PolicyRow).where(PolicyRow.dataset == dataset)
    return session.scalars(wanted.order_by(PolicyRow.version.desc())).all()
