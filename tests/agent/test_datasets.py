import asyncio
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy.orm import Session

from appliance.api import agent_pb2 as pb
from appliance.datasets.datasets import MOST_PUBLISHED_BY_PEER, Datasets, OwnDataset, Registration
from appliance.datasets.errors import (
    BadHeader,
    BadRow,
    DatasetChanged,
    DatasetError,
    DatasetExists,
    DatasetNameInvalid,
    DatasetNotFound,
    DatasetPathInvalid,
    FileVanished,
    KeysUnfit,
    KeyUnsuitable,
    NormalFormUnknown,
    PayloadUnsuitable,
    PublicationUnfit,
    QueryRefused,
    revive,
)
from appliance.datasets.inspect import inspect
from appliance.datasets.publication import Publication
from appliance.datasets.rpc import DatasetsRpc
from appliance.datasets.source import Inspected, Wanted
from appliance.datasets.table import Reading
from appliance.identity.node_id import NodeId
from appliance.mailbox.letters import (
    Body,
    ColumnBody,
    DatasetPublished,
    DatasetWithdrawn,
    Kind,
    LetterRefused,
    Refusal,
    write_body,
)
from appliance.peering.errors import PeerNotFound
from appliance.store.database import Store
from tests.unit.dataset_doubles import csv_file, parquet_file

T = TypeVar("T")

HOSPITAL = NodeId.from_public_der(b"hospital")
BANK = NodeId.from_public_der(b"bank")
STRANGER = NodeId.from_public_der(b"stranger")


@dataclass(frozen=True, slots=True)
class SomePeer:
    node_id: NodeId
    name: str


class TwoPeers:
    """A hospital and a bank, both paired."""

    known = (SomePeer(HOSPITAL, "hospital"), SomePeer(BANK, "bank"))

    def get_paired(self, text: str) -> SomePeer:
        for peer in self.known:
            if text in (peer.name, peer.node_id.text):
                return peer
        raise PeerNotFound(f"no peer is called {text}")

    def find(self, node_id: NodeId) -> SomePeer | None:
        return next((peer for peer in self.known if peer.node_id == node_id), None)


