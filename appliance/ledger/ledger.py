"""What may be done with the ledger, each inside the transaction of what is recorded.

So an action whose record cannot be written does not happen, and a crash leaves entries and tree
agreeing: both are in the database alone. What is kept in memory only saves reading, and is
compared with the newest entry each time that it is used.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy.orm import Session

from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId
from appliance.ledger import store as table
from appliance.ledger.checkpoint import (
    Note,
    parse_note,
    parse_signature_line,
    sign_checkpoint,
    verify_checkpoint,
)
from appliance.ledger.entries import Actor, Entry, NodeItself, parse_entry, write_entry
from appliance.ledger.errors import (
    CheckpointNotFound,
    EntryMalformed,
    EntryNotFound,
    LedgerDamaged,
    PruneTooEarly,
)
from appliance.ledger.facts import Facts, Kind, LedgerBegun, LedgerPruned
from appliance.ledger.merkle import (
    Frontier,
    Read,
    hash_leaf,
    prove_consistency,
    prove_inclusions,
    read_frontier,
)
from appliance.ledger.verification import Verified, read_hashes, require_contains, verify_log

KEPT_DAYS: Final = 180
_EMPTY: Final = Frontier(size=0, hashes=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry as it is listed; ``entry`` is None if it was pruned."""

    index: int
    at: int
    kind: Kind
    job: str | None
    entry: Entry | None


