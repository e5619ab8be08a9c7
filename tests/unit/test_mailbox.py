"""Letters between two nodes over mail that drops, repeats and reorders."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from appliance.identity.node_id import NodeId
from appliance.mailbox.inbox import Inbox
from appliance.mailbox.letters import (
    MOST_BODY_BYTES,
    DatasetWithdrawn,
    Kind,
    Letter,
    LetterRefused,
    Receipt,
    Refusal,
    Undelivered,
    Unpaired,
    write_body,
)
from appliance.mailbox.outbox import Outbox
from appliance.store.database import Store
from appliance.store.errors import StoreFull

A = NodeId.from_public_der(hashlib.sha256(b"a").digest())
B = NodeId.from_public_der(hashlib.sha256(b"b").digest())


def withdrawn(name: str) -> DatasetWithdrawn:
    return DatasetWithdrawn(name=name)


def letter(number: int, name: str = "t", kind: str = "dataset.withdrawn") -> Letter:
    return Letter(
        number=number, kind=kind, body=write_body(Kind.DATASET_WITHDRAWN, withdrawn(name))
    )


class Reader:
    """An inbox that notes what it read, in a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder)
        self.read: list[str] = []
        self.admitted = True
        self.refuses: set[str] = set()
        self.inbox = Inbox(self.store, lambda session, sender, kind: self.admitted)
        self.inbox.register(Kind.DATASET_WITHDRAWN, self._handle)

    def _handle(self, session: Session, sender: NodeId, body: Any) -> Callable[[], None]:
        if body.name in self.refuses:
            raise LetterRefused(Refusal.CONFLICT, "not this one")
        return lambda: self.read.append(body.name)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def with_delivery(outbox: Outbox, work: Awaitable[None]) -> None:
    delivery = asyncio.create_task(outbox.deliver())
    try:
        await work
    finally:
        delivery.cancel()
        await asyncio.gather(delivery, return_exceptions=True)


def put(outbox: Outbox, *names: str) -> Callable[[Session], None]:
    def work(session: Session) -> None:
        for name in names:
            outbox.put(session, B, Kind.DATASET_WITHDRAWN, withdrawn(name))

    return work


def test_letters_arrive_in_order_over_mail_that_drops_and_repeats(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path / "b")
        store = Store.open(tmp_path / "a")
        attempts = 0

        async def unreliable(peer: NodeId, sent: Letter) -> Receipt:
            nonlocal attempts
            attempts += 1
            if attempts % 3 == 0:
                raise Undelivered("dropped")
            receipt = await reader.inbox.receive(A, sent)
            if attempts % 3 == 1:
                raise Undelivered("the receipt was lost")
            return receipt

        outbox = Outbox(store, unreliable, lambda: 0)

        async def work() -> None:
            await store.run(put(outbox, "one", "two"))
            await until(lambda: len(reader.read) == 2)
            await store.run(put(outbox, "three"))
            await until(lambda: len(reader.read) == 3)

        await with_delivery(outbox, work())
        assert reader.read == ["one", "two", "three"]

    asyncio.run(run())


def test_letters_survive_a_restart_of_the_sender(tmp_path: Path) -> None:
    async def run() -> None:
        async def unreachable(peer: NodeId, sent: Letter) -> Receipt:
            raise Undelivered("no route")

        first = Store.open(tmp_path / "a")
        outbox = Outbox(first, unreachable, lambda: 0)
        await first.run(put(outbox, "one", "two"))
        first.close()

        reader = Reader(tmp_path / "b")
        again = Outbox(
            Store.open(tmp_path / "a"), lambda _, sent: reader.inbox.receive(A, sent), lambda: 0
        )

        async def work() -> None:
            async with asyncio.timeout(30):
                while await again.pending_count(B):
                    await asyncio.sleep(0.005)

        await with_delivery(again, work())
        assert reader.read == ["one", "two"]

    asyncio.run(run())


