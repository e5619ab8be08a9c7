"""What can be wrong with a policy, said so that its owner can mend it."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from services.errors import ConfigError

DID_YOU_MEAN: Final = 'did you mean "%(near)s"?'

_MOST_CHARACTERS: Final = 80


class PolicyInvalid(ConfigError):
    """A text is no policy; ``where`` is the key that is wrong, empty if it is none or the whole."""

    def __init__(self, where: str, what: str, *, remedy: str) -> None:
        super().__init__(f"{where}: {what}" if where else what, remedy=remedy)
        self.where = where


def nearest(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return a remedy that names the known word that is most like this one, if one is."""
    near = find_near(word, known)
    return DID_YOU_MEAN % {"near": near} if near is not None else otherwise


def find_near(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like this one, None if none is like it."""
    near = get_close_matches(word[:_MOST_CHARACTERS], list(known), n=1)
    return near[0] if near else None


def quoted(text: object) -> str:
    """Return the beginning of what somebody wrote, so that it cannot move a reader's cursor."""
    whole = str(text)
    kept = whole[:_MOST_CHARACTERS]
    kept = kept if kept.isprintable() else ascii(kept)[1:-1]
    return f'"{kept}"' if len(whole) <= _MOST_CHARACTERS else f'"{kept}..."'


class PolicyNotFound(ConfigError):
    """A dataset has no policy, or none of that version."""

    def __init__(self, dataset: str, version: int) -> None:
        which = f"no version {version} of its policy" if version else "no policy"
        super().__init__(
            f"the dataset {dataset} has {which}",
            remedy=f'have one drafted: "coffer policies draft {dataset}"',
        )


class PolicyConflict(ConfigError):
    """Somebody else has changed the policy since it was read."""

    def __init__(self, dataset: str, over: int, present: int) -> None:
        super().__init__(
            f"the policy of {dataset} was to replace version {over}, but it is at {present} now",
            remedy="read the present one, and make the change to that",
        )
