"""The tables of datasets: our own, whom each is published to, and what peers published to us."""

from collections.abc import Sequence

from sqlalchemy import ForeignKey, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.identity.node_id import NodeId
from appliance.store.schema import Row


class DatasetRow(Row):
    """A table that this node registered."""

    __tablename__ = "datasets"

    name: Mapped[str] = mapped_column(primary_key=True)
    # JSON of a Source and of its Figures.
    source: Mapped[bytes]
    figures: Mapped[bytes]
    # Never leaves the node: with it a guess at the content can be tested.
    salt: Mapped[bytes]
    fingerprint: Mapped[str]
    added_milliseconds: Mapped[int]


class PublicationRow(Row):
    """A peer that has been told of a dataset, and the terms."""

    __tablename__ = "publications"

    dataset: Mapped[str] = mapped_column(
        ForeignKey("datasets.name", ondelete="CASCADE"), primary_key=True
    )
    peer: Mapped[str] = mapped_column(primary_key=True)
    # JSON, the names of columns.
    payload: Mapped[bytes]
    rows_up_to: Mapped[int | None]


class PublishedRow(Row):
    """A dataset that a peer told us of."""

    __tablename__ = "published"

    peer: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    # JSON of a Description.
    description: Mapped[bytes]
    received_milliseconds: Mapped[int]


def all_own(session: Session) -> Sequence[DatasetRow]:
    """Return our datasets by name."""
    return session.scalars(select(DatasetRow).order_by(DatasetRow.name)).all()


def count_own(session: Session) -> int:
    """Return how many datasets of ours there are."""
    return session.scalars(select(func.count()).select_from(DatasetRow)).one()


def all_published(session: Session) -> Sequence[PublishedRow]:
    """Return the peers' datasets by name."""
    query = select(PublishedRow).order_by(PublishedRow.name, PublishedRow.peer)
    return session.scalars(query).all()


def publications_of(session: Session, name: str) -> Sequence[PublicationRow]:
    """Return to which peers a dataset of ours is published, and how."""
    query = select(PublicationRow).where(PublicationRow.dataset == name)
    return session.scalars(query.order_by(PublicationRow.peer)).all()


def count_published_by(session: Session, peer: NodeId) -> int:
    """Return how many datasets a peer has published to us."""
    query = select(func.count()).select_from(PublishedRow).where(PublishedRow.peer == peer.text)
    return session.scalars(query).one()


def forget_peer(session: Session, peer: NodeId) -> None:
    """Remove what a peer published to us, and that we published anything to it."""
    session.execute(delete(PublishedRow).where(PublishedRow.peer == peer.text))
    session.execute(delete(PublicationRow).where(PublicationRow.peer == peer.text))
