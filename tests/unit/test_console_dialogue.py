"""The console's menu: what each entry asks, and that nothing is done but what was confirmed."""

from collections.abc import Sequence

import pytest

from appliance.console.dialogue import (
    IDLE_SECONDS,
    Choosing,
    Dialogue,
    Done,
    Failed,
    Filling,
    Progressed,
    Status,
    Telling,
    Tick,
    Waiting,
)
from appliance.console.forms import MOST_TYPED_CHARACTERS, Ask
from appliance.console.keys import Key, Stroke
from tests.unit.console_doubles import RECOVERY_KEY, after, line, opened

RESET: Sequence[Stroke] = ["4", *line("SN-1"), *line("erase everything")]


def refused(dialogue: Dialogue, now: float) -> Dialogue:
    """Return the dialogue after a whole factory reset that the helper refused."""
    dialogue, asked = after(dialogue, RESET, now)
    assert len(asked) == 1
    dialogue, _ = dialogue.after(Failed(number=asked[0].number, what="another serial number"), now)
    return after(dialogue, [Key.ENTER], now)[0]


@pytest.mark.parametrize(
    ("strokes", "ask"),
    [
        (
            ["1", *line("eth1"), *line(""), *line("set")],
            Ask(kind="set-address", body={"name": "eth1", "dhcp": "yes"}),
        ),
        (
            [
                "1",
                *line("eth0"),
                *line("192.0.2.7/24"),
                *line("192.0.2.1"),
                *line("192.0.2.53, 2001:db8::53"),
                *line("set"),
            ],
            Ask(
                kind="set-address",
                body={
                    "name": "eth0",
                    "dhcp": "no",
                    "addresses": ["192.0.2.7/24"],
                    "gateways": ["192.0.2.1"],
                    "dns": ["192.0.2.53", "2001:db8::53"],
                },
            ),
        ),
        (["2", *line("show")], Ask(kind="set-up-code")),
        (["3", *line("restart")], Ask(kind="restart")),
        (RESET, Ask(kind="factory-reset", body={"serial_number": "SN-1"})),
        (["5", "1", *line("make")], Ask(kind="add-recovery-key")),
        (
            ["5", "2", *line(RECOVERY_KEY.upper()), *line("bind")],
            Ask(kind="bind-disk", body={"recovery_key": RECOVERY_KEY}),
        ),
        (["5", "3", *line("other")], Ask(kind="start-other-slot")),
    ],
)
def test_an_entry_asks_once_all_is_answered(strokes: Sequence[Stroke], ask: Ask) -> None:
    for count in range(len(strokes)):
        assert after(opened(), strokes[:count])[1] == []

    dialogue, asked = after(opened(), strokes)

    assert [one.ask for one in asked] == [ask]
    assert isinstance(dialogue.page, Waiting)
    assert after(dialogue, [*strokes, Key.BACK]) == (dialogue, [])


def test_the_menu_has_five_entries() -> None:
    assert list(opened().menu) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("strokes", "refusal"),
    [
        (["1", *line("eth7")], "there are: eth0, eth1"),
        (["1", *line("eth0"), *line("192.0.2.7")], "write it with its network's prefix"),
        (["1", *line("eth0"), *line("my house")], "my house is no address"),
        (["1", *line("eth0"), *line("192.0.2.7/24"), *line("x")], "x is no address"),
        (["3", *line("yes")], 'type "restart" to restart'),
        (["3", *line("")], 'type "restart" to restart'),
        (["4", *line("")], "type the machine's serial number"),
        (["5", "2", *line("cbde")], "a recovery key has 64 letters, this one has 4"),
        (["5", "2", *line("a" * 64)], "a recovery key has no letters but"),
    ],
)
def test_an_unfit_answer_is_asked_for_again(strokes: Sequence[Stroke], refusal: str) -> None:
    dialogue, asked = after(opened(), strokes)

    assert asked == []
    assert isinstance(dialogue.page, Filling)
    assert dialogue.page.refusal.startswith(refusal)


def test_a_line_can_be_mended_and_is_never_too_long() -> None:
    dialogue, _ = after(opened(), ["3", *"xy", Key.BACKSPACE, Key.BACKSPACE, Key.BACKSPACE])
    _, asked = after(dialogue, [*"rubbish", Key.CLEAR, *line("restart")])
    longest, _ = after(opened(), ["4", *("x" * 500)])

    assert [one.ask.kind for one in asked] == ["restart"]
    assert isinstance(longest.page, Filling)
    assert len(longest.page.typed) == MOST_TYPED_CHARACTERS


