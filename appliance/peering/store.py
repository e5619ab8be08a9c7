"""The tables of peers and invitations."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.identity.node_id import NodeId
from appliance.peering.states import (
    WRONG_CODES_ALLOWED,
    InvitationEvent,
    InvitationState,
    PeerState,
)
from appliance.store.schema import Row


class PeerRow(Row):
    """A node that this one has ever paired with, or tried to."""

    __tablename__ = "peers"

    node_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    # The identity certificate, DER: the pin.
    certificate: Mapped[bytes]
    # Where it is called, and what it last said of that itself.
    address: Mapped[str]
    introduced_address: Mapped[str]
    version: Mapped[str]
    state: Mapped[str]
    pairing: Mapped[str]
    # Empty once it has served.
    authentication_string: Mapped[str]
    # Whether it has still to be told that the pairing ended.
    owes_farewell: Mapped[bool]
    changed_milliseconds: Mapped[int]
    last_seen_milliseconds: Mapped[int]


class InvitationRow(Row):
    """An invitation that this node made. Its code is not here: it is kept in memory alone."""

    __tablename__ = "invitations"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - a number is never used again

    number: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
    state: Mapped[str]
    wrong_codes: Mapped[int]
    created_milliseconds: Mapped[int]
    expires_milliseconds: Mapped[int]


def all_peers(session: Session) -> Sequence[PeerRow]:
    """Return all peers by name."""
    return session.scalars(select(PeerRow).order_by(PeerRow.name)).all()


def find_peer(session: Session, node_id: NodeId) -> PeerRow | None:
    """Return a peer, if it is known."""
    return session.get(PeerRow, node_id.text)


def free_name(session: Session, wanted: str, taken_here: str) -> str:
    """Return the name, numbered if this node or another peer bears it, or an id begins so."""
    taken = {taken_here, *session.scalars(select(PeerRow.name))}
    ids = {node_id.short for node_id in map(NodeId, session.scalars(select(PeerRow.node_id)))}
    name, number = wanted, 1
    while name in taken or name.upper() in ids:
        number += 1
        suffix = f"-{number}"
        name = wanted[: 64 - len(suffix)].rstrip() + suffix
    return name


def has_namesake(session: Session, node_id: NodeId) -> bool:
    """Tell whether another peer's id begins like this one, or its name is that beginning."""
    others = (row for row in all_peers(session) if row.node_id != node_id.text)
    return any(node_id.short in (NodeId(row.node_id).short, row.name.upper()) for row in others)


def add_invitation(
    session: Session, address: str, now_milliseconds: int, life_milliseconds: int
) -> InvitationRow:
    """Return a new open invitation, numbered."""
    row = InvitationRow(
        address=address,
        state=InvitationState.OPEN.value,
        wrong_codes=0,
        created_milliseconds=now_milliseconds,
        expires_milliseconds=now_milliseconds + life_milliseconds,
    )
    session.add(row)
    session.flush()
    return row


def all_invitations(session: Session) -> Sequence[InvitationRow]:
    """Return all invitations, newest first."""
    return session.scalars(select(InvitationRow).order_by(InvitationRow.number.desc())).all()


def find_invitation(session: Session, number: int) -> InvitationRow | None:
    """Return an invitation, if there is one of this number."""
    return session.get(InvitationRow, number)


def remove_invitations(session: Session, before_milliseconds: int) -> None:
    """Forget ended invitations that expired before then."""
    session.execute(
        delete(InvitationRow).where(
            InvitationRow.expires_milliseconds < before_milliseconds,
            InvitationRow.state != InvitationState.OPEN.value,
        )
    )


def change_invitation(row: InvitationRow, event: InvitationEvent) -> InvitationState:
    """Let the event happen to an invitation and return its new state. Raises: IllegalTransition."""
    after = InvitationState(row.state).after(event)
    row.state = after.value
    return after


def count_wrong_code(row: InvitationRow) -> InvitationState:
    """Count one wrong code against an open invitation; the last one allowed kills it."""
    is_last = row.wrong_codes + 1 >= WRONG_CODES_ALLOWED
    state = change_invitation(
        row, InvitationEvent.LAST_WRONG_CODE if is_last else InvitationEvent.WRONG_CODE
    )
    row.wrong_codes += 1
    return state


def open_invitations(session: Session) -> Sequence[InvitationRow]:
    """Return the invitations that are open."""
    return session.scalars(
        select(InvitationRow).where(InvitationRow.state == InvitationState.OPEN.value)
    ).all()


def state_of(row: PeerRow) -> PeerState:
    """Return where a pairing stands."""
    return PeerState(row.state)
