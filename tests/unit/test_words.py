"""Whatever is said of contracts and policies is there in Chinese, with the same values in it."""

import importlib
import itertools
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import polib
import pytest

import services
from appliance.policies import errors, review, rules
from appliance.policies.decide import Refused
from appliance.policies.rules import Rule
from appliance.words import catalogue
from appliance.words.catalogue import Language, parse_language, read_catalogue, say
from services import guarantees
from services.errors import ConfigError
from services.psi import cardinality, intersect, sums
from services.psi.parameters import IntersectParameters
from services.registry import SERVICES
from services.service import Column, DatasetTerms, PartyTerms, Service, Terms
from tests.protocol.counting import Table, keys, terms_of
from tests.unit.policy_doubles import case

CHINESE = Language.CHINESE
COLUMNS = (Column(name="id", type="VARCHAR"), Column(name="balance", type="BIGINT"))
SUM: dict[str, Any] = {"columns": ["sugar"], "minimum": 5}
NOISE: dict[str, Any] = {**SUM, "epsilon": "1", "bounds": ["9"]}


def party(name: str, role: str, *, is_bound: bool, receives: bool) -> PartyTerms:
    dataset = DatasetTerms(
        name="customers",
        columns=COLUMNS,
        key=("id",),
        normal_form=(),
        row_count=5000,
        is_bound=is_bound,
        payload=("id", "balance"),
    )
    outputs = (intersect.INTERSECTION,) if receives else ()
    return PartyTerms(name=name, role=role, dataset=dataset, receives=outputs)


def intersections() -> Iterator[Terms]:
    for is_bound, receives, join, security, duplicates, columns in itertools.product(
        (False, True),
        (False, True),
        ("inner", "left", "right", "full", "difference"),
        ("semi-honest", "malicious"),
        ("refuse", "all"),
        ((), ("balance",), ("id",)),
    ):
        yield Terms(
            parties=(
                party("bank", "receiver", is_bound=is_bound, receives=True),
                party("shop", "sender", is_bound=is_bound, receives=receives),
            ),
            parameters=IntersectParameters.model_validate(
                {
                    "join": join,
                    "security": security,
                    "duplicates": duplicates,
                    "right_columns": columns,
                }
            ),
        )


def figures(service: Service, *asked: dict[str, Any]) -> Iterator[Terms]:
    for most_rows, receivers, parameters in itertools.product(
        (None, 9), ((0,), (1,), (0, 1)), asked
    ):
        tables = (
            Table(keys=keys(1, 2), most_rows=most_rows),
            Table(keys=keys(2, 3), columns={"sugar": ["1", "2"]}, most_rows=most_rows),
        )
        yield terms_of(service, tables, receivers, **parameters)


@cache
def runnable() -> dict[str, list[Terms]]:
    """Return terms of each service that together have it say all that it can; a new one's too."""
    every = {
        intersect.NAME: intersections(),
        cardinality.NAME: figures(cardinality.SERVICE, {}, {"epsilon": "0.5"}),
        sums.NAME: figures(sums.SERVICE, SUM, NOISE),
    }
    return {
        name: [terms for terms in found if is_runnable(SERVICES[name], terms)]
        for name, found in every.items()
    }


def is_runnable(service: Service, terms: Terms) -> bool:
    try:
        service.require(terms)
    except ConfigError:
        return False
    return True


def disclosed() -> set[str]:
    """Return the templates of all statements of all services."""
    statements = {
        (one.template, one.to_us, one.of_us)
        for name, every in runnable().items()
        for terms in every
        for one in SERVICES[name].disclose(terms)
    }
    return {template for three in statements for template in three if template}


def written() -> set[str]:
    """Return the templates that stand in the services' modules, whether terms lead to them."""
    found = set[str]()
    for module in pkgutil.walk_packages(services.__path__, "services."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, tuple) and len(value) == 3 and isinstance(value[0], str):
                found |= {one for one in value if one and "%(learner)s" in value[0]}
    return found | set(guarantees.SENTENCES)


def policy_sentences() -> set[str]:
    pairs = (*rules.SENTENCES.values(), *review.SENTENCES.values())
    return {text for pair in pairs for text in pair} | {errors.DID_YOU_MEAN}


def words() -> dict[str, set[str]]:
    """Return the words that are values, by the name of the value."""
    told = {
        word
        for name, every in runnable().items()
        for terms in every
        for rank in range(len(terms.parties))
        for word in SERVICES[name].demand(terms, rank).told_exactly
    }
    return {"told": told | {rules.ROWS}, "allowed": {rules.NONE}} | rested_on()


