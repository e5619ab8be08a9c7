import pytest

from appliance.datasets.errors import NormalFormUnknown
from appliance.datasets.normal_form import NormalForm, fault_of, normal, parse_normal_form

NUMERIC = (NormalForm.NUMERIC,)


@pytest.mark.parametrize(
    ("spelling", "number"),
    [
        ("7", "7"),
        ("+007.500", "7.5"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("-00.10", "-0.1"),
        ("000", "0"),
        ("100", "100"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("3.", "3"),
    ],
)
def test_a_number_has_one_spelling(spelling: str, number: str) -> None:
    assert normal(spelling, NUMERIC) == number


@pytest.mark.parametrize(
    "text", ["", "x", "1e3", ".5", "1,000", "- 1", " 1", "1\n", "٣", "nan", "--1"]
)
def test_what_is_no_number_has_no_numeric_form(text: str) -> None:
    assert normal(text, NUMERIC) is None


def test_forms_apply_in_one_order_however_they_are_named() -> None:
    forms = parse_normal_form(["numeric", "TRIM", " nfc ", "lower", "trim"])

    assert forms == (NormalForm.NFC, NormalForm.LOWER, NormalForm.TRIM, NormalForm.NUMERIC)


def test_an_unknown_form_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(NormalFormUnknown, match="no normal form 'soundex'") as refused:
        parse_normal_form(["trim", "soundex"])

    assert refused.value.remedy == "use one or more of nfc, lower, trim, numeric"


@pytest.mark.parametrize(
    ("key", "names", "fault"),
    [
        (None, [], "the key is null"),
        ("", [], "the key is empty"),
        ("  ", ["trim"], "the key is empty"),
        ("a\0b", [], "the key holds a NUL or unit separator character, which keys may not"),
        ("a\x1fb", [], "the key holds a NUL or unit separator character, which keys may not"),
        ("abc", ["numeric"], "the key is not a number, and its normal form is numeric"),
    ],
)
def test_a_key_without_normal_form_is_told_why(
    key: str | None, names: list[str], fault: str
) -> None:
    assert fault_of(key, parse_normal_form(names)) == fault