class Ledger:
    """The ledger of the node that holds ``key``, which signs its checkpoints."""

    def __init__(self, key: IdentityKey, *, now: Callable[[], datetime]) -> None:
        self._key = key
        self._now = now
        # The tree as it was after the last entry, and that entry's hash.
        self._last = (b"", _EMPTY)

    @property
    def node_id(self) -> NodeId:
        """Whose ledger this is."""
        return self._key.node_id

    def append(
        self,
        session: Session,
        kind: Kind,
        facts: Facts,
        actor: Actor,
        job_id: str | None = None,
    ) -> int:
        """Record something in the transaction in which it is done; return the entry's index.

        The first entry of all says whose ledger this is, and is made by itself.
        Raises: EntryTooLong.
        """
        tree = self._tree(session)
        if tree.size == 0 and kind is not Kind.LEDGER_BEGUN:
            begun = LedgerBegun(node=self._key.node_id.text)
            self.append(session, Kind.LEDGER_BEGUN, begun, NodeItself())
            tree = self._tree(session)
        entry = Entry(
            index=tree.size, at=self._at(), kind=kind, actor=actor, job=job_id, facts=facts
        )
        content = write_entry(entry)
        leaf_hash = hash_leaf(content)
        grown, nodes = tree.with_leaf(leaf_hash)
        columns = (entry.index, entry.at, kind.value, job_id, content, leaf_hash)
        table.add_entries(session, [columns])
        table.add_nodes(session, nodes)
        self._last = (leaf_hash, grown)
        return entry.index

    def size(self, session: Session) -> int:
        """Return how many entries there are."""
        last = table.last_leaf(session)
        return 0 if last is None else last[0] + 1

    def checkpoint(self, session: Session) -> Note:
        """Return our signed checkpoint of the ledger as it is now, always the same for one size.

        Raises: LedgerDamaged if the ledger no longer contains what was signed before.
        """
        tree = self._tree(session)
        newest = table.newest_checkpoint(session)
        if newest is not None:
            require_contains(session, tree.size, parse_note(newest.note))
            if newest.size == tree.size:
                return parse_note(newest.note)
        note = sign_checkpoint(tree.size, tree.root, self._key)
        row = table.LedgerCheckpointRow(size=tree.size, note=note.text, at_milliseconds=self._at())
        session.add(row)
        session.flush()
        return note

    def countersigned(self, session: Session, size: int) -> Note:
        """Return our checkpoint of a size, with peers' signatures. Raises: CheckpointNotFound."""
        row = table.find_checkpoint(session, size)
        if row is None:
            raise CheckpointNotFound(f"this node has signed no checkpoint of {size} entries")
        note = parse_note(row.note)
        for signed in table.countersignatures_of(session, size):
            note = note.with_line(parse_signature_line(signed.line))
        return note

    def prove_inclusions(
        self, session: Session, indexes: Collection[int], size: int
    ) -> dict[int, list[bytes]]:
        """Return the proofs that our ledger of some size has entries. Raises: EntryNotFound."""
        if size > self.size(session) or not all(0 <= index < size for index in indexes):
            raise EntryNotFound(f"not all of these entries are in a ledger of {size} entries")
        proofs = prove_inclusions(self._read(session), list(indexes), size)
        return dict(zip(indexes, proofs, strict=True))

    def prove_consistency(self, session: Session, first: int, second: int) -> list[bytes]:
        """Return the proof that our ledger only grew between two sizes. Raises: EntryNotFound."""
        if not 0 <= first <= second <= self.size(session):
            raise EntryNotFound(f"the ledger did not grow from {first} to {second} entries")
        return prove_consistency(self._read(session), first, second)

    def verify(self, session: Session) -> Verified:
        """Return what the ledger is, all of it computed anew.

        Raises: LedgerDamaged, which names the first bad entry and what is wrong.
        """
        return verify_log(session, self._key.node_id, self._key.public_der)

    def require_contains(self, session: Session, text: str) -> None:
        """Return if the ledger still contains what a copy of a checkpoint says that we signed.

        Raises: LedgerDamaged; CheckpointMalformed, CheckpointUnsigned, SignatureInvalid.
        """
        note = parse_note(text)
        verify_checkpoint(note, self._key.node_id, self._key.public_der)
        require_contains(session, self.size(session), note)

    def prune(
        self,
        session: Session,
        before: datetime,
        actor: Actor,
        *,
        not_from: int | None = None,
    ) -> int:
        """Forget the content of entries older than a time; return the first that is kept whole.

        Their hashes stay, so that the ledger goes on proving all others.
        not_from: an entry that stays, as do all after it, however old they are.
        Raises: PruneTooEarly.
        """
        if before > self._now() - timedelta(days=KEPT_DAYS):
            raise PruneTooEarly(KEPT_DAYS)
        up_to = table.first_since(session, milliseconds(before))
        if not_from is not None:
            up_to = min(up_to, not_from)
        if table.forget_contents(session, up_to):
            self.append(session, Kind.LEDGER_PRUNED, LedgerPruned(up_to=up_to), actor)
        # Not up_to: more may have been forgotten before.
        return table.first_whole(session)

    def page(
        self,
        session: Session,
        *,
        most: int,
        before: int | None = None,
        kinds: Collection[Kind] = (),
        job_id: str | None = None,
    ) -> list[Listed]:
        """Return entries, newest first; ``before`` is the last one's index of the page before.

        Raises: LedgerDamaged if one of them was changed into what is no entry.
        """
        rows = table.page_of_entries(session, most=most, before=before, kinds=kinds, job_id=job_id)
        return [_listed(row) for row in rows]

    def contents(self, session: Session, indexes: Collection[int]) -> Mapping[int, bytes]:
        """Return the bytes of entries. Raises: EntryNotFound, also for one that was pruned."""
        found = {}
        for index in sorted(indexes):
            row = table.find_entry(session, index)
            if row is None or row.content is None:
                was = "was pruned" if row is not None else "is not there"
                raise EntryNotFound(f"entry {index} {was}")
            found[index] = row.content
        return found

    def _tree(self, session: Session) -> Frontier:
        last = table.last_leaf(session)
        if last is None:
            return _EMPTY
        number, leaf_hash = last
        known_hash, known = self._last
        if (known_hash, known.size) == (leaf_hash, number + 1):
            return known
        return read_frontier(self._read(session), number + 1)

    def _read(self, session: Session) -> Read:
        return partial(read_hashes, session)

    def _at(self) -> int:
        return milliseconds(self._now())


def milliseconds(time: datetime) -> int:
    """Return a time as entries have it."""
    return int(time.timestamp() * 1000)


def _listed(row: table.LedgerEntryRow) -> Listed:
    try:
        kind = Kind(row.kind)
        entry = None if row.content is None else parse_entry(row.content)
    except (EntryMalformed, ValueError) as error:
        raise LedgerDamaged(row.number, f"entry {row.number} was changed: {error}") from None
    return Listed(index=row.number, at=row.at_milliseconds, kind=kind, job=row.job_id, entry=entry)
