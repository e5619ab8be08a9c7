"""Normal forms of keys: what makes two spellings of one identifier the same bytes on both sides.

Each form is written twice: as a DuckDB expression, which is what runs, and in plain Python, which
says what it means. A property test holds them equal.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum
from typing import Final

from appliance.datasets.errors import NormalFormUnknown

# Unicode's White_Space.
SPACE: Final = "".join(
    map(chr, (*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)))
) + "".join(map(chr, (0x2028, 0x2029, 0x202F, 0x205F, 0x3000)))

# Stands between the columns of a key of several columns; no key may hold it.
SEPARATOR: Final = "\x1f"

_NUMBER: Final = r"([+-]?)0*([0-9]+?)(?:\.([0-9]*?)0*)?"


class NormalForm(Enum):
    """One of the forms. They apply in this order, each at most once."""

    NFC = "nfc"
    LOWER = "lower"
    TRIM = "trim"
    NUMERIC = "numeric"

    def steps(self, k: str) -> tuple[str, ...]:
        """Return DuckDB expressions over the VARCHAR column ``k``, each over the last's value."""
        match self:
            case NormalForm.NFC:
                return (f"nfc_normalize({k})",)
            case NormalForm.LOWER:
                # Lower case of a composed string may itself be composable.
                return (f"nfc_normalize(lower(nfc_normalize({k})))",)
            case NormalForm.TRIM:
                # The test is much faster than trim, and nearly all keys pass it. Of the whole
                # key its first character decides.
                ends = f"{k} >= '!' AND {k} < chr(127) AND {k}[-1] BETWEEN '!' AND '~'"
                return (f"CASE WHEN {ends} THEN {k} ELSE trim({k}, '{SPACE}') END",)
            case NormalForm.NUMERIC:
                # A key that is no number gives three empty parts.
                sign = f"CASE WHEN {k}.sign = '-' AND ({k}.whole <> '0' OR {k}.part <> '')"
                point = f"CASE WHEN {k}.part <> '' THEN '.' || {k}.part ELSE '' END"
                return (
                    f"regexp_extract({k}, '^{_NUMBER}$', ['sign', 'whole', 'part'])",
                    f"nullif({sign} THEN '-' ELSE '' END || {k}.whole || {point}, '')",
                )

    def of(self, key: str) -> str | None:
        """Return this form of ``key``; None if it has none."""
        match self:
            case NormalForm.NFC:
                return unicodedata.normalize("NFC", key)
            case NormalForm.LOWER:
                composed = unicodedata.normalize("NFC", key)
                return unicodedata.normalize("NFC", "".join(map(_lower, composed)))
            case NormalForm.TRIM:
                return key.strip(SPACE)
            case NormalForm.NUMERIC:
                return _number(key)


def parse_normal_form(names: Iterable[str]) -> tuple[NormalForm, ...]:
    """Read the names of forms into the order in which they apply; NormalFormUnknown."""
    known = {form.value: form for form in NormalForm}
    wanted = {name.strip().lower() for name in names}
    for name in sorted(wanted):
        if name not in known:
            raise NormalFormUnknown(name, tuple(known))
    return tuple(form for form in NormalForm if form.value in wanted)


def keys_sql(rows: str, columns: int, forms: tuple[NormalForm, ...], carried: str = "") -> str:
    """Return a SELECT of ``key``, and of what is ``carried``, over the SELECT ``rows``.

    ``rows`` gives the key's columns as k0, k1 …, all VARCHAR, and the columns that are carried.
    A key is NULL if one of its columns is null, empty or has no normal form.
    """
    names = [f"k{number}" for number in range(columns)]
    more = f", {carried}" if carried else ""
    # DuckDB's nfc_normalize cuts a string at NUL: two keys would become one.
    steps = [[f"CASE WHEN contains({k}, chr(0)) OR contains({k}, chr(31)) THEN NULL ELSE {k} END"
              for k in names]]  # fmt: skip
    for form in forms:
        steps += [list(step) for step in zip(*(form.steps(k) for k in names), strict=True)]
    for step in steps:
        shown = ", ".join(f"{value} AS {k}" for value, k in zip(step, names, strict=True))
        rows = f"SELECT {shown}{more} FROM ({rows})"  # noqa: S608 (no part comes from outside)
    key = " || chr(31) || ".join(f"nullif({k}, '')" for k in names)
    return f"SELECT {key} AS key{more} FROM ({rows})"  # noqa: S608


def normal_key(columns: Iterable[str | None], forms: tuple[NormalForm, ...]) -> str | None:
    """Return the key made of a row's key columns; None if it has none."""
    parts = [normal(column, forms) for column in columns]
    return None if None in parts else SEPARATOR.join(part or "" for part in parts)


def normal(text: str | None, forms: tuple[NormalForm, ...]) -> str | None:
    """Return one column of a key in normal form; None if it is null, empty or unfit."""
    if text is None or "\0" in text or SEPARATOR in text:
        return None
    for form in forms:
        text = form.of(text)
        if text is None:
            return None
    return text or None


def fault_of(text: str | None, forms: tuple[NormalForm, ...]) -> str:
    """Say why one column of a key has no normal form."""
    if text is None:
        return "the key is null"
    if "\0" in text or SEPARATOR in text:
        return "the key holds a NUL or unit separator character, which keys may not"
    if NormalForm.NUMERIC in forms and normal(
        text, tuple(f for f in forms if f != NormalForm.NUMERIC)
    ):
        return "the key is not a number, and its normal form is numeric"
    return "the key is empty"


def _lower(character: str) -> str:
    # U+0130 is the one character whose full lower case is longer than its simple one.
    return "i" if character == "\u0130" else character.lower()


def _number(key: str) -> str | None:
    found = re.fullmatch(_NUMBER, key, re.ASCII)
    if found is None:
        return None
    sign, whole, part = found[1], found[2], found[3] or ""
    if sign != "-" or (whole == "0" and not part):
        sign = ""
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"
