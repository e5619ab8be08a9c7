"""What is refused before anything runs: unfit proposals, changed tables, odd submissions."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.datasets.errors import DatasetNotFound
from appliance.jobs.errors import (
    SubmissionInvalid,
    Unfit,
)
from appliance.jobs.needs import DescribedDataset
from appliance.jobs.reasons import Reason
from services.errors import ConfigError, LocalProtocolError
from tests.unit.contract_doubles import dataset
from tests.unit.job_doubles import Fleet, play, until

Spoil = Callable[[Fleet], None]


def other_rows(fleet: Fleet) -> None:
    fleet.nodes[1].datasets.own["table-of-laboratory"] = DescribedDataset(
        terms=dataset("table-of-laboratory", row_count=99)
    )


def other_content(fleet: Fleet) -> None:
    fleet.nodes[1].datasets.own["table-of-laboratory"] = DescribedDataset(
        terms=dataset("table-of-laboratory", fingerprint="another")
    )


def changed_file(fleet: Fleet) -> None:
    fleet.nodes[1].datasets.changed = True


def null_keys(fleet: Fleet) -> None:
    fleet.nodes[1].datasets.own["table-of-laboratory"] = DescribedDataset(
        terms=dataset("table-of-laboratory"), null_key_count=3
    )


def repeated_keys(fleet: Fleet) -> None:
    fleet.nodes[1].datasets.own["table-of-laboratory"] = DescribedDataset(
        terms=dataset("table-of-laboratory"), duplicate_key_count=1
    )


def no_dataset(fleet: Fleet) -> None:
    fleet.nodes[1].datasets.own.clear()


def unspeakable_columns(fleet: Fleet) -> None:
    async def describe(name: str) -> DescribedDataset:
        return DescribedDataset(terms=dataset(name, key=("\x1b[2J",)))

    fleet.nodes[1].datasets.describe_own = describe  # type: ignore[method-assign]


def not_published(fleet: Fleet) -> None:
    fleet.nodes[1].datasets.unpublished.add(fleet.nodes[0].node_id)


def not_paired(fleet: Fleet) -> None:
    _, second, third = fleet.nodes
    del second.peers.pins[third.node_id]
    del third.peers.pins[second.node_id]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (other_rows, Reason.DATASET_CHANGED),
        (other_content, Reason.DATASET_CHANGED),
        (changed_file, Reason.DATASET_CHANGED),
        (null_keys, Reason.DATASET_KEYS),
        (repeated_keys, Reason.DATASET_KEYS),
        (no_dataset, Reason.DATASET_UNKNOWN),
        (unspeakable_columns, Reason.DATASET_UNKNOWN),
        (not_published, Reason.DATASET_UNKNOWN),
        (not_paired, Reason.NOT_PAIRED),
    ],
)
def test_an_unfit_proposal_is_rejected_by_itself(
    tmp_path: Path, spoil: Spoil, reason: Reason
) -> None:
    async def test(fleet: Fleet) -> None:
        spoil(fleet)

        job = await fleet.submit()
        views = await fleet.reach(job.id, "rejected", fleet.nodes[0], fleet.nodes[2])

        assert views[0].cause.startswith("rejected by ")
        for view in views:
            assert view.cause.endswith(f": {reason.sentence}")
            assert view.remedy == reason.remedy

    play(tmp_path, 3, test)


def test_a_contract_from_the_future_is_rejected(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        fleet.nodes[0].jobs._composer._now_milliseconds = lambda: (
            fleet.clock.milliseconds + 86_400_000
        )
        with pytest.raises(Unfit, match="86400 s in the future") as caught:
            await fleet.submit()
        assert caught.value.reason is Reason.CLOCK

    play(tmp_path, 2, test)


def test_an_approver_whose_table_changed_meanwhile_does_not_sign(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        second = fleet.nodes[1]
        job = await fleet.submit()
        await until(lambda: second.datasets.asked)
        changed_file(fleet)

        with pytest.raises(Unfit, match="has changed"):
            await second.jobs.approve(job.id, job.digest)

        assert not fleet.nodes[0].runner.started
        assert await second.state(job.id) == "waiting_approval"

    play(tmp_path, 2, test)


def test_a_table_that_changed_after_signing_fails_the_job(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", second)
        first.datasets.changed = True

        await second.jobs.approve(job.id, job.digest)
        views = await fleet.reach(job.id, "failed")

        assert "/data/table-of-hospital.csv has changed" in views[0].cause
        assert views[1].cause == f"it failed at hospital: {Reason.DATASET_CHANGED.sentence}"
        assert first.runner.started == []

    play(tmp_path, 2, test)


def test_a_worker_that_cannot_be_started_fails_the_job(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        first.runner.trouble = LocalProtocolError("no more processes", remedy="close some")
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", second)

        await second.jobs.approve(job.id, job.digest)
        views = await fleet.reach(job.id, "failed")

        assert views[0].cause == "it failed here: no more processes"
        assert views[0].remedy == "close some"

    play(tmp_path, 2, test)


def test_a_submission_that_makes_no_contract_is_refused(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        ours, theirs = fleet.submission().parties
        with pytest.raises(ConfigError, match=r"no service other\.service"):
            await fleet.submit(service="other.service")
        with pytest.raises(SubmissionInvalid, match="not a party"):
            await first.jobs.submit(fleet.submission(second))
        with pytest.raises(SubmissionInvalid, match="not for 1 parties"):
            await first.jobs.submit(fleet.submission(first))
        with pytest.raises(SubmissionInvalid, match="a node is a party twice"):
            await first.jobs.submit(fleet.submission(first, second, second))
        with pytest.raises(Unfit, match="parameter depth"):
            await fleet.submit(parameters={"depth": "x"})
        with pytest.raises(Unfit, match="parameter height"):
            await fleet.submit(parameters={"height": 1})
        with pytest.raises(SubmissionInvalid, match="grace_seconds"):
            await fleet.submit(grace_seconds=10**6)
        with pytest.raises(ConfigError, match="nobody"):
            await fleet.submit(parties=(ours, replace(theirs, node="nobody")))
        with pytest.raises(DatasetNotFound):
            await fleet.submit(parties=(replace(ours, dataset="none"), theirs))
        assert await first.jobs.list() == ()

    play(tmp_path, 2, test)


def test_datasets_of_other_normal_forms_are_refused_with_that_reason(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        other = DescribedDataset(terms=dataset("table-of-laboratory", normal_form=("lower",)))
        first.datasets.published[second.node_id, "table-of-laboratory"] = other

        with pytest.raises(Unfit, match="hospital: trim; laboratory: lower") as caught:
            await fleet.submit()

        assert caught.value.reason is Reason.NORMAL_FORMS

    play(tmp_path, 2, test)
