"""The table of a job's states, verdicts and what they decide, progress, and result folders."""

import itertools
from pathlib import Path

import pytest

from appliance.jobs.progress import Course, PeerReport, ProgressReport
from appliance.jobs.reasons import Reason
from appliance.jobs.results import ResultFolders
from appliance.jobs.states import (
    ENDED,
    TRANSITIONS,
    IllegalTransition,
    JobEvent,
    JobState,
)
from appliance.jobs.verdicts import (
    GivenVerdict,
    Position,
    Verdict,
    decisive,
    record_of,
    settle,
)
from services.service import Stage


def test_every_state_can_be_reached_and_every_unended_one_left() -> None:
    reached = set(TRANSITIONS.values()) | {JobState.WAITING_APPROVAL}
    assert reached == set(JobState)
    assert {state for state, _ in TRANSITIONS} == set(JobState) - ENDED


@pytest.mark.parametrize("state", [state for state in JobState if state in ENDED])
def test_an_ended_job_stays_as_it_is(state: JobState) -> None:
    for event in JobEvent:
        with pytest.raises(IllegalTransition, match=state.value):
            state.after(event)


@pytest.mark.parametrize(
    ("said", "event"),
    [
        ("signed | signed | signed", None),
        ("signed succeeded | signed succeeded | signed", None),
        ("signed cancelled | signed succeeded | signed", None),
        ("signed succeeded | signed succeeded | signed succeeded", JobEvent.ALL_SUCCEEDED),
        ("signed succeeded | signed cancelled | signed succeeded", JobEvent.ONE_CANCELLED),
        ("signed failed | signed | signed", JobEvent.ONE_FAILED),
        ("signed cancelled | signed failed | signed", JobEvent.ONE_FAILED),
        # Nothing ran before all have signed.
        ("signed failed | signed | ", None),
        ("signed failed | signed failed | rejected", JobEvent.ONE_REJECTED),
        ("signed failed | signed cancelled | cancelled", JobEvent.ONE_CANCELLED),
        # One that has not signed may reject, and so may the proposer, who passes it on.
        ("signed | rejected | ", JobEvent.ONE_REJECTED),
        ("signed cancelled | rejected | signed cancelled", JobEvent.ONE_REJECTED),
        ("signed rejected | signed | ", JobEvent.ONE_REJECTED),
        # One that has signed follows; until its cause is known that counts for nothing.
        ("signed | signed rejected | ", None),
        ("signed | signed rejected | rejected", JobEvent.ONE_REJECTED),
        ("signed | signed rejected | cancelled", JobEvent.ONE_REJECTED),
        # Once all have signed nobody rejects any more.
        ("signed | signed rejected | signed", JobEvent.ONE_FAILED),
        ("signed rejected | signed | signed", JobEvent.ONE_FAILED),
    ],
)
def test_three_parties_words_decide(said: str, event: JobEvent | None) -> None:
    assert settle([position(rank, one) for rank, one in enumerate(said.split("|"))]) is event


def test_a_party_that_was_unpaired_may_have_signed_or_rejected_unheard() -> None:
    gone = position(2, "cancelled", Reason.UNPAIRED)
    failed = [position(0, "signed failed"), position(1, "signed cancelled"), gone]
    rejected = [position(0, "signed cancelled"), position(1, "signed rejected"), gone]

    assert settle(failed) is JobEvent.ONE_FAILED
    assert settle(rejected) is JobEvent.ONE_REJECTED


def position(rank: int, words: str, reason: Reason = Reason.INTERNAL) -> Position:
    """Return where a party stands, of three of which the first is the proposer."""
    *_, last = words.split() or [""]
    said = None if last in ("signed", "") else given(rank, last, reason)
    return Position(rank=rank, is_proposer=rank == 0, has_signed="signed" in words, given=said)


def given(rank: int, verdict: str, reason: Reason, note: str = "") -> GivenVerdict:
    return GivenVerdict(rank=rank, verdict=Verdict(verdict), reason=reason.word, note=note)


def test_the_record_does_not_depend_on_the_order_of_verdicts() -> None:
    verdicts = [given(0, "cancelled", Reason.FOLLOWED), given(1, "failed", Reason.MEMORY, "note")]
    records = {record_of("ab", order) for order in itertools.permutations(verdicts)}
    assert len(records) == 1


def test_the_record_depends_on_contract_verdict_and_reason() -> None:
    records = {
        record_of("ab", [given(0, "failed", Reason.MEMORY)]),
        record_of("ac", [given(0, "failed", Reason.MEMORY)]),
        record_of("ab", [given(0, "cancelled", Reason.MEMORY)]),
        record_of("ab", [given(0, "failed", Reason.TIME)]),
        record_of("ab", [given(1, "failed", Reason.MEMORY)]),
    }
    assert len(records) == 5


def test_the_cause_is_the_verdict_that_others_followed() -> None:
    followed = position(0, "signed cancelled", Reason.FOLLOWED)
    failed = position(1, "signed failed", Reason.MEMORY)
    expired = position(1, "signed cancelled", Reason.EXPIRED)

    assert decisive([followed, failed], own=0) == failed.given
    assert decisive([followed, expired], own=0) == expired.given
    assert decisive([position(0, "signed succeeded")], own=0) is None


