"""Decisions agree with a second opinion; texts and policies that nobody meant break nothing."""

import re
from collections import Counter
from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.policies.decide import Refused, decide
from appliance.policies.document import parse_policy
from appliance.policies.errors import PolicyInvalid
from appliance.policies.policy import Policy, digest_of
from appliance.policies.rules import Rule
from appliance.policies.writing import write_policy
from tests.property.policy_reference import Offence, offences
from tests.property.policy_worlds import World, policy, world
from tests.unit.policy_doubles import examples_of_the_page

LOOKED_AT = 4000
NAMING = {
    Rule.PEER: ("peer",),
    Rule.SERVICE: ("service",),
    Rule.ADVERSARY: ("service",),
    Rule.ATTESTATION: ("peer",),
    Rule.VERSION: ("peer",),
    Rule.NO_COLUMN: ("column",),
    Rule.COLUMN: ("column",),
    Rule.USE: ("column", "use"),
    Rule.RECEIVER: ("column", "peer"),
}


def decided(one: World) -> list[Offence]:
    """Return the refusals, each with whom or what it names."""
    made = None if one.document is None else Policy.model_validate(one.document)
    found = decide(one.request, made, one.standing, one.now)
    return [
        (refusal.rule.value, *(str(refusal.values[key]) for key in NAMING.get(refusal.rule, ())))
        for refusal in (found.refusals if isinstance(found, Refused) else ())
    ]


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - a test's own


@settings(max_examples=10_000)
@given(st.integers(0, 2**64 - 1))
def test_each_decision_is_that_of_a_second_opinion(seed: int) -> None:
    one = world(seeded(seed))

    found = decided(one)

    assert len(found) == len(set(found))
    assert set(found) == offences(one.document, one.request, one.standing, one.now)


def test_what_is_compared_is_both_allowed_and_refused_by_each_rule_often() -> None:
    rng = seeded(7)
    counts: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for _ in range(LOOKED_AT):
        found = {word for word, *_ in decided(world(rng))}
        counts.update(found or {"allowed"})
        alone.update(found if len(found) == 1 else ())

    assert 0.2 < counts["allowed"] / LOOKED_AT < 0.8
    assert min(counts[rule.value] for rule in Rule) >= LOOKED_AT / 200, counts
    assert min(alone[rule.value] for rule in Rule) >= LOOKED_AT / 2000, alone


@settings(max_examples=300)
@given(st.integers(0, 2**64 - 1))
def test_any_policy_is_written_so_that_it_is_read_as_the_same(seed: int) -> None:
    made = Policy.model_validate(policy(seeded(seed)))

    again = parse_policy(write_policy(made))

    assert again == made
    assert digest_of(again) == digest_of(made)


PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)


@given(PRINTABLE, PRINTABLE, st.decimals(0, 999_999, places=18))
def test_any_name_and_number_is_written_so_that_it_is_read_as_the_same(
    name: str, peer: str, amount: Decimal
) -> None:
    document = policy(seeded(1)) | {
        "peers": [peer],
        "columns": {name: {"uses": "plain", "receivers": [peer]}},
        "budget": {"epsilon": amount},
    }
    made = Policy.model_validate(document)

    assert parse_policy(write_policy(made, {peer: name})) == made


# What the texts of policies are made of, and what may break a reader.
PIECES = sorted({piece for one in examples_of_the_page() for piece in re.findall(r"\w+|\W", one)})
WORDS = st.sampled_from([*PIECES, "nan", "0x", "1e9", "-1", "\x00", "\x1b[2J", "\ud800", "余额"])
TEXTS = st.text() | st.lists(WORDS, max_size=40).map(" ".join) | st.lists(WORDS).map("".join)


@settings(max_examples=2000)
@given(TEXTS)
def test_any_text_is_a_policy_or_refused_as_none(text: str) -> None:
    refuse_or_read(text)


@settings(max_examples=1000)
@given(st.data())
def test_an_example_with_a_piece_replaced_is_a_policy_or_refused(data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(examples_of_the_page()))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(example))] * 2)))

    refuse_or_read(example[:start] + data.draw(TEXTS) + example[min(end, start + 20) :])


def refuse_or_read(text: str) -> None:
    """Return if a text is read, or refused in words that move no cursor."""
    try:
        made = parse_policy(text)
    except PolicyInvalid as error:
        assert error.what.isprintable()
        assert error.remedy.isprintable()
        assert error.remedy
    else:
        assert parse_policy(write_policy(made)) == made
