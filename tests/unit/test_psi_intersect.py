from dataclasses import replace

import pytest
from pydantic import ValidationError

from services.errors import ConfigError
from services.psi.disclosure import disclose
from services.psi.intersect import SERVICE, assign, memory
from services.psi.parameters import IntersectParameters
from services.registry import SERVICES
from services.service import Column, DatasetTerms, PartyTerms, Terms, Topic, by_name


def dataset(rows: int = 100, **changes: object) -> DatasetTerms:
    made = DatasetTerms(
        name="patients",
        columns=(Column(name="patient_id", type="VARCHAR"),),
        key=("patient_id",),
        normal_form=("nfc", "trim"),
        row_count=rows,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


HOSPITAL = PartyTerms(
    name="hospital",
    role="receiver",
    dataset=dataset(),
    receives=("intersection",),
)
LABORATORY = PartyTerms(name="laboratory", role="sender", dataset=dataset(200), receives=())


def terms(*parties: PartyTerms) -> Terms:
    return Terms(parties=parties, parameters=IntersectParameters())


def sentences(learner: str, made: Terms) -> list[str]:
    """Return what a party is said to learn."""
    names = [party.name for party in made.parties]
    return [
        str(line)
        for line in disclose(made)
        if line.topic is Topic.LEARNS and line.learner == names.index(learner)
    ]


def test_the_service_is_registered_under_its_name() -> None:
    assert SERVICES["psi.intersect"] is SERVICE


def test_two_services_of_one_name_are_a_bug() -> None:
    with pytest.raises(ValueError, match="one name"):
        by_name(SERVICE, SERVICE)


def test_the_parameters_have_a_schema() -> None:
    assert SERVICE.schema()["properties"]["protocol"]["enum"] == ["auto", "ecdh", "rr22"]
    assert SERVICE.schema()["additionalProperties"] is False


@pytest.mark.parametrize("given", [{"protocol": "kkrt"}, {"protocol": 1}, {"threads": 4}])
def test_unknown_parameters_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        IntersectParameters.model_validate(given)


def test_the_stages_make_up_the_whole_time() -> None:
    assert sum(stage.weight for stage in SERVICE.stages) == pytest.approx(1)


@pytest.mark.parametrize(
    ("receivers", "roles"),
    [
        ((0,), ("receiver", "sender")),
        ((1,), ("sender", "receiver")),
        ((0, 1), ("receiver", "sender")),
    ],
)
def test_the_only_receiver_or_else_the_proposer_takes_the_role_receiver(
    receivers: tuple[int, ...], roles: tuple[str, ...]
) -> None:
    assert assign(receivers, 2) == roles


@pytest.mark.parametrize("receives", [(), ("intersection",)])
def test_fit_terms_are_accepted_in_either_order(receives: tuple[str, ...]) -> None:
    SERVICE.require(terms(HOSPITAL, replace(LABORATORY, receives=receives)))
    SERVICE.require(terms(replace(LABORATORY, receives=receives), HOSPITAL))


@pytest.mark.parametrize(
    ("parties", "what"),
    [
        ((HOSPITAL,), "is not for 1 parties"),
        ((HOSPITAL, LABORATORY, LABORATORY), "is not for 3 parties"),
        ((HOSPITAL, replace(LABORATORY, role="receiver")), "2 parties as receiver"),
        ((HOSPITAL, replace(LABORATORY, role="dealer")), "no role dealer"),
        ((HOSPITAL, replace(LABORATORY, dataset=None)), "laboratory brings no dataset"),
        ((HOSPITAL, replace(LABORATORY, dataset=dataset(0))), "laboratory has 0 rows"),
        ((HOSPITAL, replace(LABORATORY, dataset=dataset(key=()))), "laboratory has no key"),
        ((HOSPITAL, replace(LABORATORY, dataset=dataset(2**31 + 1))), "1 to 2147483648 are needed"),
        ((HOSPITAL, replace(LABORATORY, receives=("sum",))), "no output sum"),
        ((replace(HOSPITAL, receives=()), LABORATORY), "hospital .* receives nothing"),
        (
            (HOSPITAL, replace(LABORATORY, dataset=dataset(key=("family", "born")))),
            "hospital has patient_id, laboratory has family, born",
        ),
        (
            (HOSPITAL, replace(LABORATORY, dataset=dataset(normal_form=()))),
            r"forms of the keys differ \(hospital: nfc, trim; laboratory: none\)",
        ),
    ],
)
def test_unfit_terms_are_refused_with_the_reason(
    parties: tuple[PartyTerms, ...], what: str
) -> None:
    with pytest.raises(ConfigError, match=what):
        SERVICE.require(terms(*parties))


def test_a_receiver_is_told_what_it_learns_and_what_it_could_guess() -> None:
    assert sentences("hospital", terms(HOSPITAL, LABORATORY)) == [
        "hospital learns how many rows laboratory brings: 200",
        "hospital learns which of its own 100 rows have a key that laboratory holds too",
        "hospital learns nothing of the keys of laboratory that it does not hold itself",
        "if hospital puts keys into its dataset that it only guesses, "
        "it learns which of them laboratory holds",
    ]


def test_a_party_that_receives_nothing_is_told_that_it_does_not_learn_the_matches() -> None:
    assert sentences("laboratory", terms(HOSPITAL, LABORATORY)) == [
        "laboratory learns how many rows hospital brings: 100",
        "laboratory does not learn which keys match, "
        "but may estimate from the time taken how many do",
    ]


def test_both_receivers_are_told_the_same_but_for_who_gets_its_result_first() -> None:
    shared = terms(HOSPITAL, replace(LABORATORY, receives=("intersection",)))

    first, second = sentences("hospital", shared), sentences("laboratory", shared)

    learnt = [line.template for line in disclose(shared) if line.topic is Topic.LEARNS]
    assert learnt[:4] == learnt[5:]
    assert first[4:] == [
        "hospital gets its result before laboratory does, and may stop before laboratory gets any"
    ]
    assert second[4:] == []


def test_who_reads_the_disclosure_is_called_you_whether_it_learns_or_is_learned_of() -> None:
    both = terms(HOSPITAL, replace(LABORATORY, receives=("intersection",)))

    read = [line.read_by(1) for line in (*disclose(both), *disclose(terms(HOSPITAL, LABORATORY)))]

    assert "hospital learns how many rows you bring: 200" in read
    assert "hospital learns which of its own 100 rows have a key that you hold too" in read
    assert "you learn which of your own 200 rows have a key that hospital holds too" in read
    assert not [line for line in read if "laboratory" in line]


def test_as_much_memory_is_asked_for_as_the_elements_of_both_take() -> None:
    made = terms(HOSPITAL, LABORATORY)
    assert memory(made, 0) >= 32 * (100 + 200)
    assert memory(made, 1) >= 32 * 100


@pytest.mark.parametrize(("rows", "most"), [(1, 64), (4096, 64), (1 << 18, 4096)])
def test_partitions_of_next_to_no_rows_are_refused(rows: int, most: int) -> None:
    def asked(partitions: int) -> Terms:
        small, large = (replace(HOSPITAL, dataset=dataset(1)), dataset(rows))
        made = terms(small, replace(LABORATORY, dataset=large))
        return replace(made, parameters=IntersectParameters(partitions=partitions))

    SERVICE.require(asked(most))
    if most < 4096:
        with pytest.raises(ConfigError, match=f"{most + 1} partitions are too many for {rows} r"):
            SERVICE.require(asked(most + 1))
