"""The mailbox's tables: what waits to be delivered, and how far each peer's letters have come."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.identity.node_id import NodeId
from appliance.mailbox.letters import Kind, Letter
from appliance.store.schema import Row


class LetterOutRow(Row):
    """A letter that the peer has not acknowledged."""

    __tablename__ = "letters_out"

    peer: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    body: Mapped[bytes]
    written_milliseconds: Mapped[int]


class MailboxRow(Row):
    """How many letters went to and came from a peer, ever. It outlives the pairing."""

    __tablename__ = "mailboxes"

    peer: Mapped[str] = mapped_column(primary_key=True)
    written: Mapped[int]
    received: Mapped[int]
    # What the last letter's receipt said, should the peer have missed it.
    last_refusal: Mapped[str]


def mailbox_of(session: Session, peer: NodeId) -> MailboxRow:
    """Return the peer's counters, made at first use."""
    row = session.get(MailboxRow, peer.text)
    if row is None:
        row = MailboxRow(peer=peer.text, written=0, received=0, last_refusal="")
        session.add(row)
        session.flush()
    return row


def add_letter(
    session: Session, peer: NodeId, kind: Kind, body: bytes, now_milliseconds: int
) -> None:
    """Put a letter behind all that wait for this peer."""
    mailbox = mailbox_of(session, peer)
    mailbox.written += 1
    session.add(
        LetterOutRow(
            peer=peer.text,
            number=mailbox.written,
            kind=kind.value,
            body=body,
            written_milliseconds=now_milliseconds,
        )
    )
    session.flush()


def first_letter(session: Session, peer: NodeId) -> Letter | None:
    """Return the letter to deliver next; None if only void ones wait, or none."""
    there = select(LetterOutRow.number).where(
        LetterOutRow.peer == peer.text, LetterOutRow.kind != Kind.VOID.value
    )
    if session.scalar(there.limit(1)) is None:
        return None
    row = session.scalars(
        select(LetterOutRow)
        .where(LetterOutRow.peer == peer.text)
        .order_by(LetterOutRow.number)
        .limit(1)
    ).one()
    return Letter(number=row.number, kind=row.kind, body=row.body)


def remove_letter(session: Session, peer: NodeId, number: int) -> None:
    """Forget a letter that was acknowledged."""
    session.execute(
        delete(LetterOutRow).where(LetterOutRow.peer == peer.text, LetterOutRow.number == number)
    )


def void_letters(session: Session, peer: NodeId, body: bytes) -> None:
    """Take the content from all letters that wait for a peer; their numbers stay."""
    session.execute(
        update(LetterOutRow)
        .where(LetterOutRow.peer == peer.text)
        .values(kind=Kind.VOID.value, body=body)
    )


def count_letters(session: Session, peer: NodeId) -> int:
    """Return how many letters with content wait for a peer."""
    count = select(func.count()).select_from(LetterOutRow)
    return session.scalars(
        count.where(LetterOutRow.peer == peer.text, LetterOutRow.kind != Kind.VOID.value)
    ).one()


def count_of_kind(session: Session, peer: NodeId, kind: Kind) -> int:
    """Return how many letters of a kind wait for a peer."""
    count = select(func.count()).select_from(LetterOutRow)
    return session.scalars(
        count.where(LetterOutRow.peer == peer.text, LetterOutRow.kind == kind.value)
    ).one()


def peers_with_letters(session: Session) -> Sequence[NodeId]:
    """Return the peers for whom letters with content wait."""
    peers = session.scalars(
        select(LetterOutRow.peer).where(LetterOutRow.kind != Kind.VOID.value).distinct()
    )
    return [NodeId(peer) for peer in peers]