def test_a_letter_of_a_transaction_that_is_undone_never_leaves(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path / "b")
        store = Store.open(tmp_path / "a")
        outbox = Outbox(store, lambda _, sent: reader.inbox.receive(A, sent), lambda: 0)

        def undone(session: Session) -> None:
            put(outbox, "lost")(session)
            raise ValueError("changed my mind")

        async def work() -> None:
            with pytest.raises(ValueError, match="changed"):
                await store.run(undone)
            await store.run(put(outbox, "kept"))
            await until(lambda: bool(reader.read))

        await with_delivery(outbox, work())
        assert reader.read == ["kept"]

    asyncio.run(run())


def test_a_repeated_letter_has_no_second_effect(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path)

        receipts = [await reader.inbox.receive(A, letter(1)) for _ in range(3)]

        assert receipts == [Receipt(number=1)] * 3
        assert reader.read == ["t"]

    asyncio.run(run())


def test_a_repeated_letter_has_no_second_effect_after_a_restart(tmp_path: Path) -> None:
    async def run() -> None:
        first = Reader(tmp_path)
        await first.inbox.receive(A, letter(1))
        first.store.close()

        again = Reader(tmp_path)

        assert await again.inbox.receive(A, letter(1)) == Receipt(number=1)
        assert again.read == []

    asyncio.run(run())


def test_each_peer_has_its_own_numbers(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path)
        await reader.inbox.receive(A, letter(1, "from a"))
        await reader.inbox.receive(B, letter(1, "from b"))
        assert reader.read == ["from a", "from b"]

    asyncio.run(run())


def test_a_letter_that_skips_a_number_is_refused_and_not_counted(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path)

        early = await reader.inbox.receive(A, letter(2, "two"))
        await reader.inbox.receive(A, letter(1, "one"))
        late = await reader.inbox.receive(A, letter(2, "two"))

        assert early == Receipt(number=2, refusal=Refusal.OUT_OF_ORDER)
        assert late == Receipt(number=2)
        assert reader.read == ["one", "two"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("hostile", "refusal"),
    [
        (Letter(number=1, kind="job.stolen", body=b"{}"), Refusal.UNKNOWN_KIND),
        (Letter(number=1, kind="pairing.confirmed", body=b'{"pairing":"p"}'), Refusal.UNKNOWN_KIND),
        (Letter(number=1, kind="dataset.withdrawn", body=b"{"), Refusal.MALFORMED),
        (Letter(number=1, kind="dataset.withdrawn", body=b"\xff\xfe"), Refusal.MALFORMED),
        (Letter(number=1, kind="dataset.withdrawn", body=b'{"name":7}'), Refusal.MALFORMED),
        (
            Letter(number=1, kind="dataset.withdrawn", body=b'{"name":"t","also":1}'),
            Refusal.MALFORMED,
        ),
        (
            Letter(number=1, kind="dataset.withdrawn", body=b" " * (MOST_BODY_BYTES + 1)),
            Refusal.TOO_LARGE,
        ),
    ],
)
def test_a_hostile_letter_is_refused_and_the_next_one_read(
    tmp_path: Path, hostile: Letter, refusal: Refusal
) -> None:
    async def run() -> None:
        reader = Reader(tmp_path)

        first = await reader.inbox.receive(A, hostile)
        repeated = await reader.inbox.receive(A, hostile)
        second = await reader.inbox.receive(A, letter(2, "two"))

        assert first == repeated == Receipt(number=1, refusal=refusal)
        assert second == Receipt(number=2)
        assert reader.read == ["two"]

    asyncio.run(run())


def test_a_node_that_may_not_write_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path)
        reader.admitted = False

        receipt = await reader.inbox.receive(A, letter(1))

        assert receipt.refusal is Refusal.NOT_ALLOWED
        assert reader.read == []

    asyncio.run(run())


