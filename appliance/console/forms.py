"""What the menu asks for: the questions of each entry, how answers are checked, what is done then.

Pure. A form ends in one :class:`Ask`, and only after its last question, which is always one whose
answer cannot be given by accident.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MOST_TYPED_CHARACTERS: Final = 80

Answers: TypeAlias = Mapping[str, str]
Values: TypeAlias = Mapping[str, object]


class AnswerUnfit(Exception):
    """An answer that cannot be taken; the text says what would be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What somebody else is asked to do: the agent, or the machine helper.

    body: of the question, as JSON has it; it may hold what nobody else may see.
    """

    kind: str
    body: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One line to be typed. check: returns the answer as it counts, or raises AnswerUnfit."""

    name: str
    prompt: str
    check: Callable[[str], str]
    applies: Callable[[Answers], bool] = lambda answers: True


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """An entry of the menu. tell: what is shown once it is done; None: back to the status.

    is_slowed: whether each refusal makes the next try wait longer.
    """

    title: str
    lines: tuple[str, ...]
    questions: tuple[Question, ...]
    ask: Callable[[Answers], Ask]
    tell: Callable[[Values], tuple[str, ...]]
    is_slowed: bool = False

    def question(self, answers: Answers) -> Question | None:
        """Return what is to be asked next; None if all has been."""
        for one in self.questions:
            if one.name not in answers and one.applies(answers):
                return one
        return None
