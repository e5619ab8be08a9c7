import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.api import agent_pb2 as pb
from appliance.datasets.datasets import Registration
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
    KeyUnsuitable,
    NormalFormUnknown,
    QueryRefused,
    revive,
)
from appliance.datasets.publication import Publication
from appliance.datasets.rpc import DatasetsRpc
from appliance.mailbox.letters import (
    Kind,
)
from tests.agent.dataset_world import BANK, World, run, told
from tests.unit.dataset_doubles import csv_file, parquet_file


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.store.close()


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


def test_who_registers_a_table_for_the_first_time_is_told_what_to_do_then(world: World) -> None:
    missing = Registration(name="new", path=str(world.folder / "none.csv"), key=("id",))
    broken = csv_file(world.folder, "id,age\na,1,2\n")

    with pytest.raises(FileVanished) as vanished:
        run(world.datasets.add(missing))
    with pytest.raises(BadRow) as bad:
        run(world.datasets.add(replace(missing, path=str(broken))))

    assert "spelt right" in vanished.value.remedy
    assert bad.value.remedy == "mend the row, then add it again"


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