@pytest.mark.parametrize("strokes", [["3", *"rest"], RESET[:-1], ["5"], ["5", "1"]])
def test_escape_goes_back_and_forgets(strokes: Sequence[Stroke]) -> None:
    dialogue, asked = after(opened(), [*strokes, Key.BACK, Key.ENTER])

    assert (dialogue.page, asked) == (Status(), [])


@pytest.mark.parametrize("strokes", [["3", *"rest"], ["5"]])
def test_a_page_that_is_left_alone_becomes_the_status(strokes: Sequence[Stroke]) -> None:
    dialogue, _ = after(opened(), strokes, now=100.0)

    assert dialogue.after(Tick(), 100.0 + IDLE_SECONDS - 1)[0] == dialogue
    assert dialogue.after(Tick(), 100.0 + IDLE_SECONDS)[0].page == Status()


def test_a_code_is_shown_until_a_key_or_a_pause_and_nowhere_else() -> None:
    dialogue, asked = after(opened(), ["2", *line("show")], now=10.0)
    done = Done(number=asked[0].number, values={"words": "apple-river", "address": "box:7445"})

    shown, _ = dialogue.after(done, 400.0)

    assert isinstance(shown.page, Telling)
    assert "    apple-river" in shown.page.lines
    assert "    coffer remote add NAME box:7445" in shown.page.lines
    assert "apple-river" not in repr((shown, done))
    assert after(shown, ["x"])[0].page == shown.page
    assert after(shown, [Key.ENTER])[0].page == Status()
    assert shown.after(Tick(), 400.0 + IDLE_SECONDS)[0].page == Status()


def test_what_is_typed_is_in_no_repr() -> None:
    dialogue, asked = after(opened(), ["5", "2", *line(RECOVERY_KEY), *line("bind")])
    half, _ = after(opened(), ["5", "2", *RECOVERY_KEY])

    assert RECOVERY_KEY not in repr((dialogue, asked, half))


def test_progress_and_refusals_are_shown() -> None:
    dialogue, asked = after(opened(), ["3", *line("restart")])
    number = asked[0].number

    underway, _ = dialogue.after(Progressed(number=number, text="stopping"), 1.0)
    ended, _ = underway.after(Failed(number=number, what="it is busy", remedy="wait"), 2.0)

    assert isinstance(underway.page, Waiting)
    assert underway.page.progress == "stopping"
    assert isinstance(ended.page, Telling)
    assert ended.page.lines == ("error: it is busy", "hint: wait")


def test_news_of_another_question_changes_nothing() -> None:
    begun = opened()
    dialogue, asked = after(begun, ["3", *line("restart")])
    number = asked[0].number

    for event in (
        Done(number=number + 1, values={}),
        Failed(number=number - 1, what="late"),
        Progressed(number=0, text="late"),
    ):
        assert dialogue.after(event, 1.0)[0] == dialogue
        assert begun.after(event, 1.0)[0] == begun


def test_each_wrong_serial_number_makes_the_next_try_wait_longer() -> None:
    dialogue, waits = opened(), []
    for attempt in range(10):
        now = 10_000.0 * attempt
        dialogue = refused(dialogue, now)
        waits.append(dialogue.open_at - now)
        assert isinstance(after(dialogue, ["4"], dialogue.open_at - 1)[0].page, Status)
        assert isinstance(after(dialogue, ["3"], dialogue.open_at - 1)[0].page, Filling)
        assert isinstance(after(dialogue, ["4"], dialogue.open_at)[0].page, Filling)

    assert waits == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_other_entries_do_not_make_the_wait_shorter() -> None:
    dialogue = refused(refused(opened(), 0.0), 100.0)

    dialogue, asked = after(dialogue, ["2", *line("show")], now=101.0)
    dialogue, _ = dialogue.after(Done(number=asked[0].number, values={}), 101.0)
    dialogue = refused(after(dialogue, [Key.ENTER], now=102.0)[0], 200.0)

    assert dialogue.open_at == 220.0


def test_a_wait_is_told() -> None:
    dialogue, _ = after(refused(opened(), 0.0), ["4"], now=1.0)

    assert dialogue.page == Status(note="factory reset: wait 5 seconds")
    assert after(dialogue, ["x"], now=2.0)[0].page == Status()


def test_recovery_is_a_menu_of_three() -> None:
    dialogue, _ = after(opened(), ["5"])

    assert isinstance(dialogue.page, Choosing)
    assert list(dialogue.page.submenu.entries) == ["1", "2", "3"]
    assert after(dialogue, ["4", Key.ENTER])[0] == dialogue