class CountingRng:
    """Draws another value each time."""

    drawn = 0

    def draw(self, count: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(count, "big")


@dataclass
class World:
    """Datasets with all about it; letters are kept, and inspection runs right here."""

    folder: Path
    letters: list[tuple[NodeId, Kind, Body]] = field(default_factory=list)
    inspections: list[Wanted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store.open(self.folder / "state")
        self.datasets = Datasets(
            self.store,
            peers=TwoPeers(),
            post=self.post,
            inspector=self.inspect,
            rng=CountingRng(),
            now_milliseconds=lambda: 1234,
        )

    def post(self, session: Session, peer: NodeId, kind: Kind, body: Body) -> None:
        write_body(kind, body)
        self.letters.append((peer, kind, body))

    async def inspect(self, wanted: Wanted) -> Inspected:
        self.inspections.append(wanted)
        return inspect(wanted, Reading(scratch=self.folder))

    def add(self, name: str = "patients", content: str = "id,age\na,1\nb,\n") -> OwnDataset:
        path = csv_file(self.folder, content, f"{name}.csv")
        return run(self.datasets.add(Registration(name=name, path=str(path), key=("id",))))

    def receive(self, peer: NodeId, body: DatasetPublished | DatasetWithdrawn) -> None:
        def work(session: Session) -> None:
            if isinstance(body, DatasetPublished):
                self.datasets.on_published(session, peer, body)
            else:
                self.datasets.on_withdrawn(session, peer, body)

        run(self.store.run(work))


def run(awaitable: Awaitable[T]) -> T:
    async def waiting() -> T:
        return await awaitable

    return asyncio.run(waiting())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.store.close()


def told(name: str = "tests", **changes: Any) -> DatasetPublished:
    body = DatasetPublished(
        name=name,
        columns=(ColumnBody(name="id", type="VARCHAR"), ColumnBody(name="age", type="BIGINT")),
        key=("id",),
        normal_form=("trim",),
        row_count=3,
        fingerprint="ab" * 32,
    )
    return body.model_copy(update=changes)


def test_a_table_is_registered_with_its_figures(world: World) -> None:
    added = world.add()

    assert added == run(world.datasets.get("patients"))
    assert [(c.name, c.type) for c in added.description.columns] == [
        ("id", "VARCHAR"),
        ("age", "BIGINT"),
    ]
    assert added.description.row_count == 2
    assert added.figures.null_counts == (0, 1)
    assert added.added_milliseconds == 1234
    assert world.letters == []


def test_a_registered_table_survives_a_restart(tmp_path: Path) -> None:
    first = World(tmp_path)
    added = first.add()
    run(first.datasets.publish("patients", ["bank"]))
    first.store.close()

    second = World(tmp_path)

    assert run(second.datasets.get_own("patients")) == replace(
        added, publications=(Publication(peer=BANK),)
    )
    second.store.close()


def test_a_name_is_registered_once_and_again_only_if_asked(world: World) -> None:
    first = world.add()
    with pytest.raises(DatasetExists, match="there is a dataset patients already"):
        world.add()

    path = csv_file(world.folder, "id\nz\n", "patients.csv")
    again = Registration(name="patients", path=str(path), key=("id",), replace=True)
    replaced = run(world.datasets.add(again))

    assert len(world.inspections) == 2
    assert replaced.description.row_count == 1
    assert replaced.description.fingerprint != first.description.fingerprint


def test_registering_again_the_same_table_gives_another_fingerprint(world: World) -> None:
    first = world.add()
    again = Registration(name="patients", path=first.source.location, key=("id",), replace=True)

    second = run(world.datasets.add(again))

    assert second.source.content_hash == first.source.content_hash
    assert second.description.fingerprint != first.description.fingerprint
    assert first.source.content_hash not in first.description.fingerprint


@pytest.mark.parametrize("name", ["patients", "病人", "Fälle.2026", "0_1-x"])
def test_a_name_has_letters_of_any_script(world: World, name: str) -> None:
    with pytest.raises(FileVanished):
        run(world.datasets.add(Registration(name=name, path="/a.csv", key=("id",))))


@pytest.mark.parametrize("name", ["", "a/b", "-x", "a b", "a\u0308", "\u212b", "x" * 65, "a\n"])
def test_a_name_that_could_be_mistaken_is_refused(world: World, name: str) -> None:
    with pytest.raises(DatasetNameInvalid):
        run(world.datasets.add(Registration(name=name, path="/a.csv", key=("id",))))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"path": "a.csv"}, DatasetPathInvalid),
        ({"path": "/data/table.xlsx"}, DatasetPathInvalid),
        ({"path": "/data/table"}, DatasetPathInvalid),
        ({}, DatasetPathInvalid),
        ({"path": "/a.csv", "query": "FROM '/a.csv'"}, DatasetPathInvalid),
        ({"path": "/nowhere/a.csv"}, FileVanished),
        ({"query": "DROP TABLE x"}, QueryRefused),
        ({"path": "/a.csv", "normal_form": ("rot13",)}, NormalFormUnknown),
    ],
)
def test_what_cannot_be_a_table_is_refused(
    world: World, changes: dict[str, Any], error: type[DatasetError]
) -> None:
    asked = replace(Registration(name="x", key=("id",)), **changes)

    with pytest.raises(error) as refused:
        run(world.datasets.add(asked))

    assert refused.value.what
    assert run(world.datasets.list_own()) == ()


def test_a_bad_table_leaves_nothing_behind(world: World) -> None:
    with pytest.raises(BadHeader):
        world.add(content="")
    with pytest.raises(KeyUnsuitable):
        world.add(content="no\n1\n")

    assert run(world.datasets.list_own()) == ()


def test_a_query_is_registered_without_its_semicolon(world: World) -> None:
    path = parquet_file(world.folder, {"id": ["a", "b"], "x": [1, 2]})
    query = f"SELECT id FROM '{path}' WHERE x > 1;\n"  # noqa: S608

    added = run(world.datasets.add(Registration(name="some", query=query, key=("id",))))

    assert added.description.row_count == 1
    assert added.source.paths == (path,)


def test_publishing_tells_the_named_peers_once(world: World) -> None:
    added = world.add()

    once = run(world.datasets.publish("patients", ["bank"]))
    twice = run(world.datasets.publish("patients", ["bank", HOSPITAL.text]))

    assert once.published_to == (BANK,)
    assert set(twice.published_to) == {BANK, HOSPITAL}
    assert [(peer, kind) for peer, kind, _ in world.letters] == [
        (BANK, Kind.DATASET_PUBLISHED),
        (HOSPITAL, Kind.DATASET_PUBLISHED),
    ]
    body = world.letters[0][2]
    assert isinstance(body, DatasetPublished)
    assert body.fingerprint == added.description.fingerprint


def test_what_is_published_holds_no_row_path_or_count_of_nulls(world: World) -> None:
    world.add(content="id,age\nsecret,1\nother,\n")
    run(world.datasets.publish("patients", ["bank"]))

    [(_, kind, body)] = world.letters

    text = write_body(kind, body).decode()
    assert "secret" not in text
    assert str(world.folder) not in text
    assert set(body.model_dump()) == {
        "name",
        "columns",
        "key",
        "normal_form",
        "row_count",
        "is_bound",
        "payload",
        "fingerprint",
    }