def test_a_lost_connection_explains_less_than_what_the_other_side_says() -> None:
    lost = position(0, "signed failed", Reason.PEER_LOST)
    full = position(1, "signed failed", Reason.DISK_FULL)

    assert decisive([lost, full], own=0) == full.given
    assert decisive([lost, full], own=1) == full.given
    assert decisive([lost, position(1, "signed failed", Reason.FOLLOWED)], own=0) == lost.given


def test_two_parties_that_both_follow_are_explained_by_the_other() -> None:
    both = [position(rank, "signed failed", Reason.FOLLOWED) for rank in range(2)]

    for own, other in ((0, 1), (1, 0)):
        assert decisive(both, own) == given(other, "failed", Reason.BAD_VERDICT)


def test_some_reasons_stay_here() -> None:
    assert Reason.DATASET_KEYS.before_approval is Reason.UNFIT
    assert Reason.NORMAL_FORMS.before_approval is Reason.NORMAL_FORMS
    for reason in (Reason.DISK_FULL, Reason.MEMORY, Reason.TIME, Reason.WORKER_CRASHED):
        assert reason.beside_result is Reason.UNFINISHED
    assert Reason.PEER_LOST.beside_result is Reason.PEER_LOST


def test_each_reason_has_a_word_of_its_own_and_a_sentence() -> None:
    assert len({reason.word for reason in Reason}) == len(Reason)
    for reason in Reason:
        assert Reason.parse(reason.word) is reason
        assert reason.sentence
        assert not reason.sentence.endswith(".")


STAGES = (
    Stage(name="read", title="Read", weight=1.0),
    Stage(name="join", title="Join", weight=3.0),
)


def report(stage: str, done: int, total: int = 100) -> ProgressReport:
    return ProgressReport(
        stage=stage, done=done, total=total, bytes_sent=0, bytes_received=0, rounds=0
    )


def test_progress_follows_the_stages_weights() -> None:
    course = Course.begin(STAGES, 0.0)
    assert course.fraction == 0.0
    assert course.after_report(report("read", 50), 1.0).fraction == 0.125
    assert course.after_report(report("join", 0), 1.0).fraction == 0.25
    assert course.after_report(report("join", 50), 1.0).fraction == 0.625
    assert course.after_report(report("join", 200), 1.0).fraction == 1.0


def test_no_time_is_estimated_from_too_little() -> None:
    course = Course.begin(STAGES, 0.0)
    assert course.remaining_seconds(100.0) is None
    assert course.after_report(report("read", 50), 0.1).remaining_seconds(0.5) is None
    assert course.after_report(report("read", 1), 5.0).remaining_seconds(5.0) is None


def test_the_remaining_time_follows_the_weights_then_the_stages_own_pace() -> None:
    course = Course.begin(STAGES, 0.0).after_report(report("read", 100), 2.0)
    assert course.remaining_seconds(2.0) == pytest.approx(6.0)

    course = course.after_report(report("join", 0), 2.0)
    course = course.after_report(report("join", 50), 12.0)
    assert course.remaining_seconds(12.0) == pytest.approx(10.0)


def test_a_stage_without_units_or_unknown_is_no_trouble() -> None:
    course = Course.begin(STAGES, 0.0)
    assert course.after_report(report("read", 0, 0), 2.0).fraction == 0.0
    assert course.after_report(report("dance", 1, 2), 2.0).fraction == 1.0
    assert Course.begin((), 0.0).after_report(report("read", 1, 2), 2.0).fraction == 0.0


def test_a_link_is_down_until_it_is_up() -> None:
    course = Course.begin(STAGES, 0.0).after_link(1, is_up=False).after_link(2, is_up=False)
    course = course.after_link(1, is_up=True)
    assert course.down == {2}
    assert (
        course.after_peer_report(1, PeerReport(stage="read", fraction=0.5)).peers[1].fraction == 0.5
    )


def test_results_are_released_once_and_kept(tmp_path: Path) -> None:
    folders = ResultFolders(tmp_path / "jobs")
    (folders.make_staging("a") / "out").write_bytes(b"1")
    assert folders.unfinished() == ["a"]

    folders.release("a")
    folders.release("a")
    folders.discard("a")

    assert folders.path_of("a", "out").read_bytes() == b"1"
    assert folders.unfinished() == []


def test_discarded_results_leave_nothing(tmp_path: Path) -> None:
    folders = ResultFolders(tmp_path / "jobs")
    (folders.make_staging("a") / "out").write_bytes(b"1")

    folders.discard("a")
    folders.discard("a")
    folders.release("a")

    assert list((tmp_path / "jobs").iterdir()) == []


def test_a_worker_begins_with_an_empty_folder(tmp_path: Path) -> None:
    folders = ResultFolders(tmp_path / "jobs")
    (folders.make_staging("a") / "half").write_bytes(b"1")
    assert list(folders.make_staging("a").iterdir()) == []
