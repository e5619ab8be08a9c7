"""What is wrong with a text that a peer wrote, said so that it may stand in our log.

A peer chooses the names of the keys in its JSON: they are as much its own as the values.
"""

from typing import Final

from pydantic import ValidationError

MOST_CHARACTERS: Final = 200
_MOST_PART_CHARACTERS: Final = 40
# What pydantic says less plainly.
_SENTENCES: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "model_type": "should be an object",
}


def explain(error: ValidationError) -> str:
    """Return the first thing that is wrong: where, and what; never a value."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(harmless(str(part), _MOST_PART_CHARACTERS) for part in first["loc"])
    what = _SENTENCES.get(first["type"]) or first["msg"].lower()
    said = harmless(what.removeprefix("value error, ").removeprefix("input "))
    return f"{where}: {said}" if where else said


def harmless(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return the beginning of a text of unknown origin, with escapes for all but ASCII."""
    kept = ascii(text[:most])[1:-1]
    return kept if len(text) <= most else f"{kept}..."