def test_a_table_with_a_row_without_a_key_is_not_published(world: World) -> None:
    world.add(content="id,age\n,1\nb,2\n")

    with pytest.raises(KeysUnfit, match="null or unfit in 1 rows") as refused:
        run(world.datasets.publish("patients", ["bank"]))

    assert "mend the table" in refused.value.remedy
    assert world.letters == []


def test_who_registers_a_table_for_the_first_time_is_told_what_to_do_then(world: World) -> None:
    missing = Registration(name="new", path=str(world.folder / "none.csv"), key=("id",))
    broken = csv_file(world.folder, "id,age\na,1,2\n")

    with pytest.raises(FileVanished) as vanished:
        run(world.datasets.add(missing))
    with pytest.raises(BadRow) as bad:
        run(world.datasets.add(replace(missing, path=str(broken))))

    assert "spelt right" in vanished.value.remedy
    assert bad.value.remedy == "mend the row, then add it again"


def test_each_peer_hears_what_it_may_be_given_and_how_many_rows_there_are_at_most(
    world: World,
) -> None:
    world.add()

    run(world.datasets.publish("patients", ["bank"], payload=["age"], rows_up_to=1000))
    own = run(world.datasets.publish("patients", ["hospital"]))

    [(_, _, to_bank), (_, _, to_hospital)] = world.letters
    assert isinstance(to_bank, DatasetPublished)
    assert isinstance(to_hospital, DatasetPublished)
    assert (to_bank.row_count, to_bank.is_bound, to_bank.payload) == (1000, True, ("age",))
    assert (to_hospital.row_count, to_hospital.is_bound, to_hospital.payload) == (2, False, ())
    both = own.described_to([BANK, HOSPITAL])
    assert (both.row_count, both.is_bound, both.payload) == (1000, True, ())
    stranger = own.described_to([STRANGER])
    assert (stranger.row_count, stranger.is_bound, stranger.payload) == (2, False, ())


def test_publishing_again_takes_the_place_of_earlier_terms(world: World) -> None:
    world.add()
    run(world.datasets.publish("patients", ["bank"], payload=["age"]))

    run(world.datasets.publish("patients", ["bank"], payload=["age"]))
    own = run(world.datasets.publish("patients", ["bank"]))

    assert len(world.letters) == 2
    assert own.publications == (Publication(peer=BANK),)


@pytest.mark.parametrize(
    ("terms", "fault"),
    [
        ({"payload": ["born"]}, PayloadUnsuitable),
        ({"payload": ["age", "age"]}, PayloadUnsuitable),
        ({"rows_up_to": 1}, PublicationUnfit),
        ({"rows_up_to": 2**53}, PublicationUnfit),
    ],
)
def test_terms_that_do_not_fit_the_table_are_refused(
    world: World, terms: dict[str, Any], fault: type[DatasetError]
) -> None:
    world.add()

    with pytest.raises(fault):
        run(world.datasets.publish("patients", ["bank"], **terms))

    assert world.letters == []


def test_a_table_that_has_outgrown_what_peers_were_told_is_not_registered(world: World) -> None:
    first = world.add()
    run(world.datasets.publish("patients", ["bank"], payload=["age"], rows_up_to=2))
    again = Registration(name="patients", path=first.source.location, key=("id",), replace=True)

    csv_file(world.folder, "id,age\na,1\nb,2\nc,3\n", "patients.csv")
    with pytest.raises(PublicationUnfit, match="has 3 rows"):
        run(world.datasets.add(again))
    csv_file(world.folder, "id\na\n", "patients.csv")
    with pytest.raises(PayloadUnsuitable, match="no column age"):
        run(world.datasets.add(again))

    assert run(world.datasets.get_own("patients")).source == first.source


def test_publishing_to_a_stranger_is_refused_and_tells_nobody(world: World) -> None:
    world.add()

    with pytest.raises(PeerNotFound):
        run(world.datasets.publish("patients", ["bank", "stranger"]))

    assert world.letters == []
    assert run(world.datasets.get_own("patients")).published_to == ()


def test_registering_again_tells_those_that_know_it(world: World) -> None:
    first = world.add()
    run(world.datasets.publish("patients", ["bank"]))
    csv_file(world.folder, "id\nq\n", "patients.csv")

    again = Registration(name="patients", path=first.source.location, key=("id",), replace=True)
    second = run(world.datasets.add(again))

    peer, kind, body = world.letters[-1]
    assert (peer, kind) == (BANK, Kind.DATASET_PUBLISHED)
    assert isinstance(body, DatasetPublished)
    assert body.fingerprint == second.description.fingerprint
    assert second.published_to == (BANK,)