def test_the_sender_hears_of_a_refusal_once_and_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path / "b")
        reader.refuses = {"bad"}
        store = Store.open(tmp_path / "a")
        heard: list[tuple[str, Refusal]] = []
        outbox = Outbox(store, lambda _, sent: reader.inbox.receive(A, sent), lambda: 0)
        outbox.when_refused(
            Kind.DATASET_WITHDRAWN,
            lambda session, peer, body, refusal: heard.append((body.name, refusal)),
        )

        async def work() -> None:
            await store.run(put(outbox, "bad", "good"))
            await until(lambda: reader.read == ["good"])

        await with_delivery(outbox, work())
        assert heard == [("bad", Refusal.CONFLICT)]

    asyncio.run(run())


def test_dropped_letters_leave_no_gap(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path / "b")
        store = Store.open(tmp_path / "a")
        outbox = Outbox(store, lambda _, sent: reader.inbox.receive(A, sent), lambda: 0)
        await store.run(put(outbox, "one", "two"))
        # The first was delivered, but its receipt never came.
        await reader.inbox.receive(A, letter(1, "one"))

        await store.run(lambda session: outbox.drop(session, B))
        assert await outbox.pending_count(B) == 0
        await store.run(put(outbox, "three"))

        await with_delivery(outbox, until(lambda: len(reader.read) == 2))
        assert reader.read == ["one", "three"]

    asyncio.run(run())


def test_a_full_disk_leaves_the_letter_with_the_sender(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path / "b")
        store = Store.open(tmp_path / "a")
        is_full = True

        async def send(peer: NodeId, sent: Letter) -> Receipt:
            if is_full:
                raise StoreFull(tmp_path)
            return await reader.inbox.receive(A, sent)

        outbox = Outbox(store, send, lambda: 0)

        async def work() -> None:
            nonlocal is_full
            await store.run(put(outbox, "one"))
            await asyncio.sleep(0.05)
            assert await outbox.pending_count(B) == 1
            is_full = False
            outbox.wake(B)
            await until(lambda: reader.read == ["one"])

        await with_delivery(outbox, work())

    asyncio.run(run())


def test_a_letter_whose_sender_hangs_up_takes_effect_to_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path)

        delivery = asyncio.create_task(reader.inbox.receive(A, letter(1)))
        await asyncio.sleep(0)
        delivery.cancel()

        await until(lambda: reader.read == ["t"])

    asyncio.run(run())


def test_a_receipt_for_another_letter_acknowledges_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        store = Store.open(tmp_path / "a")

        async def answers_wrongly(peer: NodeId, sent: Letter) -> Receipt:
            return Receipt(number=sent.number + 1)

        outbox = Outbox(store, answers_wrongly, lambda: 0)

        async def work() -> None:
            await store.run(put(outbox, "one"))
            await asyncio.sleep(0.05)

        await with_delivery(outbox, work())
        assert await outbox.pending_count(B) == 1

    asyncio.run(run())


def test_one_unreachable_peer_does_not_hold_up_another(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path / "b")
        store = Store.open(tmp_path / "a")

        async def send(peer: NodeId, sent: Letter) -> Receipt:
            if peer == A:
                await asyncio.Event().wait()
            return await reader.inbox.receive(A, sent)

        outbox = Outbox(store, send, lambda: 0)

        def both(session: Session) -> None:
            outbox.put(session, A, Kind.UNPAIRED, Unpaired(pairing="p"))
            put(outbox, "one")(session)

        async def work() -> None:
            await store.run(both)
            await until(lambda: reader.read == ["one"])

        await with_delivery(outbox, work())

    asyncio.run(run())


def test_a_word_that_this_version_does_not_know_is_a_refusal() -> None:
    assert Refusal.parse("from-the-future") is Refusal.OTHER
    assert Refusal.parse("") is None


def test_a_body_cannot_be_sent_as_another_kind() -> None:
    with pytest.raises(ValueError, match=r"no body for job\.signed"):
        write_body(Kind.JOB_SIGNED, Unpaired(pairing="p"))
