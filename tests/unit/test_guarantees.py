"""What each service says that its runs rest on, held against what they are made of."""

from collections.abc import Iterator

import pytest

from appliance.jobs.records import _MOST_SENTENCE
from services import guarantees
from services.primitives import noise
from services.psi import disclosure, keyed, plan, sum_terms, sums
from services.psi.gifts import takes_labels
from services.psi.parameters import IntersectParameters
from services.psi.plan import plan_of
from services.registry import SERVICES
from services.service import Adversary, Service, Statement, Terms, Topic
from tests.unit.test_words import runnable

OF_THE_RUN = (Topic.ADVERSARY, Topic.COLLUSION, Topic.DEALER, Topic.SECURITY)


def runs() -> Iterator[tuple[Service, Terms, tuple[Statement, ...]]]:
    for name, every in runnable().items():
        for terms in every:
            yield SERVICES[name], terms, SERVICES[name].disclose(terms)


def test_each_run_is_said_what_it_rests_on_once_and_last() -> None:
    for _, _, said in runs():
        assert tuple(one.topic for one in said if one.learner is None) == OF_THE_RUN
        assert tuple(one.topic for one in said[-4:]) == OF_THE_RUN
        assert all(one.about is None for one in said[-4:])


def test_the_adversary_that_is_stated_is_the_one_that_policies_judge() -> None:
    for service, terms, said in runs():
        (stated,) = (one for one in said if one.topic is Topic.ADVERSARY)
        assert stated.facts == {"adversary": service.adversary_of(terms).value}


def test_nobody_is_trusted_beside_the_parties_that_a_contract_names() -> None:
    for _, terms, said in runs():
        facts = {one.topic: one.facts for one in said}
        assert facts[Topic.DEALER] == {"dealer": "none"}
        assert facts[Topic.COLLUSION] == {"colluders": "none", "parties": str(len(terms.parties))}


def test_the_bits_of_security_are_those_that_the_protocols_are_made_for() -> None:
    for _, _, said in runs():
        (stated,) = (one.facts for one in said if one.topic is Topic.SECURITY)
        assert stated["computational_bits"] == str(noise.SECURITY_BITS) == "128"
        assert stated["statistical_bits"] == str(plan.STATISTICAL_BITS) == "40"
    assert f" {noise.WEIGHT} places" in disclosure.DUAL_LPN
    most_pairs = keyed.MOST_ROWS**2
    assert most_pairs <= 2 ** (plan.HASH_BITS - plan.STATISTICAL_BITS)


@pytest.mark.parametrize("protocol", ["ecdh", "rr22", "auto"])
def test_what_is_assumed_is_what_the_protocol_assumes_that_the_contract_leads_to(
    protocol: str,
) -> None:
    (terms, *_) = runnable()["psi.intersect"]
    parameters = IntersectParameters.model_validate({"protocol": protocol})
    made = Terms(parties=terms.parties, parameters=parameters)
    taken = plan_of(made, gives_labels=takes_labels(made)).protocol

    said = str(disclosure.disclose(made)[-1])

    assert ("Curve25519" in said) == (taken == "ecdh")
    assert ("dual LPN" in said) == ("ristretto255" in said) == (taken == "rr22")


def test_sums_assume_what_counting_and_oblivious_transfer_do() -> None:
    (terms, *_) = runnable()[sums.NAME]
    said = str(sums.SERVICE.disclose(terms)[-1])

    assert all(one in said for one in ("Curve25519", "ristretto255", "AES", "random oracles"))
    assert "LPN" not in said


def test_what_is_withheld_is_what_is_asked_of_the_dataset_and_so_what_policies_judge() -> None:
    for service, terms, said in runs():
        for learner in range(len(terms.parties)):
            lines = [one for one in said if one.topic is Topic.WITHHELD and one.learner == learner]
            asked = service.demand(terms, 1 - learner)
            if service.name == sums.NAME:
                assert {one.facts["minimum"] for one in lines} == {str(asked.smallest_group)}
                is_all = any(one.template == sum_terms.WITHHOLDS_ALL[0] for one in lines)
                assert is_all == (asked.smallest_intersection == asked.smallest_group)
                continue
            is_told = bool(asked.told_exactly or asked.epsilon)
            assert [one.template for one in lines] == [disclosure.WITHHOLDS_NOTHING[0]] * is_told
            assert (asked.smallest_group or 1, asked.smallest_intersection) == (1, 0)


def test_the_ledger_holds_each_sentence_of_a_run_whole() -> None:
    for _, _, said in runs():
        assert all(len(str(one)) < _MOST_SENTENCE for one in said if one.learner is None)


def test_a_model_is_stated_for_each_adversary() -> None:
    assert set(guarantees.MODELS) == set(Adversary)
