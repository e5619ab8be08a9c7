"""The ledger's tables, and the questions that are asked of them."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Final, TypeAlias, cast

from sqlalchemy import ForeignKey, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from appliance.identity.node_id import NodeId
from appliance.ledger.facts import Kind
from appliance.ledger.merkle import HASH_BYTES, Node, Place
from appliance.store.schema import Row


class LedgerEntryRow(Row):
    """An entry. Time, kind and job are its content's, to find it by; a pruned one has none."""

    __tablename__ = "ledger_entries"

    number: Mapped[int] = mapped_column(primary_key=True)
    at_milliseconds: Mapped[int]
    kind: Mapped[str] = mapped_column(index=True)
    job_id: Mapped[str | None] = mapped_column(index=True)
    content: Mapped[bytes | None]
    leaf_hash: Mapped[bytes]


class LedgerNodeRow(Row):
    """The hash of a complete subtree of more than one entry, under the first of its right half.

    No two subtrees have that in common, and those that entries complete together lie together.
    """

    __tablename__ = "ledger_nodes"

    middle: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[bytes]


class LedgerCheckpointRow(Row):
    """A checkpoint of our own, with no signature but ours."""

    __tablename__ = "ledger_checkpoints"

    size: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str]
    at_milliseconds: Mapped[int]


class LedgerCountersignatureRow(Row):
    """A peer's signature line on a checkpoint of our own."""

    __tablename__ = "ledger_countersignatures"

    size: Mapped[int] = mapped_column(ForeignKey("ledger_checkpoints.size"), primary_key=True)
    peer: Mapped[str] = mapped_column(primary_key=True)
    line: Mapped[str]


class PeerCheckpointRow(Row):
    """A checkpoint of a peer's ledger, signed by it. It outlives the pairing."""

    __tablename__ = "peer_checkpoints"

    peer: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str]
    at_milliseconds: Mapped[int]


class LedgerShownRow(Row):
    """As how large we have shown a peer our ledger last."""

    __tablename__ = "ledger_shown"

    peer: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    at_milliseconds: Mapped[int]
    # Whether the peer has said that it does not sign that; whether we have shown it once more, as
    # the peer held something else.
    is_refused: Mapped[bool]
    is_repeated: Mapped[bool]


class LedgerExportRow(Row):
    """The next entry that a receiver of the ledger is to be sent."""

    __tablename__ = "ledger_exports"

    destination: Mapped[str] = mapped_column(primary_key=True)
    next_number: Mapped[int]


class LedgerReceiverRow(Row):
    """Who is sent the ledger: one row at the most, under ``ONLY_RECEIVER``."""

    __tablename__ = "ledger_receiver"

    number: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
    authority: Mapped[str]
    set_by: Mapped[str]
    set_milliseconds: Mapped[int]


ONLY_RECEIVER: Final = 1


class PeerForkRow(Row):
    """Two checkpoints that a peer has signed and not shown to be of one ledger: evidence."""

    __tablename__ = "peer_forks"

    number: Mapped[int] = mapped_column(primary_key=True)
    peer: Mapped[str]
    held: Mapped[str]
    shown: Mapped[str]
    at_milliseconds: Mapped[int]


Columns: TypeAlias = tuple[int, int, str, str | None, bytes | None, bytes]
"""Those of :class:`LedgerEntryRow`, as they stand there."""

