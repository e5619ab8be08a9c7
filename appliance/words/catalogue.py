"""Sentences in other languages than English: a gettext catalogue (``.po``) for each.

A sentence is known by its English template, so whoever says it needs to know no language. An entry
with a context (``msgctxt``) is no sentence: it is a word that may be the value of that name, as
``which keys match`` may be of ``%(told)s``. Values of other names are names that people gave, and
stay as they are. To add a sentence, add its entry with the same placeholders: a test compares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final

import polib

from services.errors import ConfigError

SEPARATOR: Final = "; "
"""Between several words in one value."""


class Language(Enum):
    """What people may read in; the values are tags of BCP 47."""

    ENGLISH = "en"
    CHINESE = "zh-CN"


_FILES: Final = {Language.CHINESE: "zh_CN.po"}
_SEPARATORS: Final = {Language.CHINESE: "；"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What one language has: sentences by template, and words by the value's name."""

    sentences: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]


def parse_language(text: str) -> Language:
    """Return the language that a tag names, English if none is given.

    Raises: ConfigError if there is no such language.
    """
    known = {language.value: language for language in Language}
    if text and text not in known:
        raise ConfigError(
            f"there is no language {text[:40]!a}", remedy=f"use one of these: {', '.join(known)}"
        )
    return known[text] if text else Language.ENGLISH


def say(language: Language, template: str, values: Mapping[str, str | int]) -> str:
    """Return a sentence in a language, in English if that language does not have it.

    To keep a sentence back would hide what a party learns.
    """
    if language not in _FILES:
        return template % values
    catalogue = read_catalogue(language)
    translated = catalogue.sentences.get(template)
    if translated is None:
        return template % values
    return translated % {name: _worded(language, name, value) for name, value in values.items()}


@cache
def read_catalogue(language: Language) -> Catalogue:
    """Return a language's catalogue, which must have a file; doubtful entries are left out."""
    sentences: dict[str, str] = {}
    words: dict[str, dict[str, str]] = {}
    for entry in polib.pofile(Path(__file__).with_name(_FILES[language])).translated_entries():
        known = sentences if entry.msgctxt is None else words.setdefault(entry.msgctxt, {})
        known[entry.msgid] = entry.msgstr
    return Catalogue(sentences=sentences, words=words)


def _worded(language: Language, name: str, value: str | int) -> str | int:
    """Return a value in a language if it is made of words, else as it is."""
    words = read_catalogue(language).words.get(name)
    if words is None or not isinstance(value, str):
        return value
    parts = value.split(SEPARATOR)
    return _SEPARATORS[language].join(words.get(part, part) for part in parts)
