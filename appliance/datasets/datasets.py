"""The datasets of this node, and those that peers have published to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Final, Protocol

import msgspec
from sqlalchemy.orm import Session

from appliance.datasets import fingerprint
from appliance.datasets import store as table
from appliance.datasets.errors import (
    DatasetChanged,
    DatasetError,
    DatasetExists,
    DatasetNameInvalid,
    DatasetNotFound,
    DatasetPathInvalid,
    KeysUnfit,
    PayloadUnsuitable,
    remedy_at_first,
)
from appliance.datasets.normal_form import parse_normal_form
from appliance.datasets.publication import (
    Description,
    Publication,
    described_to,
    is_name,
    read_letter,
    write_letter,
)
from appliance.datasets.source import (
    SUFFIXES,
    Figures,
    FileStamp,
    Inspected,
    Kind,
    Source,
    Wanted,
)
from appliance.datasets.unchanged import Unchanged
from appliance.datasets.uploads import UNUSED_SECONDS, Announced, Uploads
from appliance.identity.node_id import NodeId
from appliance.ledger.entries import NodeItself
from appliance.ledger.facts import DatasetRegistered, DatasetRemoved, DatasetShown, Facts
from appliance.ledger.facts import Kind as Entry
from appliance.ledger.ledger import Ledger
from appliance.mailbox.letters import (
    Body,
    DatasetPublished,
    DatasetWithdrawn,
    LetterRefused,
    Refusal,
)
from appliance.mailbox.letters import Kind as LetterKind
from appliance.store.database import Store
from services.randomness import Rng

MOST_PUBLISHED_BY_PEER: Final = 256
# How many tables are read through at a time, by whomever it is asked.
MOST_READ_AT_ONCE: Final = 2

# Puts a letter into the outbox, in the transaction.
Post = Callable[[Session, NodeId, LetterKind, Body], None]
# Inspects a table in a confined process; raises DatasetErrors.
Inspector = Callable[[Wanted], Awaitable[Inspected]]


class Named(Protocol):
    """A peer, as far as datasets need to know it."""

    @property
    def node_id(self) -> NodeId:
        """The peer's node id."""

    @property
    def name(self) -> str:
        """Its name here."""


class PeerBook(Protocol):
    """Who the peers are."""

    def get_paired(self, text: str) -> Named:
        """Return a paired peer by name or id; raises a ConfigError if there is none."""

    def find(self, node_id: NodeId) -> Named | None:
        """Return a peer in whatever state, if it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDataset:
    """A table that this node registered."""

    description: Description
    source: Source
    figures: Figures
    publications: tuple[Publication, ...]
    added_milliseconds: int

    @property
    def published_to(self) -> tuple[NodeId, ...]:
        """The peers that have been told of it."""
        return tuple(one.peer for one in self.publications)

    def described_to(self, peers: Collection[NodeId]) -> Description:
        """Return it as it may be described before all of these peers at once."""
        return described_to(self.description, self.publications, peers)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerDataset:
    """A dataset that a peer published to this node."""

    description: Description
    owner: NodeId
    received_milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What to register: one of ``path`` and ``query`` is set."""

    name: str
    path: str = ""
    query: str = ""
    key: tuple[str, ...] = ()
    normal_form: tuple[str, ...] = ()
    replace: bool = False


