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
from appliance.jobs.verdicts import GivenVerdict, Verdict, decisive, record_of, settle
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
    ("verdicts", "event"),
    [
        ((), None),
        (("succeeded", "succeeded"), None),
        (("cancelled", "succeeded"), None),
        (("succeeded", "succeeded", "succeeded"), JobEvent.ALL_SUCCEEDED),
        (("succeeded", "cancelled", "succeeded"), JobEvent.ONE_CANCELLED),
        (("failed",), JobEvent.ONE_FAILED),
        (("rejected",), JobEvent.ONE_REJECTED),
        (("cancelled", "failed"), JobEvent.ONE_FAILED),
        (("cancelled", "rejected", "cancelled"), JobEvent.ONE_REJECTED),
    ],
)
def test_three_verdicts_decide(verdicts: tuple[str, ...], event: JobEvent | None) -> None:
    assert settle({rank: Verdict(word) for rank, word in enumerate(verdicts)}, 3) is event


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
    verdicts = [given(0, "cancelled", Reason.FOLLOWED), given(1, "failed", Reason.MEMORY)]
    assert decisive(verdicts) == verdicts[1]
    stopped = [given(0, "cancelled", Reason.FOLLOWED), given(1, "cancelled", Reason.EXPIRED)]
    assert decisive(stopped) == stopped[1]
    assert decisive([given(0, "succeeded", Reason.COMPLETED)]) is None


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
    assert folders.staged() == ["a"]

    folders.release("a")
    folders.release("a")
    folders.discard("a")

    assert folders.path_of("a", "out").read_bytes() == b"1"
    assert folders.staged() == []


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
