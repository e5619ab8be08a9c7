from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from appliance.datasets.datasets import MOST_PUBLISHED_BY_PEER, Registration
from appliance.datasets.errors import (
    DatasetError,
    DatasetNotFound,
    KeysUnfit,
    PayloadUnsuitable,
    PublicationUnfit,
)
from appliance.datasets.publication import Publication
from appliance.mailbox.letters import (
    ColumnBody,
    DatasetPublished,
    DatasetWithdrawn,
    Kind,
    LetterRefused,
    Refusal,
    write_body,
)
from appliance.peering.errors import PeerNotFound
from tests.agent.dataset_world import BANK, HOSPITAL, STRANGER, World, run, told
from tests.unit.dataset_doubles import csv_file


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.store.close()


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


def test_columns_with_values_that_are_no_numbers_cannot_be_given(world: World) -> None:
    world.add(content="id,age,size\na,NaN,1\nb,1.5,2.5\n")

    with pytest.raises(PayloadUnsuitable, match=r"column age is not a number \(NaN\) in 1 rows"):
        run(world.datasets.publish("patients", ["bank"], payload=["size", "age"]))
    run(world.datasets.publish("patients", ["bank"], payload=["size"]))
    path = csv_file(world.folder, "id,age,size\na,1,NaN\nb,1.5,2.5\n", "other.csv")
    again = Registration(name="patients", path=str(path), key=("id",), replace=True)
    with pytest.raises(PayloadUnsuitable, match=r"column size is not a number"):
        run(world.datasets.add(again))


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
