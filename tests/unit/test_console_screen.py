"""What the console shows, as a terminal shows it."""

from dataclasses import replace

import pyte
import pytest

from appliance.console.dialogue import Dialogue, Done, Telling
from appliance.console.keys import Key
from appliance.console.looking import read_health
from appliance.console.screen import CLEAR, COLUMNS, ROWS, Screen, render
from appliance.console.status import Identity, up_time
from appliance.machine.posture import Problem
from tests.unit.console_doubles import FINE, NODE_ID, RECOVERY_KEY, after, line, opened, seen

LISTED = """coffer.service loaded active running Coffer node agent
nftables.service loaded failed failed nftables
chrony.service loaded activating start chrony
worker@1.service loaded failed failed A worker
"""


def displayed(*screens: Screen) -> list[str]:
    """Return what a terminal shows after screens drawn one over the other."""
    terminal = pyte.Screen(COLUMNS + 1, ROWS)
    stream = pyte.ByteStream(terminal)
    stream.feed(b"garbage of the kernel's\r\n" * 30 + CLEAR)
    before = None
    for screen in screens:
        stream.feed(screen.draw(before))
        before = screen
    return [shown.rstrip() for shown in terminal.display]


def test_the_status_says_who_the_machine_is_and_how_it_started() -> None:
    assert displayed(render(opened(), seen())) == [
        "Coffer 20261129.1, slot A, up 66 min",
        "",
        "name         box",
        f"node id      {NODE_ID}",
        "addresses    192.0.2.7 (eth0), 2001:db8::7 (eth0)",
        "operators    192.0.2.7:7445, known by the node id",
        "problems     none",
        "secure boot  enabled; lockdown integrity",
        "/usr         verity, read-only",
        "/var         encrypted",
        "coffer       active",
        "nftables     active",
        f"PCR 4        {'04' * 32}",
        f"PCR 7        {'07' * 32}",
        f"PCR 11       {'0b' * 32}",
        *[""] * 7,
        "-" * COLUMNS,
        "1 set address   2 show set-up code   3 restart   4 factory reset   5 recovery",
    ]


def test_what_is_amiss_comes_with_its_remedy() -> None:
    worse = replace(FINE, secure_boot=False, usr_root_hash="", var_is_encrypted=False)
    card = Problem(what="card x: no driver", remedy="ask the vendor")
    identity = Identity(name="box", node_id=NODE_ID, problems=(*worse.problems(), card))

    shown = displayed(
        render(opened(), seen(posture=worse, identity=identity, failed=("chrony.service",)))
    )

    assert "secure boot  DISABLED; lockdown integrity" in shown
    assert "/usr         NOT VERIFIED, read-only" in shown
    assert "/var         NOT ENCRYPTED" in shown
    problems = " ".join(" ".join(shown).split())
    for one in (*worse.problems(), card):
        assert problems.count(f"{one.what}: {one.remedy}") == 1
    assert "chrony.service failed: restart" in problems


def test_what_brings_back_an_identity_that_the_tpm_does_not_open_is_said() -> None:
    shown = displayed(render(opened(), seen(failed=("coffer-machine-seal.service",))))

    assert "choose 5 and 2, type the recovery key" in " ".join(" ".join(shown).split())


def test_a_machine_whose_disk_stays_locked_says_what_to_do() -> None:
    locked = replace(FINE, var_is_encrypted=False)

    shown = displayed(render(opened(), seen(posture=locked, var_is_open=False)))

    assert "/var         NOT OPEN" in shown
    problems = " ".join(" ".join(shown).split())
    assert "/var is not open: the TPM may not know this start; choose 5 and 2" in problems
    assert "not encrypted" not in problems


def test_a_machine_whose_agent_is_dead_says_so_and_the_rest() -> None:
    shown = displayed(render(opened(), seen(identity=Identity())))

    assert "name         coffer" in shown
    assert "node id      not known yet: the agent does not answer" in shown
    assert f"PCR 7        {'07' * 32}" in shown