def test_withdrawing_tells_those_that_knew_it(world: World) -> None:
    world.add()
    run(world.datasets.publish("patients", ["bank", "hospital"]))
    world.letters.clear()

    some = run(world.datasets.withdraw("patients", ["bank"]))
    rest = run(world.datasets.withdraw("patients", []))

    withdrawn = DatasetWithdrawn(name="patients")
    assert some.published_to == (HOSPITAL,)
    assert rest.published_to == ()
    assert world.letters == [
        (BANK, Kind.DATASET_WITHDRAWN, withdrawn),
        (HOSPITAL, Kind.DATASET_WITHDRAWN, withdrawn),
    ]


def test_removing_withdraws_and_leaves_the_file(world: World) -> None:
    added = world.add()
    run(world.datasets.publish("patients", ["bank"]))

    run(world.datasets.remove("patients"))

    assert world.letters[-1][:2] == (BANK, Kind.DATASET_WITHDRAWN)
    assert Path(added.source.location).exists()
    with pytest.raises(DatasetNotFound):
        run(world.datasets.get_own("patients"))
    with pytest.raises(DatasetNotFound):
        run(world.datasets.remove("patients"))


def test_a_name_nearly_right_is_suggested(world: World) -> None:
    world.add()

    with pytest.raises(DatasetNotFound, match=r"no dataset patient$") as missed:
        run(world.datasets.get("patient"))

    assert missed.value.remedy == "did you mean patients?"


def test_what_a_peer_publishes_is_listed_under_its_name(world: World) -> None:
    world.receive(BANK, told())
    world.receive(BANK, told(row_count=4))

    [published] = run(world.datasets.list_published())

    assert published == run(world.datasets.get("bank/tests"))
    assert published.owner == BANK
    assert published.description.row_count == 4
    assert run(world.datasets.list_own()) == ()
    with pytest.raises(DatasetNotFound, match="no dataset hospital/tests"):
        run(world.datasets.get("hospital/tests"))


def test_a_withdrawn_dataset_is_forgotten_but_only_its_owners(world: World) -> None:
    world.receive(BANK, told())
    world.receive(HOSPITAL, DatasetWithdrawn(name="tests"))
    assert len(run(world.datasets.list_published())) == 1

    world.receive(BANK, DatasetWithdrawn(name="tests"))
    world.receive(BANK, DatasetWithdrawn(name="tests"))

    assert run(world.datasets.list_published()) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../x"},
        {"columns": ()},
        {"columns": (ColumnBody(name="id", type="V"), ColumnBody(name="ID", type="V"))},
        {"columns": (ColumnBody(name="id", type="\x1b[2J"),)},
        {"columns": (ColumnBody(name="\x1b[2J", type="V"),)},
        {"key": ()},
        {"key": ("born",)},
        {"normal_form": ("soundex",)},
        {"row_count": -1},
        {"row_count": 2**53},
        {"fingerprint": "short"},
        {"payload": ("born",)},
        {"payload": ("age", "age")},
        {"payload": ("\x1b[2J",)},
    ],
)
def test_a_description_that_makes_no_sense_is_refused(
    world: World, changes: dict[str, Any]
) -> None:
    with pytest.raises(LetterRefused) as refused:
        world.receive(BANK, told(**changes))

    assert refused.value.refusal is Refusal.MALFORMED
    assert run(world.datasets.list_published()) == ()


def test_a_peer_that_publishes_without_end_is_stopped(world: World) -> None:
    def flood(session: Session) -> None:
        for number in range(MOST_PUBLISHED_BY_PEER):
            world.datasets.on_published(session, BANK, told(f"t{number}"))

    run(world.store.run(flood))

    with pytest.raises(LetterRefused) as refused:
        world.receive(BANK, told("one-more"))
    world.receive(BANK, told("t0", row_count=9))
    world.receive(HOSPITAL, told("first"))

    assert refused.value.refusal is Refusal.TOO_MANY


def test_a_peer_that_left_is_forgotten_both_ways(world: World) -> None:
    world.add()
    run(world.datasets.publish("patients", ["bank", "hospital"]))
    world.receive(BANK, told())
    world.receive(HOSPITAL, told())

    run(world.datasets.forget_peer(BANK))

    assert run(world.datasets.get_own("patients")).published_to == (HOSPITAL,)
    assert [d.owner for d in run(world.datasets.list_published())] == [HOSPITAL]
    assert not run(world.datasets.is_published("patients", BANK))
    assert run(world.datasets.is_published("patients", HOSPITAL))


