"""Policies as text: what is read, what is refused and how that is said, and what is written."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from appliance.policies.document import MOST_CHARACTERS, parse_policy, pin_peers
from appliance.policies.errors import PolicyInvalid
from appliance.policies.policy import (
    Budget,
    ColumnRule,
    Policy,
    Security,
    canonical_form,
    digest_of,
    policy_schema,
)
from appliance.policies.rules import Rule
from appliance.policies.values import POLICY_TYPE, plain_text
from appliance.policies.writing import write_policy
from services.demand import ColumnUse
from services.service import Adversary
from tests.repository import schema
from tests.unit.policy_doubles import (
    CLINIC_ID,
    PAGE,
    SHOP_ID,
    examples_of_the_page,
    node_of,
    policy,
)

TYPE = f'type = "{POLICY_TYPE}"\n'


def read(text: str) -> Policy:
    return parse_policy(TYPE + text)


def column(rule: str) -> ColumnRule:
    return read(f'peers = ["shop", "clinic"]\n[columns]\nid = {rule}').columns["id"]


def test_what_is_not_said_is_not_allowed() -> None:
    empty = read("")

    assert (empty.peers, empty.services, empty.columns) == ((), (), {})
    assert (empty.uses, empty.largest_result, empty.valid_until) == (0, 0, None)
    assert (empty.smallest_group, empty.smallest_intersection) == (10, 10)
    assert empty.security.adversary is Adversary.MALICIOUS
    assert empty.approvals == 1
    assert read("[budget]\nepsilon = 1").budget == policy(budget={"epsilon": 1}).budget
    assert not read("[budget]\nepsilon = 1").budget.exact_figures  # type: ignore[union-attr]


def test_a_column_is_a_word_or_words_or_says_who_receives() -> None:
    assert column('"join-key"').uses == (ColumnUse.JOIN_KEY,)
    assert column('["compared", "aggregated"]').uses == (ColumnUse.AGGREGATED, ColumnUse.COMPARED)
    assert column('"never"').uses == column('["never"]').uses == ()
    shown = column('{ uses = ["plain"], receivers = ["shop"] }')
    assert (shown.uses, shown.receivers) == ((ColumnUse.PLAIN,), ("shop",))
    assert column('{ uses = "plain", receivers = ["shop"] }') == shown


def test_two_texts_that_say_the_same_are_one_policy_with_one_digest() -> None:
    one = read(
        'peers = ["shop", "clinic"]\nvalid_until = 2027-01-01T08:00:00+08:00\n'
        "smallest_group = 10\n[budget]\nepsilon = 1.50\ndelta = 1e-9"
    )
    other = read(
        "# in another order\nvalid_until = 2026-12-31T19:00:00-05:00\n"
        'peers = ["clinic", "shop"]\n[budget]\ndelta = 0.0000000010\nepsilon = 15e-1'
    )

    assert one == other
    assert digest_of(one) == digest_of(other)
    assert digest_of(one) != digest_of(read(""))


def test_the_canonical_form_is_json_that_stays_as_it_is() -> None:
    made = policy(budget={"epsilon": Decimal("1.50"), "delta": Decimal("1e-9")})

    said = json.loads(canonical_form(made))

    assert said["budget"] == {"epsilon": "1.5", "delta": "0.000000001", "exact_figures": False}
    assert said["valid_until"] == "2027-04-01T00:00:00Z"
    assert said["columns"]["diagnosis"] == {"uses": [], "receivers": []}
    assert digest_of(Policy(type=POLICY_TYPE)) == EMPTY_DIGEST


EMPTY_DIGEST = "42493526d5df05857c6572012dd42f55d7f77da066a820884da2bad79a341169"


@pytest.mark.parametrize(
    ("text", "epsilon"),
    [
        ("1", "1"),
        ("0", "0"),
        ("0.1", "0.1"),
        ("0.000000001", "0.000000001"),
        ("999999.999999999999999999", "999999.999999999999999999"),
        ("1e5", "100000"),
        ("0e5", "0"),
        ("1_000.5", "1000.5"),
    ],
)
def test_numbers_of_a_budget_are_exact(text: str, epsilon: str) -> None:
    budget = read(f"[budget]\nepsilon = {text}").budget

    assert budget is not None
    assert plain_text(budget.epsilon) == epsilon


SHOWS = 'peers = ["shop"]\n[columns]\nid = '
# A text: (the key, what is wrong, the remedy).
WRONG = {
    'use = 1\nservces = ["a"]': ("", 'there is no key "use"', 'did you mean "uses"?'),
    "[budgets]\nepsilon = 1": ("", 'no key "budgets"', 'did you mean "budget"?'),
    "[budget]\nepsilon = 1\ndleta = 0": ("budget", 'no key "dleta"', 'did you mean "delta"?'),
    "[security]\nadversry = 'malicious'": ("security", '"adversry"', 'you mean "adversary"?'),
    "[security]\nadversary = 'maliciouss'": (
        *("security.adversary", 'there is no adversary "maliciouss"', 'did you mean "malicious"?'),
    ),
    f"{SHOWS}'join-kye'": ("columns.id.uses", 'no use "join-kye"', 'did you mean "join-key"?'),
    f"{SHOWS}['label', 'xyz']": ("columns.id.uses", 'no use "xyz"', "it is one of join-key, "),
    f"{SHOWS}{{uses = 'label', receivrs = []}}": (
        *("columns.id", 'there is no key "receivrs"', 'did you mean "receivers"?'),
    ),
    "valid_from = 2027-01-02T00:00:00Z\nvalid_until = 2027-01-01T00:00:00Z": (
        *("", "valid_until is not after valid_from", "mend one of them"),
    ),
    "valid_from = 2027-01-01T08:00:00+08:00\nvalid_until = 2027-01-01T00:00:00Z": (
        *("", "valid_until is not after valid_from", "mend one of them"),
    ),
    "uses = 4\nuses_per_day = 5": ("", "uses_per_day is 5, more than uses, which is 4", "raise"),
    f"{SHOWS}['never', 'label']": ("columns.id", 'says "never", and uses beside it', "leave one"),
    f"{SHOWS}[]": ("columns.id", "names no use", 'write "never"'),
    f"{SHOWS}'plain'": ("columns.id", "plain shows rows, and no receiver is named", "receivers ="),
    f"{SHOWS}['plain', 'join-payload']": (
        *("columns.id", "join-payload shows rows", 'write { uses = ["join-payload"], receivers'),
    ),
    f"{SHOWS}{{uses = 'label', receivers = ['shop']}}": (
        *("columns.id", "names receivers, and no use that shows rows to them", "leave the"),
    ),
    f"{SHOWS}{{uses = 'plain', receivers = ['shpo']}}": (
        *("", '"shpo" is to receive column "id", and is not among the peers', 'mean "shop"?'),
    ),
    f"{SHOWS}['label', 'label']": ("columns.id.uses", "names something twice", "but once"),
    "peers = ['a', 'a']": ("peers", "names something twice", "name each but once"),
    "peers = 'a'": ("peers", "should be a list", 'write it as ["FIRST", "SECOND"]'),
    f"peers = ['{SHOP_ID[:-1]}7']": ("peers", "the node id is mistyped in group 7 or 8", "compare"),
    "services = ['PSI']": ("services", '"PSI" cannot name a service', "write it as psi.intersect"),
    "valid_until = 2027-01-01T00:00:00": ("valid_until", "its offset from UTC", "+08:00"),
    "valid_until = 2027-01-01": ("valid_until", "should be a date, a time of day", "+08:00"),
    "valid_until = '2027-01-01T00:00:00Z'": ("valid_until", "should be a date", "without quotes"),
    "valid_until = 9999-12-31T23:59:59-12:00": ("valid_until", "is not a time", "write it as"),
    "valid_until = 0001-01-01T00:00:00+12:00": ("valid_until", "is not a time", "write it as"),
    "uses = 1.5": ("uses", "should be a whole number", "write it as 10, without quotes"),
    "uses = true": ("uses", "should be a whole number", "write it as 10, without quotes"),
    "uses = -1": ("uses", "should be greater than or equal to 0", "mend it"),
    "uses = 9007199254740992": ("uses", "should be less than or equal to", "mend it"),
    "approvals = 17": ("approvals", "should be less than or equal to 16", "mend it"),
    "security = 1": ("security", "should be a table", "write one KEY = VALUE a line"),
    "columns = ['id']": ("columns", "should be a table", "write one KEY = VALUE a line"),
    "[columns]\n'' = 'label'": ('columns.""', "should have at least 1 character", "mend it"),
    '[columns]\n"a\\u001b[2J" = "label"': (
        *('columns."a\\x1b[2J"', "has characters that cannot be printed", "write it without"),
    ),
    "[budget]\ndelta = 0": ("budget.epsilon", "is missing", "write it"),
    "[budget]\nepsilon = nan": ("budget.epsilon", "a number that is not negative", "0.5"),
    "[budget]\nepsilon = -0.0": ("budget.epsilon", "a number that is not negative", "0.5"),
    "[budget]\nepsilon = '1'": ("budget.epsilon", "a number that is not negative", "0.5"),
    "[budget]\nepsilon = 1e-19": ("budget.epsilon", "has too many digits", "at most 6 digits"),
    "[budget]\nepsilon = 1e999999999": ("budget.epsilon", "has too many digits", "at most 6"),
    "uses = \npeers": ("", "invalid value (at line 2, column 8)", "the document is TOML"),
    "uses = 1\nuses = 2\n": ("", "cannot overwrite a value (at line 3, column 9)", "is TOML"),
    f"uses = {'9' * 5000}": ("", "a number is too long", "write a shorter one"),
    f"uses = {'[' * 5000}": ("", "the lists are too deep", "take brackets away"),
    f"#{' ' * MOST_CHARACTERS}": ("", "characters, at most 262,144", "name fewer columns"),
}


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_with_its_key_and_the_remedy(text: str) -> None:
    where, what, remedy = WRONG[text]

    with pytest.raises(PolicyInvalid) as refused:
        read(text)

    assert refused.value.where == where
    assert what in refused.value.what
    assert refused.value.what.startswith(where)
    assert remedy in refused.value.remedy


@pytest.mark.parametrize(
    ("text", "what"),
    [("", "type: is missing"), ('type = "coffer.policy/2"', 'type: there is no type "coffer.poli')],
)
def test_a_document_says_what_it_is(text: str, what: str) -> None:
    with pytest.raises(PolicyInvalid, match=what):
        parse_policy(text)


KNOWN = {"shop": node_of("shop"), "clinic": node_of("clinic")}


def test_names_of_peers_become_node_ids_before_a_policy_is_kept() -> None:
    said = read(
        f'peers = ["shop", "{CLINIC_ID.lower()}"]\n[columns]\nid = "label"\nx = "never"\n'
        'name = { uses = "plain", receivers = ["shop"] }'
    )

    pinned = pin_peers(said, KNOWN)

    assert set(pinned.peers) == {SHOP_ID, CLINIC_ID}
    assert pinned.columns["name"].receivers == (SHOP_ID,)
    assert pinned.columns["x"].uses == ()
    assert pin_peers(pinned, KNOWN) == pinned


@pytest.mark.parametrize(
    ("peers", "what", "remedy"),
    [
        ('["shpo"]', 'peers: there is no peer "shpo"', 'did you mean "shop"?'),
        (f'["{node_of("x").text}"]', "there is no peer", "pair with it first"),
        (f'["shop", "{SHOP_ID}"]', "peers: names something twice", "name each but once"),
    ],
)
def test_a_peer_that_is_not_paired_is_refused(peers: str, what: str, remedy: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        pin_peers(read(f"peers = {peers}"), KNOWN)

    assert what in refused.value.what
    assert remedy in refused.value.remedy


def test_what_is_written_is_read_as_the_same_and_explains_each_key() -> None:
    made = policy(budget={"epsilon": 2, "delta": Decimal("1e-18"), "exact_figures": True})

    text = write_policy(made, {SHOP_ID: "shop"})

    assert parse_policy(text) == made
    assert f"# {SHOP_ID} is shop" in text
    assert 'name = {uses = "join-payload", receivers = [' in text
    assert 'diagnosis = "never"' in text
    for key in Policy.model_fields:
        assert re.search(rf"^(\[{key}\]|{key} =|# {key} is not said)", text, re.MULTILINE), key
    assert max(map(len, re.findall("^#.*", text, re.MULTILINE))) <= 100


def test_an_empty_policy_is_written_with_all_that_it_refuses() -> None:
    text = write_policy(Policy(type=POLICY_TYPE))

    assert parse_policy(text) == Policy(type=POLICY_TYPE)
    assert "# valid_until is not said.\n" in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_published_schema_is_that_of_the_document() -> None:
    kept = schema.POLICY_SCHEMA.read_text(encoding="utf-8")

    assert kept == schema.write_policy_schema(), 'run "make schema"'
    said: dict[str, Any] = json.loads(kept)
    assert list(said["properties"]) == list(Policy.model_fields)
    assert said["required"] == ["type"]
    assert said["additionalProperties"] is False


def test_each_key_says_what_it_means() -> None:
    said = policy_schema()
    tables = [said, *(said["$defs"][name] for name in ("Budget", "Security"))]
    keys = {key: one for table in tables for key, one in table["properties"].items()}

    assert [key for key, one in keys.items() if not one.get("description")] == ["type"]


def test_the_owners_page_has_examples_that_can_be_read_and_explains_each_key() -> None:
    page, examples = PAGE.read_text(encoding="utf-8"), examples_of_the_page()
    keys = {*Policy.model_fields, *Budget.model_fields, *Security.model_fields}

    first, second = map(parse_policy, examples)

    assert first.budget is not None
    assert second.largest_result == 5000
    assert all(re.search(rf"^\|[^|]*`{key}`", page, re.MULTILINE) for key in keys)
    assert all(re.search(rf"^\[?{key}\b", examples[0], re.MULTILINE) for key in keys)


def test_the_owners_page_lists_each_rule_and_use_in_its_order() -> None:
    words = re.findall("`([a-z-]+)`", PAGE.read_text(encoding="utf-8").partition("## The order")[2])
    assert [word for word in words if word in {one.value for one in Rule}] == [
        one.value for one in Rule
    ]