def test_more_than_the_screen_holds_is_counted() -> None:
    failed = tuple(f"unit-{number}.service" for number in range(40))

    shown = displayed(render(opened(), seen(failed=failed)))

    assert shown[0].startswith("Coffer 20261129.1")
    assert shown[-1].startswith("1 set address")
    assert shown[-3].startswith("... and ")


def test_before_anything_is_known_the_menu_is_there() -> None:
    shown = displayed(render(opened(), None))

    assert shown[0] == "Coffer is starting"
    assert shown[-1].startswith("1 set address")


def test_a_development_image_says_so_on_every_page() -> None:
    status = seen(posture=replace(FINE, is_development=True))

    for keys in ([], ["3"], ["5"]):
        shown = displayed(render(after(opened(), keys)[0], status))
        assert shown[0].endswith("; DEVELOPMENT IMAGE, for tests only")


def test_a_form_shows_what_was_typed_and_where_typing_goes() -> None:
    dialogue, _ = after(opened(), ["4", *line("SN-1"), *"erase"])
    screen = render(dialogue, seen())
    shown = displayed(render(opened(), seen()), screen)

    assert "the machine's serial number: SN-1" in shown
    assert shown[shown.index("> erase") - 1] == 'type "erase everything" to erase everything:'
    assert screen.cursor == (shown.index("> erase") + 1, len("> erase") + 1)


def test_a_long_answer_shows_its_end() -> None:
    dialogue, _ = after(opened(), ["5", "2", *RECOVERY_KEY, *"123456789"])

    [typed] = [shown for shown in displayed(render(dialogue, seen())) if shown[:2] == "> "]
    assert typed.endswith("123456789")


def test_a_secret_is_gone_from_the_screen_with_its_page() -> None:
    dialogue, asked = after(opened(), ["5", "1", *line("make")])
    done = Done(number=asked[0].number, values={"recovery_key": RECOVERY_KEY})
    told, _ = dialogue.after(done, 0.0)
    back, _ = after(told, [Key.ENTER])

    assert RECOVERY_KEY in displayed(render(told, seen()))
    assert RECOVERY_KEY not in "".join(displayed(render(told, seen()), render(back, seen())))


def test_nothing_that_is_shown_steers_the_terminal() -> None:
    hostile = "\x1b]0;x\x07\x1b[2J\x9b5n\u202e\n\r\té"
    dialogue = Dialogue(menu={}, page=Telling(title=hostile, lines=(hostile * 30,)))
    status = seen(host=hostile, identity=Identity(name=hostile), failed=(hostile,))

    for screen in (render(dialogue, status), render(opened(), status)):
        assert all(" " <= one <= "~" for text in screen.lines for one in text)
        assert len(screen.lines) == ROWS
        assert max(map(len, screen.lines)) <= COLUMNS


def test_only_what_differs_is_drawn_over_a_screen() -> None:
    before = render(after(opened(), ["3", *"res"])[0], seen())
    now = render(after(opened(), ["3", *"rest"])[0], seen())

    assert displayed(before, now) == displayed(now)
    assert len(now.draw(before)) < 40


@pytest.mark.parametrize(
    ("seconds", "text"), [(59, "0 min"), (7199, "119 min"), (7200, "2 hours"), (259_200, "3 days")]
)
def test_the_longer_it_runs_the_coarser_it_is_told(seconds: float, text: str) -> None:
    assert up_time(seconds) == text


def test_health_is_read_from_systemds_list() -> None:
    health = read_health(LISTED)

    assert dict(health.units)["coffer"] == "active"
    assert dict(health.units)["nftables"] == "failed"
    assert dict(health.units)["chrony"] == "activating"
    assert dict(health.units)["prometheus"] == "unknown"
    assert health.failed == ("nftables.service", "worker@1.service")