class Datasets:
    """Registers tables, and tells peers of them: names, schemas and row counts, never rows."""

    def __init__(
        self,
        store: Store,
        *,
        peers: PeerBook,
        post: Post,
        inspector: Inspector,
        uploads: Uploads,
        rng: Rng,
        ledger: Ledger,
        now_milliseconds: Callable[[], int],
        forgotten: Callable[[Session, str], None],
    ) -> None:
        self._store = store
        self._forgotten = forgotten
        self._ledger = ledger
        self._peers = peers
        self._post = post
        self._inspector = inspector
        self._uploads = uploads
        self._reading = asyncio.Semaphore(MOST_READ_AT_ONCE)
        self._unchanged = Unchanged(self._reading)
        self._rng = rng
        self._now_milliseconds = now_milliseconds

    async def load(self) -> None:
        """Remove what earlier uploads left behind; to be called before any other."""
        await self._discard_unused(self._now_milliseconds() / 1000)

    # What is known.

    async def list_own(self) -> tuple[OwnDataset, ...]:
        """Return our datasets by name."""
        return await self._store.run(lambda s: tuple(_own(s, row) for row in table.all_own(s)))

    async def list_published(self) -> tuple[PeerDataset, ...]:
        """Return the peers' datasets by name."""
        return await self._store.run(lambda s: tuple(map(_published, table.all_published(s))))

    async def get(self, name: str) -> OwnDataset | PeerDataset:
        """Return a dataset by NAME, or by PEER/NAME; DatasetNotFound."""
        peer, slash, rest = name.rpartition("/")
        if not slash:
            return await self.get_own(name)
        return await self.get_published(self._peers.get_paired(peer).node_id, rest)

    async def get_own(self, name: str) -> OwnDataset:
        """Return one of our datasets; DatasetNotFound."""
        return await self._store.run(lambda session: _own(session, _row(session, name)))

    async def get_published(self, owner: NodeId, name: str) -> PeerDataset:
        """Return a dataset that a peer published to us; DatasetNotFound."""

        def work(session: Session) -> PeerDataset:
            row = session.get(table.PublishedRow, (owner.text, name))
            if row is None:
                theirs = [r for r in table.all_published(session) if r.peer == owner.text]
                raise DatasetNotFound(f"{self.peer_name(owner)}/{name}", [r.name for r in theirs])
            return _published(row)

        return await self._store.run(work)

    async def is_published(self, name: str, peer: NodeId) -> bool:
        """Tell whether our dataset is published to a peer."""
        publications = await self._store.run(lambda s: table.publications_of(s, name))
        return any(one.peer == peer.text for one in publications)

    def peer_name(self, node_id: NodeId) -> str:
        """Return this node's name for a peer, or the first group of its id."""
        peer = self._peers.find(node_id)
        return node_id.short if peer is None else peer.name

    async def own_count(self) -> int:
        """Return how many datasets of ours there are."""
        return await self._store.run(table.count_own)

    async def require_unchanged(self, name: str, *, explains: bool = False) -> Source:
        """Return where our dataset's rows come from, once its content is what was registered.

        Fast while the files' stamps are what they were at the last check; else the content is
        hashed again, once for all who ask meanwhile.
        explains: whether a confined process then looks for what is wrong; not for peers' sake.
        Raises: DatasetNotFound, DatasetChanged, FileVanished, BadRow, SchemaChanged …
        """
        source = (await self.get_own(name)).source
        try:
            stamps = await self._unchanged.require(source)
        except DatasetChanged:
            if explains:
                await self._inspect(_wanted_again(source))
            raise
        if stamps != source.files:
            source = await self._store.run(lambda session: _restamp(session, name, source, stamps))
        return source

    # What operators do.

    async def upload(self, announced: Announced, chunks: AsyncIterator[bytes]) -> Path:
        """Take a table's file from an operator, to be registered then; return where it lies.

        Raises: DatasetNameInvalid, DatasetPathInvalid, UploadTooLarge, UploadFull, UploadBroken.
        """
        await self._discard_unused(self._now_milliseconds() / 1000 - UNUSED_SECONDS)
        return await self._uploads.receive(announced, chunks)

    async def add(self, wanted: Registration) -> OwnDataset:
        """Read a table through once in a confined process, and register it.

        Raises: DatasetExists, DatasetNameInvalid, QueryRefused, and whatever is wrong with it;
            PublicationUnfit, PayloadUnsuitable if what it is published as does not fit it.
        """
        if not is_name(wanted.name):
            raise DatasetNameInvalid(wanted.name)
        table_wanted = await asyncio.to_thread(_wanted, wanted)
        await self._store.run(lambda session: _require_free(session, wanted))
        try:
            inspected = await self._inspect(table_wanted)
        except DatasetError as error:
            if not wanted.replace:
                error.remedy = remedy_at_first(error)
            raise
        salt = self._rng.draw(fingerprint.SALT_BYTES)
        former: list[str] = []

        def work(session: Session) -> OwnDataset:
            _require_free(session, wanted)
            row = session.get(table.DatasetRow, wanted.name)
            if row is not None:
                former.extend(_files_of(row))
            else:
                row = table.DatasetRow(name=wanted.name)
                session.add(row)
            row.source = msgspec.json.encode(inspected.source)
            row.figures = msgspec.json.encode(inspected.figures)
            row.salt = salt
            row.fingerprint = fingerprint.commitment(salt, inspected.source.content_hash)
            row.added_milliseconds = self._now_milliseconds()
            session.flush()
            registered = DatasetRegistered(dataset=wanted.name, fingerprint=row.fingerprint)
            self._record(session, Entry.DATASET_REGISTERED, registered)
            own = _own(session, row)
            for publication in own.publications:
                _require_fit(publication, own)
            self._tell(session, own, own.published_to)
            return own

        added = await self._store.run(work)
        await self._discard(former)
        return added

    async def publish(
        self,
        name: str,
        peers: Iterable[str],
        *,
        payload: Sequence[str] = (),
        rows_up_to: int | None = None,
    ) -> OwnDataset:
        """Tell paired peers of a dataset of ours, on these terms in place of any earlier ones.

        Harmless for those that know it already on the same terms.
        Raises: DatasetNotFound, PeerNotPaired; KeysUnfit if no computation could use it;
            PublicationUnfit, PayloadUnsuitable.
        """
        named = {self._peers.get_paired(peer).node_id for peer in peers}

        def work(session: Session) -> OwnDataset:
            own = _own(session, _row(session, name))
            _require_fit_keys(own)
            wanted = [
                Publication(peer=peer, payload=tuple(payload), rows_up_to=rows_up_to)
                for peer in sorted(named)
            ]
            fresh = [one for one in wanted if one not in own.publications]
            for one in fresh:
                _require_fit(one, own)
                session.merge(_publication_row(name, one))
                shown = DatasetShown(dataset=name, peer=one.peer.text)
                self._record(session, Entry.DATASET_PUBLISHED, shown)
            session.flush()
            own = _own(session, _row(session, name))
            self._tell(session, own, [one.peer for one in fresh])
            return own

        return await self._store.run(work)

    async def withdraw(self, name: str, peers: Iterable[str]) -> OwnDataset:
        """Tell peers that a dataset of ours may be named no more; all that know it if none is."""
        named = {self._peers.get_paired(peer).node_id for peer in peers}

        def work(session: Session) -> OwnDataset:
            own = _own(session, _row(session, name))
            self._withdraw(session, own, [p for p in own.published_to if not named or p in named])
            return _own(session, _row(session, name))

        return await self._store.run(work)

    async def remove(self, name: str) -> None:
        """Forget a dataset of ours and withdraw it from all peers.

        Its file stays as it is, unless it was uploaded.
        """

        def work(session: Session) -> list[str]:
            row = _row(session, name)
            own = _own(session, row)
            self._withdraw(session, own, own.published_to)
            session.delete(row)
            self._record(session, Entry.DATASET_REMOVED, DatasetRemoved(dataset=name))
            self._forgotten(session, name)
            return _files_of(row)

        await self._discard(await self._store.run(work))

    # What peers do. These are the inbox's handlers: a letter is the peer's own text.

    def on_published(self, session: Session, peer: NodeId, body: DatasetPublished) -> None:
        """Take note of a dataset that a peer published to us, or of its new state."""
        description = read_letter(body)
        row = session.get(table.PublishedRow, (peer.text, body.name))
        if row is None:
            if table.count_published_by(session, peer) >= MOST_PUBLISHED_BY_PEER:
                raise LetterRefused(Refusal.TOO_MANY, "it has published too many datasets")
            row = table.PublishedRow(peer=peer.text, name=body.name)
            session.add(row)
        row.description = msgspec.json.encode(description)
        row.received_milliseconds = self._now_milliseconds()

    def on_withdrawn(self, session: Session, peer: NodeId, body: DatasetWithdrawn) -> None:
        """Forget a dataset that a peer has withdrawn."""
        row = session.get(table.PublishedRow, (peer.text, body.name))
        if row is not None:
            session.delete(row)

    def is_registered(self, session: Session, name: str) -> bool:
        """Tell whether a dataset of ours has that name."""
        return session.get(table.DatasetRow, name) is not None

    async def forget_peer(self, peer: NodeId) -> None:
        """Forget all that was published between us and a peer that has left."""
        await self._store.run(lambda session: table.forget_peer(session, peer))

    async def _discard(self, files: Iterable[str]) -> None:
        """Remove uploaded files, unless a dataset reads them."""
        used = await self._store.run(_files_read)
        await asyncio.to_thread(self._uploads.discard, set(files) - used)

    async def _discard_unused(self, before_seconds: float) -> None:
        used = await self._store.run(_files_read)
        await asyncio.to_thread(self._uploads.discard_unused, used, before_seconds)

    async def _inspect(self, wanted: Wanted) -> Inspected:
        async with self._reading:
            return await self._inspector(wanted)

    def _tell(self, session: Session, own: OwnDataset, peers: Iterable[NodeId]) -> None:
        for peer in peers:
            body = write_letter(own.described_to([peer]))
            self._post(session, peer, LetterKind.DATASET_PUBLISHED, body)

    def _withdraw(self, session: Session, own: OwnDataset, peers: Iterable[NodeId]) -> None:
        name = own.description.name
        for peer in peers:
            session.delete(session.get_one(table.PublicationRow, (name, peer.text)))
            self._post(session, peer, LetterKind.DATASET_WITHDRAWN, DatasetWithdrawn(name=name))
            hidden = DatasetShown(dataset=name, peer=peer.text)
            self._record(session, Entry.DATASET_WITHDRAWN, hidden)
        session.flush()

    def _record(self, session: Session, kind: Entry, facts: Facts) -> None:
        """Write to the ledger what happens; who asked for it stands before it there."""
        self._ledger.append(session, kind, facts, NodeItself())


