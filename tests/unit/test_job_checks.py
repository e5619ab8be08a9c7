"""What is refused before anything runs: unfit proposals, changed tables, odd submissions."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.datasets.errors import DatasetNotFound
from appliance.identity.node_id import NodeId
from appliance.jobs.errors import (
    SubmissionInvalid,
    Unfit,
)
from appliance.jobs.needs import DescribedDataset
from appliance.jobs.reasons import Reason
from appliance.mailbox.letters import Kind, Letter, Undelivered
from services.errors import ConfigError, LocalProtocolError
from tests.unit.contract_doubles import dataset
from tests.unit.job_doubles import OWNER, Fleet, Node, play, until

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
    async def describe(name: str, toward: Collection[NodeId]) -> DescribedDataset:
        return DescribedDataset(terms=dataset(name, key=("\x1b[2J",)))

    fleet.nodes[1].datasets.describe_own = describe  # type: ignore[method-assign]


def not_published(fleet: Fleet) -> None:
    fleet.nodes[1].datasets.unpublished.add(fleet.nodes[0].node_id)


def not_paired(fleet: Fleet) -> None:
    _, second, third = fleet.nodes
    del second.peers.pins[third.node_id]
    del third.peers.pins[second.node_id]


@pytest.mark.parametrize(
    ("spoil", "detail"),
    [
        (other_rows, "the row count of table-of-laboratory"),
        (other_content, "the content of table-of-laboratory"),
        (changed_file, "has changed"),
        (null_keys, "null in 3 rows"),
        (repeated_keys, "repeated in 1"),
        (no_dataset, "no dataset table-of-laboratory"),
        (unspeakable_columns, "names or types"),
        (not_published, "is not published to the proposer"),
        (not_paired, "not paired with registry"),
    ],
)
def test_an_unfit_proposal_is_rejected_by_itself_and_only_here_it_is_said_why(
    tmp_path: Path, spoil: Spoil, detail: str
) -> None:
    async def test(fleet: Fleet) -> None:
        spoil(fleet)

        job = await fleet.submit()
        _, here = await fleet.reach(job.id, "rejected", *fleet.nodes[:2])
        there = await fleet.hear(job.id, 1, fleet.nodes[0])

        told = Reason.DATASET_DIFFERS if spoil in (other_rows, other_content) else Reason.UNFIT
        assert there.parties[1].reason == told.sentence
        assert detail not in repr(there)
        assert detail in here.cause
        assert here.remedy not in ("", Reason.UNFIT.remedy)
        assert (here.contract, here.parameters) == ("", "")

    play(tmp_path, 3, test)


def test_who_has_to_publish_a_dataset_is_told_the_whole_command(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        not_published(fleet)
        job = await fleet.submit()
        (view,) = await fleet.reach(job.id, "rejected", fleet.nodes[1])
        assert view.remedy == 'publish it: "coffer datasets publish table-of-laboratory hospital"'

    play(tmp_path, 2, test)


def test_a_third_party_hears_nothing_of_a_refusal_before_it_has_spoken_itself(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory, registry = fleet.nodes
        carried: list[tuple[Node, Node]] = []
        by_id = {node.node_id: node for node in fleet.nodes}

        async def note(sender: NodeId, receiver: NodeId, letter: Letter) -> None:
            if sender == hospital.node_id and letter.kind == Kind.JOB_VERDICT.value:
                raise Undelivered("the proposer is silent")
            carried.append((by_id[sender], by_id[receiver]))

        passing, fleet.mail.hinder = fleet.mail.hinder, note
        null_keys(fleet)
        job = await fleet.submit()
        await fleet.reach(job.id, "rejected", laboratory, hospital)
        await fleet.reach(job.id, "waiting_approval", registry)
        assert (laboratory, hospital) in carried
        assert (laboratory, registry) not in carried

        fleet.mail.hinder = passing
        async with asyncio.timeout(30):
            while not all([(await node.jobs.get(job.id)).record for node in fleet.nodes]):
                await asyncio.sleep(0.01)
        assert len({(await node.jobs.get(job.id)).record for node in fleet.nodes}) == 1

    play(tmp_path, 3, test)


def test_a_job_of_an_unknown_service_says_nothing_of_our_peers(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory, _ = fleet.nodes
        not_paired(fleet)
        laboratory.jobs._checks.services.clear()  # type: ignore[attr-defined]

        job = await fleet.submit()
        _, here = await fleet.reach(job.id, "rejected", hospital, laboratory)
        there = await fleet.hear(job.id, 1, hospital)

        assert there.parties[1].reason == Reason.SERVICE_UNKNOWN.sentence
        assert "no service test.join" in here.cause

    play(tmp_path, 3, test)


@pytest.mark.parametrize(
    ("limits", "detail", "reason"),
    [
        ({"most_seconds": 3600}, "may run for 21600 s, this node allows 3600 s", Reason.LIMITS),
        ({"most_grace_seconds": 9}, "may wait for a lost connection for 60 s", Reason.LIMITS),
        ({"worker_memory_bytes": 1 << 20}, "takes 2 MiB of memory or more", Reason.UNFIT),
    ],
)
def test_a_job_that_asks_for_more_than_the_owner_allows_is_refused(
    tmp_path: Path, limits: dict[str, int], detail: str, reason: Reason
) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        laboratory.limits = replace(laboratory.limits, **limits)
        await laboratory.restart()

        job = await fleet.submit()
        there, here = await fleet.reach(job.id, "rejected", hospital, laboratory)

        assert detail in here.cause
        assert "coffer.toml" in here.remedy
        assert there.parties[1].reason == reason.sentence

    play(tmp_path, 2, test)


def test_no_more_is_submitted_than_this_nodes_own_limits_allow(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        with pytest.raises(Unfit, match="may run for 172800 s"):
            await fleet.submit(most_seconds=2 * 24 * 3600)

    play(tmp_path, 2, test)


def test_a_contract_from_the_future_is_rejected(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        composer = fleet.nodes[0].jobs._composer
        fleet.nodes[0].jobs._composer = replace(
            composer, now_milliseconds=lambda: fleet.clock.milliseconds + 86_400_000
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
            await second.jobs.approve(job.id, job.digest, OWNER)

        assert not fleet.nodes[0].runner.started
        assert await second.state(job.id) == "waiting_approval"

    play(tmp_path, 2, test)


def test_a_table_that_changed_after_signing_fails_the_job(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", second)
        first.datasets.changed = True

        await second.jobs.approve(job.id, job.digest, OWNER)
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

        await second.jobs.approve(job.id, job.digest, OWNER)
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
            await first.jobs.submit(fleet.submission(second), OWNER)
        with pytest.raises(SubmissionInvalid, match="not for 1 parties"):
            await first.jobs.submit(fleet.submission(first), OWNER)
        with pytest.raises(SubmissionInvalid, match="laboratory is a party twice"):
            await first.jobs.submit(fleet.submission(first, second, second), OWNER)
        with pytest.raises(Unfit, match="parameter depth"):
            await fleet.submit(parameters={"depth": "x"})
        with pytest.raises(Unfit, match="no parameter height") as unknown:
            await fleet.submit(parameters={"height": 1})
        assert unknown.value.remedy == "its parameters are: depth"
        with pytest.raises(Unfit, match="no parameter dept") as near:
            await fleet.submit(parameters={"dept": 1})
        assert near.value.remedy == "did you mean depth?"
        with pytest.raises(SubmissionInvalid, match=r"^a party is to receive an output twice$"):
            await fleet.submit(parties=(replace(ours, receives=("rows", "rows")), theirs))
        with pytest.raises(SubmissionInvalid, match="grace_seconds"):
            await fleet.submit(grace_seconds=10**6)
        with pytest.raises(ConfigError, match="nobody"):
            await fleet.submit(parties=(ours, replace(theirs, node="nobody")))
        with pytest.raises(DatasetNotFound):
            await fleet.submit(parties=(replace(ours, dataset="none"), theirs))
        assert (await first.jobs.list()).views == ()

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