# What each record and each proof runs is written out: SQLAlchemy takes longer to compose such a
# statement than SQLite to execute it, and SQLite finds no index for a list of pairs.
_LAST: Final = "SELECT number, leaf_hash FROM ledger_entries ORDER BY number DESC LIMIT 1"
_ADD_ENTRY: Final = (
    "INSERT INTO ledger_entries (number, at_milliseconds, kind, job_id, content, leaf_hash)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_ADD_NODE: Final = "INSERT INTO ledger_nodes (middle, hash) VALUES (?, ?)"
_HASHES: Final = """
SELECT 1, number, leaf_hash FROM json_each(?) CROSS JOIN ledger_entries ON number = value
UNION ALL
SELECT 0, middle, hash FROM json_each(?) CROSS JOIN ledger_nodes ON middle = value
"""
_NODES: Final = (
    "SELECT middle, hash FROM ledger_nodes WHERE middle > ? AND middle < ? ORDER BY middle"
)
_JOINED: Final = f"SELECT max(length(hash)), group_concat(hex(hash), '') FROM ({_NODES})"  # noqa: S608
_BATCH: Final = (
    "SELECT number, at_milliseconds, kind, job_id, content, leaf_hash FROM ledger_entries"
    " WHERE number > ? ORDER BY number LIMIT ?"
)


def last_leaf(session: Session) -> tuple[int, bytes] | None:
    """Return the number and the hash of the newest entry."""
    row = session.connection().exec_driver_sql(_LAST).first()
    return None if row is None else (row[0], row[1])


def add_entries(session: Session, rows: Sequence[Columns]) -> None:
    """Put entries behind all others."""
    session.connection().exec_driver_sql(_ADD_ENTRY, list(rows))


def add_nodes(session: Session, nodes: Sequence[Node]) -> None:
    """Keep the hashes of subtrees that have become complete."""
    if nodes:
        rows = [(_middle_of(node.place), node.hash) for node in nodes]
        session.connection().exec_driver_sql(_ADD_NODE, rows)


def hashes_at(session: Session, places: Collection[Place]) -> dict[Place, bytes]:
    """Return the hashes of complete subtrees, of those that there are."""
    leaves = [position for level, position in places if level == 0]
    above = [_middle_of(place) for place in places if place[0] > 0]
    asked = (json.dumps(leaves), json.dumps(above))
    found = session.connection().exec_driver_sql(_HASHES, asked)
    return {(0, key) if is_leaf else _place_of(key): value for is_leaf, key, value in found}


def nodes_between(session: Session, begin: int, end: int) -> dict[Place, bytes]:
    """Return the kept hashes of the subtrees whose middles lie between these."""
    found = session.connection().exec_driver_sql(_NODES, (begin, end))
    return {_place_of(middle): value for middle, value in found}


def are_nodes_between(session: Session, begin: int, hashes: Sequence[bytes]) -> bool:
    """Tell whether these hashes, and no others, are kept of the middles that follow ``begin``."""
    asked = (begin, begin + len(hashes) + 1)
    longest, joined = session.connection().exec_driver_sql(_JOINED, asked).one()
    # As text, for SQLite joins no bytes. All have one length if the longest and the sum do.
    return (longest, joined) == (HASH_BYTES, b"".join(hashes).hex().upper())


def count_nodes(session: Session) -> int:
    """Return how many hashes of subtrees are kept."""
    return session.scalars(select(func.count()).select_from(LedgerNodeRow)).one()


def _middle_of(place: Place) -> int:
    level, position = place
    return (2 * position + 1) << (level - 1)


def _place_of(middle: int) -> Place:
    level = (middle & -middle).bit_length()
    return level, middle >> level


def entries_from(session: Session, number: int, count: int) -> Sequence[Columns]:
    """Return up to ``count`` entries from this one on, oldest first."""
    found = session.connection().exec_driver_sql(_BATCH, (number - 1, count)).all()
    return cast(Sequence[Columns], found)


def batches_of_entries(session: Session, count: int) -> Iterator[Sequence[Columns]]:
    """Yield all entries, oldest first, ``count`` at a time."""
    last = -1
    while rows := session.connection().exec_driver_sql(_BATCH, (last, count)).all():
        yield cast(Sequence[Columns], rows)
        last = rows[-1][0]


def find_entry(session: Session, number: int) -> LedgerEntryRow | None:
    """Return an entry."""
    return session.get(LedgerEntryRow, number)


def page_of_entries(
    session: Session,
    *,
    most: int,
    before: int | None = None,
    kinds: Collection[Kind] = (),
    job_id: str | None = None,
) -> Sequence[LedgerEntryRow]:
    """Return up to ``most`` entries, newest first.

    before: the number of the last one of the page before.
    """
    query = select(LedgerEntryRow).order_by(LedgerEntryRow.number.desc()).limit(most)
    if before is not None:
        query = query.where(LedgerEntryRow.number < before)
    if kinds:
        query = query.where(LedgerEntryRow.kind.in_([kind.value for kind in kinds]))
    if job_id is not None:
        query = query.where(LedgerEntryRow.job_id == job_id)
    return session.scalars(query).all()


def numbers_of_job(session: Session, job_id: str) -> Sequence[int]:
    """Return the entries of a job, oldest first."""
    query = select(LedgerEntryRow.number).where(LedgerEntryRow.job_id == job_id)
    return session.scalars(query.order_by(LedgerEntryRow.number)).all()


def jobs_beginning(session: Session, beginning: str) -> Sequence[str]:
    """Return up to two jobs that entries are about, whose ids begin so."""
    about = LedgerEntryRow.job_id
    query = select(about).where(about.startswith(beginning, autoescape=True)).distinct().limit(2)
    return [one for one in session.scalars(query) if one is not None]


def first_since(session: Session, at_milliseconds: int) -> int:
    """Return the first entry that is not older than this, or the one that will come next."""
    query = select(func.min(LedgerEntryRow.number))
    first = session.scalars(query.where(LedgerEntryRow.at_milliseconds >= at_milliseconds)).one()
    if first is not None:
        return first
    last = last_leaf(session)
    return 0 if last is None else last[0] + 1


def forget_contents(session: Session, up_to: int) -> int:
    """Take the content from the entries before this one; return from how many."""
    entries = LedgerEntryRow.number < up_to, LedgerEntryRow.content.is_not(None)
    done = session.execute(update(LedgerEntryRow).where(*entries).values(content=None))
    return int(done.rowcount)  # type: ignore[attr-defined] # of an update there is one


def first_whole(session: Session) -> int:
    """Return the first entry whose content is kept, or the one that will come next."""
    query = select(LedgerEntryRow.number).where(LedgerEntryRow.content.is_not(None))
    first = session.scalars(query.order_by(LedgerEntryRow.number).limit(1)).one_or_none()
    if first is not None:
        return first
    last = last_leaf(session)
    return 0 if last is None else last[0] + 1


def contents_of_kind(session: Session, kind: Kind) -> Sequence[bytes]:
    """Return the contents that are kept of a kind of entries."""
    query = select(LedgerEntryRow.content).where(LedgerEntryRow.kind == kind.value)
    return [one for one in session.scalars(query) if one is not None]


def all_checkpoints(session: Session) -> Sequence[LedgerCheckpointRow]:
    """Return our checkpoints, the smallest first."""
    return session.scalars(select(LedgerCheckpointRow).order_by(LedgerCheckpointRow.size)).all()


def find_checkpoint(session: Session, size: int) -> LedgerCheckpointRow | None:
    """Return our checkpoint of a size."""
    return session.get(LedgerCheckpointRow, size)


def newest_checkpoint(session: Session) -> LedgerCheckpointRow | None:
    """Return our largest checkpoint."""
    query = select(LedgerCheckpointRow).order_by(LedgerCheckpointRow.size.desc()).limit(1)
    return session.scalars(query).one_or_none()


def sizes_signed(
    session: Session, peers: Collection[NodeId], before: int | None = None
) -> Sequence[int]:
    """Return the sizes, rising, of our checkpoints that all of these peers have countersigned."""
    size, row = LedgerCheckpointRow.size, LedgerCountersignatureRow
    query = select(size).order_by(size)
    if before is not None:
        query = query.where(size < before)
    for peer in peers:
        query = query.where(size.in_(select(row.size).where(row.peer == peer.text)))
    return session.scalars(query).all()


def countersignatures_of(session: Session, size: int) -> Sequence[LedgerCountersignatureRow]:
    """Return the peers' signatures on our checkpoint of a size."""
    row = LedgerCountersignatureRow
    return session.scalars(select(row).where(row.size == size).order_by(row.peer)).all()


def newest_countersigned(session: Session, above: int, peers: Collection[NodeId]) -> int | None:
    """Return the largest size above this of our checkpoints that any of these peers has signed."""
    row = LedgerCountersignatureRow
    signed = row.size > above, row.peer.in_([peer.text for peer in peers])
    return session.scalars(select(func.max(row.size)).where(*signed)).one()


def newest_of_peer(session: Session, peer: NodeId) -> PeerCheckpointRow | None:
    """Return the largest checkpoint that we hold of a peer."""
    query = select(PeerCheckpointRow).where(PeerCheckpointRow.peer == peer.text)
    return session.scalars(query.order_by(PeerCheckpointRow.size.desc()).limit(1)).one_or_none()


def nodes_held(session: Session) -> Sequence[NodeId]:
    """Return the nodes of whose ledgers we hold a checkpoint."""
    query = select(PeerCheckpointRow.peer).distinct().order_by(PeerCheckpointRow.peer)
    return [NodeId(peer) for peer in session.scalars(query)]


def forks_of(session: Session, peer: NodeId) -> Sequence[PeerForkRow]:
    """Return what evidence there is against a peer."""
    query = select(PeerForkRow).where(PeerForkRow.peer == peer.text).order_by(PeerForkRow.number)
    return session.scalars(query).all()


def find_shown(session: Session, peer: NodeId) -> LedgerShownRow | None:
    """Return what we have shown a peer last."""
    return session.get(LedgerShownRow, peer.text)


def note_shown(session: Session, peer: NodeId, size: int, at_milliseconds: int) -> LedgerShownRow:
    """Keep how large the ledger was that we have shown a peer; return that."""
    row = find_shown(session, peer) or LedgerShownRow(peer=peer.text)
    row.size, row.at_milliseconds = size, at_milliseconds
    row.is_refused = row.is_repeated = False
    session.add(row)
    session.flush()
    return row


def peers_shown(session: Session) -> list[NodeId]:
    """Return the nodes that we have shown the ledger to."""
    query = select(LedgerShownRow.peer).order_by(LedgerShownRow.peer)
    return [NodeId(peer) for peer in session.scalars(query)]


def forget_older(session: Session, peer: NodeId, size: int) -> None:
    """Forget the checkpoints of a peer that a larger one goes on from."""
    older = PeerCheckpointRow.peer == peer.text, PeerCheckpointRow.size < size
    session.execute(delete(PeerCheckpointRow).where(*older))


def find_receiver(session: Session) -> LedgerReceiverRow | None:
    """Return who is sent the ledger, None if nobody is."""
    return session.get(LedgerReceiverRow, ONLY_RECEIVER)


def export_position(session: Session, destination: str) -> int:
    """Return the next entry that a receiver is to be sent; the first for a new one."""
    row = session.get(LedgerExportRow, destination)
    return 0 if row is None else row.next_number


def begin_export(session: Session, destination: str) -> None:
    """Have a receiver be sent all from the first entry on."""
    session.execute(delete(LedgerExportRow).where(LedgerExportRow.destination == destination))


def move_export(session: Session, destination: str, next_number: int) -> None:
    """Keep that a receiver has all entries before this one."""
    session.merge(LedgerExportRow(destination=destination, next_number=next_number))
    session.flush()