def test_an_unchanged_table_needs_no_inspection(world: World) -> None:
    added = world.add()
    world.inspections.clear()

    assert run(world.datasets.require_unchanged("patients")) == added.source
    assert world.inspections == []


def test_a_table_that_was_only_touched_is_remembered_so(world: World) -> None:
    added = world.add()
    time.sleep(0.01)
    Path(added.source.location).touch()

    fresh = run(world.datasets.require_unchanged("patients"))

    assert fresh.files != added.source.files
    assert run(world.datasets.get_own("patients")).source == fresh


@pytest.mark.parametrize(
    ("content", "error", "fault"),
    [
        ("id,age\na,1\nb,two\n", BadRow, r"row 2 \(line 3 of the file\), column age"),
        ("id,age\na,1\nc,3\n", DatasetChanged, "has changed since it was registered"),
    ],
)
def test_a_changed_table_is_refused_with_what_is_wrong(
    world: World, content: str, error: type[DatasetError], fault: str
) -> None:
    world.add()
    csv_file(world.folder, content, "patients.csv")

    with pytest.raises(error, match=fault):
        run(world.datasets.require_unchanged("patients", explains=True))


def test_what_peers_ask_is_no_reason_to_search_for_what_changed(world: World) -> None:
    world.add()
    world.inspections.clear()
    csv_file(world.folder, "id,age\na,1\nb,two\n", "patients.csv")

    with pytest.raises(DatasetChanged, match="has changed since it was registered"):
        run(world.datasets.require_unchanged("patients"))

    assert world.inspections == []


def test_datasets_are_counted(world: World) -> None:
    assert run(world.datasets.own_count()) == 0
    world.add("first")
    world.add("second")

    assert run(world.datasets.own_count()) == 2


def test_a_vanished_table_is_refused(world: World) -> None:
    Path(world.add().source.location).unlink()

    with pytest.raises(FileVanished):
        run(world.datasets.require_unchanged("patients"))


def test_an_error_from_another_process_is_the_same_error() -> None:
    told_of = revive("BadRow", "row 2 is bad", "mend it")
    unknown = revive("OSError", "what", "how")

    assert (type(told_of), told_of.what, told_of.remedy) == (BadRow, "row 2 is bad", "mend it")
    assert type(unknown) is DatasetError


def test_the_api_shows_our_datasets_and_the_peers(world: World) -> None:
    rpc = DatasetsRpc(world.datasets)
    path = csv_file(world.folder, "id,age\nA,1\na,\n,3\n")
    asked = pb.AddDatasetRequest(
        name="patients", path=str(path), key=["id"], normal_form=["lower", "nfc"]
    )
    world.receive(BANK, told())
    world.add()
    run(rpc.PublishDataset(pb.PublishDatasetRequest(name="patients", peers=["bank"]), None))
    asked.replace = True

    run(rpc.AddDataset(asked, None))
    listed = run(rpc.ListDatasets(pb.ListDatasetsRequest(peers=True), None)).datasets
    own = run(rpc.ListDatasets(pb.ListDatasetsRequest(), None)).datasets

    assert list(own) == list(listed)[:1]
    patients, tests = listed
    assert (patients.name, patients.source, patients.row_count) == ("patients", str(path), 3)
    assert (patients.null_key_count, patients.duplicate_key_count) == (1, 1)
    assert [(c.name, c.type, c.null_count) for c in patients.columns] == [
        ("id", "VARCHAR", 1),
        ("age", "BIGINT", 1),
    ]
    assert list(patients.normal_form) == ["nfc", "lower"]
    assert [one.peer for one in patients.publications] == ["bank"]
    assert patients.peer_id == ""
    assert (tests.name, tests.peer_id, tests.peer_name) == ("tests", BANK.text, "bank")
    assert tests.source == ""


def test_the_api_withdraws_and_removes(world: World) -> None:
    rpc = DatasetsRpc(world.datasets)
    world.add()
    run(rpc.PublishDataset(pb.PublishDatasetRequest(name="patients", peers=["bank"]), None))

    withdrawn = run(rpc.WithdrawDataset(pb.WithdrawDatasetRequest(name="patients"), None))
    shown = run(rpc.GetDataset(pb.GetDatasetRequest(name="patients"), None))
    run(rpc.RemoveDataset(pb.RemoveDatasetRequest(name="patients"), None))

    assert withdrawn == shown
    assert list(withdrawn.publications) == []
    assert run(rpc.ListDatasets(pb.ListDatasetsRequest(), None)).datasets == []