def _wanted(registration: Registration) -> Wanted:
    """Return what to inspect; QueryRefused, DatasetPathInvalid, NormalFormUnknown."""
    if bool(registration.path) == bool(registration.query):
        raise DatasetPathInvalid("name either a file or a query")
    select = registration.query.strip().rstrip(";")
    if registration.query:
        from appliance.datasets.query import find_files  # DuckDB, which only queries need here

        kind, files = Kind.QUERY, find_files(select)
    else:
        kind, files = _kind_of(registration.path), (registration.path,)
    forms = parse_normal_form(registration.normal_form)
    return Wanted(
        kind=kind,
        location=registration.path or select,
        files=files,
        key=registration.key,
        normal_form=tuple(form.value for form in forms),
    )


def _kind_of(path: str) -> Kind:
    if not PurePath(path).is_absolute():
        raise DatasetPathInvalid(f"{path} is not an absolute path")
    suffix = PurePath(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise DatasetPathInvalid(
            f"the name {PurePath(path).name} does not say whether the file is CSV or Parquet",
            remedy=f"let it end in one of {', '.join(SUFFIXES)}, or read it with a query",
        )
    return SUFFIXES[suffix]


def _wanted_again(source: Source) -> Wanted:
    return Wanted(
        kind=source.kind,
        location=source.location,
        files=tuple(stamp.path for stamp in source.files),
        key=source.key,
        normal_form=source.normal_form,
        registered=source,
    )


def _row(session: Session, name: str) -> table.DatasetRow:
    row = session.get(table.DatasetRow, name)
    if row is None:
        raise DatasetNotFound(name, [row.name for row in table.all_own(session)])
    return row


def _files_of(row: table.DatasetRow) -> list[str]:
    """Return the paths of the files that a dataset reads."""
    return [stamp.path for stamp in msgspec.json.decode(row.source, type=Source).files]


def _files_read(session: Session) -> set[str]:
    return {path for row in table.all_own(session) for path in _files_of(row)}


def _require_fit_keys(own: OwnDataset) -> None:
    """Return if each row has a key. That no two are the same, a contract need not ask."""
    if own.figures.null_key_count:
        raise KeysUnfit(own.description.name, own.figures.null_key_count, own.figures.fault)


def _require_free(session: Session, wanted: Registration) -> None:
    if not wanted.replace and session.get(table.DatasetRow, wanted.name) is not None:
        raise DatasetExists(wanted.name)


def _own(session: Session, row: table.DatasetRow) -> OwnDataset:
    source = msgspec.json.decode(row.source, type=Source)
    return OwnDataset(
        description=Description(
            name=row.name,
            columns=source.columns,
            key=source.key,
            normal_form=source.normal_form,
            row_count=source.row_count,
            fingerprint=row.fingerprint,
        ),
        source=source,
        figures=msgspec.json.decode(row.figures, type=Figures),
        publications=tuple(map(_publication, table.publications_of(session, row.name))),
        added_milliseconds=row.added_milliseconds,
    )


def _require_fit(publication: Publication, own: OwnDataset) -> None:
    """Return if a dataset may be published so: else PublicationUnfit, PayloadUnsuitable."""
    publication.require_fit(own.description)
    for column, nans in zip(own.description.columns, own.figures.nan_counts, strict=False):
        if nans and column.name in publication.payload:
            raise PayloadUnsuitable(
                f"column {column.name} is not a number (NaN) in {nans} rows, which nobody can be"
                " given",
                remedy="make these values null, by a query",
            )


def _publication(row: table.PublicationRow) -> Publication:
    return Publication(
        peer=NodeId(row.peer),
        payload=msgspec.json.decode(row.payload, type=tuple[str, ...]),
        rows_up_to=row.rows_up_to,
    )


def _publication_row(name: str, publication: Publication) -> table.PublicationRow:
    return table.PublicationRow(
        dataset=name,
        peer=publication.peer.text,
        payload=msgspec.json.encode(publication.payload),
        rows_up_to=publication.rows_up_to,
    )


def _published(row: table.PublishedRow) -> PeerDataset:
    return PeerDataset(
        description=msgspec.json.decode(row.description, type=Description),
        owner=NodeId(row.peer),
        received_milliseconds=row.received_milliseconds,
    )


def _restamp(session: Session, name: str, source: Source, stamps: tuple[FileStamp, ...]) -> Source:
    """Remember the stamps of files whose content is the same, so that it is hashed only once."""
    fresh = replace(source, files=stamps)
    row = session.get(table.DatasetRow, name)
    if row is not None and row.source == msgspec.json.encode(source):
        row.source = msgspec.json.encode(fresh)
    return fresh
