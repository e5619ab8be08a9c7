"""What peers' letters about grants for several jobs may have this node keep."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from appliance.governance import grant_book
from appliance.governance.grant_book import GrantBook
from appliance.grants import store as table
from appliance.grants.grant import make_grant_id
from appliance.grants.grants import Grants
from appliance.identity.node_id import NodeId
from appliance.ledger.ledger import Ledger
from appliance.mailbox.letters import GrantIssued, GrantRevoked, Kind, LetterRefused, Refusal
from appliance.mailbox.outbox import Outbox
from appliance.store.database import Store
from tests.unit.contract_doubles import MemoryKey
from tests.unit.test_grant import ISSUED
from tests.unit.test_grants import JOBS, OWNER, PEER, asked_by, owned

MOST = 4
MOST_AN_HOUR = 12


class Grantee:
    """The node that a peer, OWNER, grants something. ``now`` is its clock."""

    def __init__(self, folder: Path) -> None:
        self.now = ISSUED
        self.is_paired = True
        self.store = Store.open(folder)
        self.ledger = Ledger(PEER, now=lambda: datetime.fromtimestamp(self.now / 1000, UTC))
        self.stopped: list[str] = []
        self.book = GrantBook(
            store=self.store,
            ledger=self.ledger,
            key=PEER,
            outbox=Outbox(self.store, _send, lambda: self.now),
            describe=_describe,
            names=lambda _: {},
            paired=lambda _: {},
            public_key_of=self._public_key_of,
            stop_jobs=self._stop,
            now_milliseconds=lambda: self.now,
        )
        # What the peer signs lies in a book of its own.
        self.theirs = Store.open(folder / "theirs")

    def do(self, work: Callable[[Session], Any]) -> Any:
        return asyncio.run(self.store.run(work))

    def receive(self, kind: Kind, body: Any) -> None:
        self.do(lambda session: self.book.handlers()[kind](session, OWNER.node_id, body))

    def is_granted(self, *, expires: int, key: MemoryKey = OWNER) -> str:
        """Have the peer grant something; return the grant's id."""
        made = owned(id=make_grant_id(), uses=3, expires=expires)
        envelope = asyncio.run(self.theirs.run(lambda s: Grants(key).issue(s, made)))
        self.receive(Kind.GRANT_ISSUED, GrantIssued(envelope=envelope))
        return made.id

    def count(self) -> Any:
        return self.do(lambda session: table.count_standing(session, OWNER.node_id.text))

    def has(self, grant_id: str) -> bool:
        return self.do(lambda session: table.find_grant(session, grant_id)) is not None

    def use(self, grant_id: str) -> None:
        self.do(lambda s: Grants(PEER).take_use(s, grant_id, asked_by(JOBS[0]), self.now))

    def _public_key_of(self, _: Session, peer: NodeId) -> bytes | None:
        return OWNER.public_der if self.is_paired and peer == OWNER.node_id else None

    def _stop(self, _: Session, jobs: Any, what: str) -> Any:
        self.stopped += jobs
        return jobs


async def _send(*_: Any) -> Any:
    raise NotImplementedError


async def _describe(_: str) -> Any:
    raise NotImplementedError


@pytest.fixture
def grantee(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Grantee]:
    monkeypatch.setattr(grant_book, "MOST_GRANTS_OF_PEER", MOST)
    monkeypatch.setattr(grant_book, "MOST_GRANTS_AN_HOUR", MOST_AN_HOUR)
    made = Grantee(tmp_path)
    yield made
    made.store.close()
    made.theirs.close()


def test_those_that_have_ended_unused_make_room_and_no_others_do(grantee: Grantee) -> None:
    for _ in range(MOST - 2):
        grantee.is_granted(expires=ISSUED + 1000)
    used = grantee.is_granted(expires=ISSUED + 1000)
    grantee.use(used)
    lasting = grantee.is_granted(expires=ISSUED + 9000)
    with pytest.raises(LetterRefused) as refused:
        grantee.is_granted(expires=ISSUED + 1000)
    assert refused.value.refusal is Refusal.TOO_MANY

    grantee.now += 1000
    grantee.is_granted(expires=ISSUED + 9000)

    assert grantee.count() == 3
    assert grantee.has(used) and grantee.has(lasting)
    assert grantee.do(lambda session: table.uses_taken(session, used)) == 1


def test_those_that_were_taken_back_make_room(grantee: Grantee) -> None:
    granted = [grantee.is_granted(expires=ISSUED + 9000) for _ in range(MOST)]
    for grant_id in granted[:2]:
        grantee.receive(Kind.GRANT_REVOKED, GrantRevoked(id=grant_id))

    grantee.is_granted(expires=ISSUED + 9000)

    assert grantee.count() == MOST - 1
    assert not grantee.stopped


def test_what_a_peer_may_have_the_ledger_record_is_bounded_by_the_hour(grantee: Grantee) -> None:
    def size() -> Any:
        return grantee.do(grantee.ledger.size)

    with pytest.raises(LetterRefused) as refused:
        for _ in range(MOST_AN_HOUR + 1):
            grant_id = grantee.is_granted(expires=grantee.now + 9000)
            grantee.receive(Kind.GRANT_REVOKED, GrantRevoked(id=grant_id))
    assert refused.value.refusal is Refusal.TOO_MANY
    full = size()
    for _ in range(5):
        with pytest.raises(LetterRefused):
            grantee.is_granted(expires=grantee.now + 9000)
    assert size() == full

    grantee.now += 3_600_000
    grantee.is_granted(expires=grantee.now + 9000)
    with pytest.raises(LetterRefused) as late:
        grantee.is_granted(expires=grantee.now)
    assert late.value.refusal is Refusal.NOT_ALLOWED


def test_what_a_peer_has_granted_ends_with_its_pairing(grantee: Grantee) -> None:
    granted = grantee.is_granted(expires=ISSUED + 9000)
    grantee.use(granted)

    asyncio.run(grantee.book.end_with_strangers())
    assert not grantee.stopped
    grantee.is_paired = False
    for _ in range(2):  # once is enough
        asyncio.run(grantee.book.end_with_strangers())

    row = grantee.do(lambda session: table.find_grant(session, granted))
    assert row.revoked_milliseconds == grantee.now
    assert grantee.stopped == [JOBS[0]]


def test_a_grant_that_another_key_signed_is_not_kept(grantee: Grantee) -> None:
    with pytest.raises(LetterRefused) as refused:
        grantee.is_granted(expires=ISSUED + 9000, key=MemoryKey())

    assert refused.value.refusal is Refusal.BAD_SIGNATURE
    assert grantee.count() == 0
