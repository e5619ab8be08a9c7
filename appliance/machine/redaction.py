"""Takes out of a text all that is not known to be harmless: an allow-list, word by word.

What stays are words of a list that this version came with, short numbers that stand alone, names
of devices, and names that the caller knows (units of systemd). So a secret needs no pattern that
recognises it: whatever it looks like, it is not on the list. The codes that people read out are
English words, some of which are on the list: three of them in a row are taken out as well.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Final

from mnemonic import Mnemonic

VOCABULARY: Final = "vocabulary.txt"
FEWEST_CODE_WORDS: Final = 3
MOST_DIGITS: Final = 3

_DEVICE: Final = re.compile(
    r"(eth|enp|ens|eno|sd|vd|nvme|dm-|tty|ttyS|tpm|tpmrm|cpu|pci|usb|loop|md|veth|br)"
    r"\d{1,3}([a-z]\d{1,3}){0,3}|lo|sd[a-z]\d?|vd[a-z]\d?"
)
# A word in the widest sense: what a blank ends. And what words and marks it is made of.
_RUN: Final = re.compile(r"\S+|\s+")
_PART: Final = re.compile(r"[^\W\d_]+|\d+|[\W_]")
_HARMLESS_MARKS: Final = frozenset(" .,:;()[]'\"-/=<>")


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """Return the words that may stay, in small letters."""
    text = files("appliance.machine").joinpath(VOCABULARY).read_text(encoding="utf-8")
    return frozenset(text.split())


@lru_cache(maxsize=1)
def _code_words() -> frozenset[str]:
    return frozenset(Mnemonic("english").wordlist)


class Redactor:
    """Redacts texts, and counts what it took out. known: names that may stay as they are."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = frozenset(known)
        self.taken_out = 0

    def text(self, text: str) -> str:
        """Return a text of which only what is harmless is left, the rest as its length: ‹12›."""
        runs = _RUN.findall(text)
        coded = set(_in_code(runs))
        return "".join(
            run if run.isspace() else self._run(run, place in coded)
            for place, run in enumerate(runs)
        )

    def _run(self, run: str, is_code: bool) -> str:
        bare = run.strip("'\"()[],;:.")
        if bare and bare in self._known:
            return run
        if not is_code and self._is_harmless(run):
            return run
        self.taken_out += 1
        return f"‹{len(run)}›"

    def _is_harmless(self, run: str) -> bool:
        bare = run.strip("'\"()[],;:.")
        if _DEVICE.fullmatch(bare):
            return True
        parts = _PART.findall(run)
        words = [part for part in parts if part[0].isalpha()]
        numbers = [part for part in parts if part[0].isdigit()]
        marks = set(parts) - set(words) - set(numbers)
        return (
            marks <= _HARMLESS_MARKS
            and all(word.lower() in vocabulary() for word in words)
            and len(numbers) <= 1
            and all(len(number) <= MOST_DIGITS and number.isascii() for number in numbers)
            and len(words) < FEWEST_CODE_WORDS
        )


def _in_code(runs: list[str]) -> Iterator[int]:
    """Return the places of words that stand in a row of words of which codes are made."""
    row: list[int] = []
    for place, run in enumerate([*runs, ""]):
        if run.isspace():
            continue
        words = [part for part in _PART.findall(run.lower()) if part[0].isalpha()]
        if words and all(word in _code_words() for word in words):
            row.append(place)
            continue
        if len(row) >= FEWEST_CODE_WORDS:
            yield from row
        row = []