def rested_on() -> dict[str, set[str]]:
    """Return the words that say what runs rest on, by the name of the value."""
    found: dict[str, set[str]] = {}
    for name, every in runnable().items():
        for one in (one for terms in every for one in SERVICES[name].disclose(terms)):
            words = {key: one.values[key] for key in one.facts if one.learner is None}
            for key, value in words.items():
                if isinstance(value, str):
                    found.setdefault(key, set()).update(value.split(catalogue.SEPARATOR))
    return found


def placeholders(text: str) -> list[tuple[str, str]]:
    return sorted(re.findall(r"%\((\w+)\)([a-z])", text))


def test_terms_of_each_service_are_looked_at_and_lead_to_all_that_it_says() -> None:
    assert set(runnable()) == set(SERVICES)
    assert all(runnable().values())
    assert disclosed() == written()


def test_each_sentence_has_its_translation_and_no_translation_is_left_over() -> None:
    assert set(read_catalogue(CHINESE).sentences) == disclosed() | policy_sentences()


def test_each_word_has_its_translation_and_no_translation_is_left_over() -> None:
    assert {name: set(one) for name, one in read_catalogue(CHINESE).words.items()} == words()


def test_no_entry_of_a_catalogue_is_empty_or_doubtful_or_there_twice() -> None:
    file = Path(catalogue.__file__).with_name("zh_CN.po")
    entries = polib.pofile(str(file), check_for_duplicates=True)

    assert entries.percent_translated() == 100
    assert not entries.fuzzy_entries()
    assert not entries.obsolete_entries()


@pytest.mark.parametrize(("template", "chinese"), read_catalogue(CHINESE).sentences.items())
def test_a_translation_holds_the_same_values_and_is_chinese(template: str, chinese: str) -> None:
    assert placeholders(chinese) == placeholders(template)
    values = {name: 7 for name, _ in placeholders(template)}
    said = say(CHINESE, template, values)
    assert "%" not in said
    assert re.search(r"[\u4e00-\u9fff]", said)


def test_all_that_services_and_policies_can_say_is_said_in_chinese() -> None:
    for name, every in runnable().items():
        for terms in every:
            for one in SERVICES[name].disclose(terms):
                for rank in range(3):
                    said = say(CHINESE, one.template_for(rank), one.values)
                    assert re.search(r"[\u4e00-\u9fff]", said)
                    assert "%(" not in said


def test_assumptions_are_told_apart_in_either_language() -> None:
    assert guarantees.SEPARATOR == catalogue.SEPARATOR


def test_words_are_translated_only_where_a_value_is_made_of_words() -> None:
    values = {"dataset": "rows", "told": "how many keys match; which keys match"}
    said = say(CHINESE, rules.SENTENCES[Rule.EXACT].template, values)

    assert "匹配的求交键数量；哪些求交键匹配" in said
    assert "数据集 rows 的策略" in said


def test_a_refusal_as_it_is_decided_can_be_said_in_chinese() -> None:
    found = case({"services": ["psi.cardinality"]}).decided()
    assert isinstance(found, Refused)
    (refusal,) = found.refusals

    said = say(CHINESE, rules.SENTENCES[refusal.rule].template, refusal.values)

    assert said == "数据集 patients 的策略不允许使用服务 psi.sum"


def test_a_sentence_without_a_translation_is_said_in_english_rather_than_kept_back() -> None:
    assert say(CHINESE, "%(who)s learns all", {"who": "bank"}) == "bank learns all"


def test_english_is_said_as_it_stands() -> None:
    template = rules.SENTENCES[Rule.NO_POLICY].template
    assert say(Language.ENGLISH, template, {"dataset": "d"}) == template % {"dataset": "d"}


def test_a_language_that_is_not_there_is_refused_with_those_that_are() -> None:
    assert parse_language("") is parse_language("en") is Language.ENGLISH
    assert parse_language("zh-CN") is CHINESE
    for unknown in ("zh", "zh_CN", "EN", "de", "\x1b[2J"):
        with pytest.raises(ConfigError) as found:
            parse_language(unknown)
        assert str(found.value.remedy) == "use one of these: en, zh-CN"
        assert str(found.value).isprintable()


def test_the_values_of_a_statement_are_those_that_it_uses_as_text() -> None:
    (terms, *_) = runnable()[cardinality.NAME]
    for one in cardinality.SERVICE.disclose(terms):
        assert one.template % one.facts == str(one)
        assert set(one.facts) == {name for name, _ in placeholders(one.template)}
    bare = replace(one, template="nothing")
    assert bare.facts == {}
