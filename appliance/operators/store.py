"""The table of operators."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.identity.node_id import NodeId
from appliance.store.schema import Row


class OperatorRow(Row):
    """Somebody who may administer this node from afar."""

    __tablename__ = "operators"

    # Of the key, in the form of a node id.
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    # The certificate of the operator's key, DER: the pin.
    certificate: Mapped[bytes]
    enrolled_milliseconds: Mapped[int]


def all_operators(session: Session) -> Sequence[OperatorRow]:
    """Return all operators by name."""
    return session.scalars(select(OperatorRow).order_by(OperatorRow.name)).all()


def free_name(session: Session, wanted: str, key: NodeId) -> str:
    """Return the name, numbered if another operator bears it."""
    taken = {row.name for row in all_operators(session) if row.id != key.text}
    name, number = wanted, 1
    while name in taken:
        number += 1
        suffix = f"-{number}"
        name = wanted[: 64 - len(suffix)].rstrip() + suffix
    return name


def put_operator(session: Session, row: OperatorRow) -> None:
    """Note an operator, in place of what was noted of the same key."""
    session.merge(row)


def remove_operator(session: Session, key: NodeId) -> None:
    """Forget an operator."""
    row = session.get(OperatorRow, key.text)
    if row is not None:
        session.delete(row)
