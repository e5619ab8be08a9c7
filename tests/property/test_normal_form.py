import itertools
import unicodedata

import duckdb
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.datasets.normal_form import (
    SEPARATOR,
    SPACE,
    NormalForm,
    fault_of,
    keys_sql,
    normal,
    normal_key,
)

FORMS = [
    forms
    for length in range(len(NormalForm) + 1)
    for forms in itertools.combinations(NormalForm, length)
]
DATABASE = duckdb.connect(":memory:")

# Characters that are joined, cased, trimmed or refused come often.
tricky = st.sampled_from(
    [*SPACE, *"\0\x1f\x1c\u0130ıſKÅßΣςǅﬁ+-.0e1９", "\u0301", "\u0307", "\u0331"]
)
characters = st.one_of(tricky, st.characters(codec="utf-8"), st.characters(max_codepoint=127))
texts = st.text(characters, max_size=12)
numbers = st.from_regex(r"[ +-]?[0-9]{0,6}(\.[0-9]{0,6})?\n?", fullmatch=True)
keys = st.lists(st.one_of(st.none(), texts, numbers), min_size=1, max_size=40)
some_forms = st.sampled_from(FORMS)


def in_sql(rows: list[tuple[str | None, ...]], forms: tuple[NormalForm, ...]) -> list[str | None]:
    width = len(rows[0])
    columns = ", ".join(f"unnest(?::VARCHAR[]) AS k{n}" for n in range(width))
    query = keys_sql(f"SELECT {columns}", width, forms)
    values = [[row[n] for row in rows] for n in range(width)]
    return [key for (key,) in DATABASE.sql(query, params=values).fetchall()]


@given(keys=keys, forms=some_forms)
@example(keys=["e\0e\u0301", "e\0", "\u0130", "I\u0307", "H\u0331", "\u1e96"], forms=FORMS[-1])
@settings(max_examples=300)
def test_what_runs_is_what_is_meant(keys: list[str | None], forms: tuple[NormalForm, ...]) -> None:
    assert in_sql([(key,) for key in keys], forms) == [normal_key([key], forms) for key in keys]


def test_what_runs_is_what_is_meant_for_every_character() -> None:
    every = [chr(n) for n in range(0x110000) if not 0xD800 <= n < 0xE000]
    assigned = [character for character in every if unicodedata.category(character) != "Cn"]
    rows: list[tuple[str | None, ...]] = [(character,) for character in assigned]

    for forms in ((NormalForm.NFC,), (NormalForm.LOWER,), (NormalForm.TRIM,)):
        assert in_sql(rows, forms) == [normal(character, forms) for character in assigned]


@given(pairs=st.lists(st.tuples(texts, texts), min_size=1, max_size=20), forms=some_forms)
@settings(max_examples=100)
def test_keys_of_two_columns_are_as_meant_too(
    pairs: list[tuple[str, str]], forms: tuple[NormalForm, ...]
) -> None:
    assert in_sql([*pairs], forms) == [normal_key(pair, forms) for pair in pairs]


@given(key=st.one_of(texts, numbers), forms=some_forms)
def test_a_normal_form_is_its_own(key: str, forms: tuple[NormalForm, ...]) -> None:
    once = normal(key, forms)

    assert once is None or normal(once, forms) == once


@given(key=texts, forms=some_forms)
def test_canonically_equal_texts_have_one_normal_form(
    key: str, forms: tuple[NormalForm, ...]
) -> None:
    composed = (NormalForm.NFC, *(form for form in forms if form is not NormalForm.NFC))

    assert normal(unicodedata.normalize("NFD", key), composed) == normal(key, composed)


@given(key=texts)
def test_case_makes_no_difference_to_a_key_in_lower_case(key: str) -> None:
    swapped = "".join(
        c.upper() if c.upper().lower() == c and len(c.upper()) == 1 else c for c in key
    )

    assert normal(swapped, (NormalForm.LOWER,)) == normal(key, (NormalForm.LOWER,))


@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=4), zeros=st.integers(0, 5))
def test_spellings_of_one_number_have_one_normal_form(number: object, zeros: int) -> None:
    plain = f"{number:f}"
    sign, digits = ("-", plain[1:]) if plain.startswith("-") else ("+", plain)

    padded = f"{sign}{'0' * zeros}{digits}{'0' * zeros}"

    assert normal(padded, (NormalForm.NUMERIC,)) == normal(plain, (NormalForm.NUMERIC,))


@given(first=st.tuples(texts, texts), second=st.tuples(texts, texts), forms=some_forms)
def test_keys_of_two_columns_are_equal_only_if_both_columns_are(
    first: tuple[str, str], second: tuple[str, str], forms: tuple[NormalForm, ...]
) -> None:
    one, two = normal_key(first, forms), normal_key(second, forms)
    parts_equal = all(
        normal(a, forms) == normal(b, forms) for a, b in zip(first, second, strict=True)
    )

    assert one is None or two is None or (one == two) == parts_equal


@given(key=st.one_of(st.none(), texts), forms=some_forms)
def test_a_key_without_normal_form_has_a_reason_that_does_not_tell_it(
    key: str | None, forms: tuple[NormalForm, ...]
) -> None:
    if normal(key, forms) is None:
        assert fault_of(key, forms).startswith("the key ")
        assert SEPARATOR not in fault_of(key, forms)
