"""What the console shows and does next: a pure function of what it is at, and of what happens.

``after`` takes a dialogue and an event and gives the next dialogue, with what is to be asked of
others. Nothing is asked but by a form whose every question was answered, and then once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from appliance.console.forms import MOST_TYPED_CHARACTERS, AnswerUnfit, Ask, Form, Values
from appliance.console.keys import Key, Stroke

IDLE_SECONDS: Final = 180.0
"""After so long without a key the screen shows the status again, and no secret."""
_FIRST_DELAY_SECONDS: Final = 5.0
_MOST_DELAY_SECONDS: Final = 600.0

# Entries by the key that chooses them.
Menu: TypeAlias = "Mapping[str, Form | Submenu]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submenu:
    """Entries behind an entry."""

    title: str
    entries: Mapping[str, Form]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The status is shown; the menu stands below it. note: why an entry could not be chosen."""

    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosing:
    """The entries of a submenu are shown."""

    submenu: Submenu


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """A form is filled in. refusal: why the last answer was not taken."""

    form: Form
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)
    typed: str = field(default="", repr=False)
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Something was asked, by this number. progress: what was heard of it so far."""

    form: Form
    number: int
    progress: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What came of it is shown until a key or a pause."""

    title: str
    lines: tuple[str, ...] = field(repr=False)


Page: TypeAlias = Status | Choosing | Filling | Waiting | Telling


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """Whoever was asked says how far it is."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Whoever was asked has done it."""

    number: int
    values: Values = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Whoever was asked cannot or will not."""

    number: int
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed."""


Event: TypeAlias = Stroke | Progressed | Done | Failed | Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An Ask under the number by which its outcome is told."""

    number: int
    ask: Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """All that the console remembers between events. Times are in seconds, of a steady clock.

    refused_count: refusals in a row of entries that are slowed, which cannot be chosen before
        ``open_at``.
    """

    menu: Menu
    page: Page = field(default_factory=Status)
    last_key_at: float = 0.0
    last_number: int = 0
    refused_count: int = 0
    open_at: float = 0.0

    def after(self, event: Event, now: float) -> tuple["Dialogue", Asked | None]:
        """Return the next dialogue and what is to be asked of others."""
        match event:
            case Tick():
                return self._idle(now), None
            case Progressed() | Done() | Failed():
                return self._heard(event, now), None
            case _:
                return replace(self, last_key_at=now)._typed(event, now)

    def _idle(self, now: float) -> "Dialogue":
        is_idle = now - self.last_key_at >= IDLE_SECONDS
        if not is_idle or isinstance(self.page, Waiting) or self.page == Status():
            return self
        return replace(self, page=Status())

    def _typed(self, stroke: Stroke, now: float) -> tuple["Dialogue", Asked | None]:
        match self.page:
            case Filling():
                return self._filled(self.page, stroke)
            case Waiting():
                return self, None
            case Telling():
                is_end = stroke in (Key.ENTER, Key.BACK)
                return (replace(self, page=Status()) if is_end else self), None
            case Choosing():
                entry = self.page.submenu.entries.get(str(stroke))
                if stroke is Key.BACK:
                    return replace(self, page=Status()), None
                return (self._opened(entry, now) if entry else self), None
            case Status():
                chosen = self.menu.get(str(stroke))
                return self._opened(chosen, now) if chosen else replace(self, page=Status()), None

    def _opened(self, chosen: Form | Submenu, now: float) -> "Dialogue":
        if isinstance(chosen, Submenu):
            return replace(self, page=Choosing(submenu=chosen))
        if chosen.is_slowed and now < self.open_at:
            left = int(self.open_at - now) + 1
            return replace(self, page=Status(note=f"{chosen.title}: wait {left} seconds"))
        return replace(self, page=Filling(form=chosen))

    def _filled(self, page: Filling, stroke: Stroke) -> tuple["Dialogue", Asked | None]:
        typed = page.typed
        match stroke:
            case Key.BACK:
                return replace(self, page=Status()), None
            case Key.ENTER:
                return self._answered(page)
            case Key.BACKSPACE:
                typed = typed[:-1]
            case Key.CLEAR:
                typed = ""
            case str():
                typed = (typed + stroke)[:MOST_TYPED_CHARACTERS]
            case _:
                return self, None
        return replace(self, page=replace(page, typed=typed, refusal="")), None

    def _answered(self, page: Filling) -> tuple["Dialogue", Asked | None]:
        question = page.form.question(page.answers)
        if question is None:
            return replace(self, page=Status()), None
        try:
            answer = question.check(page.typed.strip())
        except AnswerUnfit as unfit:
            return replace(self, page=replace(page, typed="", refusal=str(unfit))), None
        answers = {**page.answers, question.name: answer}
        if page.form.question(answers) is not None:
            return replace(self, page=Filling(form=page.form, answers=answers)), None
        number = self.last_number + 1
        asked = Asked(number=number, ask=page.form.ask(answers))
        waiting = Waiting(form=page.form, number=number)
        return replace(self, page=waiting, last_number=number), asked

    def _heard(self, event: Progressed | Done | Failed, now: float) -> "Dialogue":
        page = self.page
        if not isinstance(page, Waiting) or page.number != event.number:
            return self
        heard = replace(self, last_key_at=now)
        match event:
            case Progressed(text=text):
                return replace(heard, page=replace(page, progress=text))
            case Done(values=values):
                told = Telling(title=page.form.title, lines=page.form.tell(values))
                if page.form.is_slowed:
                    heard = replace(heard, refused_count=0, open_at=0.0)
                return replace(heard, page=told)
            case Failed(what=what, remedy=remedy):
                lines = (f"error: {what}", *((f"hint: {remedy}",) if remedy else ()))
                told = Telling(title=page.form.title, lines=lines)
                slower = heard._slowed(now) if page.form.is_slowed else heard
                return replace(slower, page=told)

    def _slowed(self, now: float) -> "Dialogue":
        delay = min(_FIRST_DELAY_SECONDS * 2**self.refused_count, _MOST_DELAY_SECONDS)
        most = min(self.refused_count + 1, 16)
        return replace(self, refused_count=most, open_at=now + delay)
