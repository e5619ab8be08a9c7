"""The Jobs API says all that a job's view holds, and reads submissions strictly."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.api import agent_pb2 as pb
from appliance.jobs.errors import SubmissionInvalid
from appliance.jobs.progress import PeerReport, ProgressReport
from appliance.jobs.rpc import JobsRpc, from_proto, to_proto
from services.errors import ConfigError
from services.guarantees import guarantees
from services.psi.disclosure import LEARNS_SIZE, RANDOM_ORACLES
from services.service import Adversary, Statement, Terms
from tests.unit.job_doubles import JOIN, OWNER, Fleet, Node

Test = Callable[[Fleet], Awaitable[None]]


def play(folder: Path, test: Test) -> None:
    async def run() -> None:
        async with Fleet(folder, 2) as fleet:
            await test(fleet)

    asyncio.run(run())


def request(**changes: object) -> pb.SubmitJobRequest:
    parties = [
        pb.SubmitParty(dataset="table-of-hospital", receives=["intersection"]),
        pb.SubmitParty(node="laboratory", dataset="table-of-laboratory", role="member"),
    ]
    plain: dict[str, object] = {"service": "test.join", "parameters": "", "parties": parties}
    return pb.SubmitJobRequest(**plain | changes)  # type: ignore[arg-type]


def rpc_of(node: Node) -> JobsRpc:
    return JobsRpc(node.jobs, lambda _: OWNER)


def test_a_job_goes_from_submission_to_result_through_the_api(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        ours, theirs = rpc_of(first), rpc_of(second)
        job = await ours.SubmitJob(request(parameters='{"depth": 2}', grace_seconds=9), None)
        assert job.state == "waiting_peers"
        await fleet.reach(job.id, "waiting_approval", second)
        waiting = await theirs.ListJobs(pb.ListJobsRequest(waiting=True), None)
        assert [one.id for one in waiting.jobs] == [job.id]

        await theirs.ApproveJob(pb.ApproveJobRequest(id=job.id, digest=job.digest), None)
        await fleet.reach(job.id, "running")
        for node in fleet.nodes:
            await node.finish(job.id)
        await fleet.reach(job.id, "succeeded")

        done = await ours.GetJob(pb.GetJobRequest(id=job.id), None)
        result = await ours.GetResult(pb.GetResultRequest(id=job.id), None)
        watched = [one async for one in ours.WatchJob(pb.WatchJobRequest(id=job.id), None)]
        assert done.ended
        assert done.record == (await theirs.GetJob(pb.GetJobRequest(id=job.id), None)).record
        assert json.loads(done.parameters) == {"depth": 2}
        assert json.loads(done.contract)["limits"]["grace_seconds"] == 9
        assert [party.role for party in done.parties] == ["leader", "member"]
        assert [party.here for party in done.parties] == [True, False]
        assert [party.verdict for party in done.parties] == ["succeeded", "succeeded"]
        assert [stage.title for stage in done.stages] == ["Read", "Join", "Write"]
        assert done.summary == {"rows": 7}
        assert Path(result.files["intersection"]).read_bytes() == b"rows"
        assert result.row_counts == {"intersection": 7}
        assert [one.state for one in watched] == ["succeeded"]

    play(tmp_path, test)


def test_a_rejection_and_a_cancellation_go_through_the_api(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        ours, theirs = rpc_of(first), rpc_of(second)
        job = await ours.SubmitJob(request(), None)
        await fleet.reach(job.id, "waiting_approval", second)
        rejected = await theirs.RejectJob(pb.RejectJobRequest(id=job.id, note="no"), None)
        assert rejected.cause == 'rejected here: this node\'s operator does not want it: "no"'
        assert rejected.remedy == ""
        another = await ours.SubmitJob(request(), None)
        cancelled = await ours.CancelJob(pb.CancelJobRequest(id=another.id), None)
        assert cancelled.state in ("settling", "cancelled")

    play(tmp_path, test)


def test_progress_is_told_whole(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first = fleet.nodes[0]
        job_id = await fleet.run_all()
        first.jobs.worker_progressed(
            job_id,
            ProgressReport(
                stage="join", done=50, total=100, bytes_sent=5, bytes_received=6, rounds=7
            ),
        )
        first.jobs.peer_progressed(job_id, 1, PeerReport(stage="read", fraction=0.25))
        first.jobs.link_changed(job_id, 1, is_up=False)

        progress = to_proto(await first.jobs.get(job_id)).progress

        assert (progress.stage, progress.stage_title, progress.fraction) == ("join", "Join", 0.625)
        assert (progress.rows_done, progress.rows_total) == (50, 100)
        assert (progress.bytes_sent, progress.bytes_received, progress.rounds) == (5, 6, 7)
        assert progress.remaining_seconds == -1.0
        assert progress.reconnecting
        assert [(p.rank, p.stage_title, p.fraction) for p in progress.peers] == [(1, "Read", 0.25)]

    play(tmp_path, test)


def disclose_count(terms: Terms) -> tuple[Statement, ...]:
    """Say of the first party what is translated, of the second what is not and of no one's data.

    And say what the run rests on.
    """
    template, to_us, of_us = LEARNS_SIZE
    values: dict[str, str | int] = {
        "learner": terms.parties[0].name,
        "about": "laboratory",
        "their_rows": 100,
    }
    counted = Statement(
        learner=0, about=1, template=template, to_us=to_us, of_us=of_us, values=values
    )
    unsaid = Statement(learner=1, about=None, template="it learns", to_us="you learn")
    rests_on = guarantees(
        terms, Adversary.SEMI_HONEST, assumptions=(RANDOM_ORACLES,), statistical_bits=40
    )
    return counted, unsaid, *rests_on


def test_the_disclosure_comes_in_the_language_that_is_asked_for_and_as_data(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        for node in fleet.nodes:
            node.services[JOIN.name] = replace(JOIN, disclose=disclose_count)  # type: ignore[index]
        job = await rpc_of(first).SubmitJob(request(), None)
        await fleet.reach(job.id, "waiting_approval", second)

        async def told(node: Node, language: str) -> list[pb.DisclosureLine]:
            asked = pb.GetJobRequest(id=job.id, language=language)
            return list((await rpc_of(node).GetJob(asked, None)).disclosure)

        chinese = await told(first, "zh-CN")
        assert chinese[2].text.startswith("敌手模型：半诚实：")
        assert "前提是以下假设成立：哈希函数是随机预言机；统计安全性：40 比特" in chinese[5].text
        assert chinese[0].text == "贵方将获知 laboratory 参与计算的数据行数：100"
        assert (await told(second, "zh-CN"))[0].text == "hospital 将获知贵方参与计算的数据行数：100"
        assert [line.text for line in await told(second, "en")][:2] == [
            "hospital learns how many rows you bring: 100",
            "you learn",
        ]
        assert await told(first, "") == await told(first, "en") == list(job.disclosure)
        for lines in (chinese, await told(second, "zh-CN"), await told(second, "")):
            assert [(line.learner, line.about) for line in lines[:2]] == [(0, 1), (1, -1)]
            assert {line.topic for line in lines[:2]} == {"learns"}
            assert {(line.learner, line.about) for line in lines[2:]} == {(-1, -1)}
            assert [line.topic for line in lines[2:]] == [
                *("adversary", "collusion", "dealer", "security")
            ]
            assert dict(lines[2].values) == {"adversary": "semi-honest"}
            assert lines[5].values["assumptions"] == RANDOM_ORACLES
            assert lines[0].template == LEARNS_SIZE[0]
            values = {"learner": "hospital", "about": "laboratory", "their_rows": "100"}
            assert dict(lines[0].values) == values
            assert dict(lines[1].values) == {}

        with pytest.raises(ConfigError) as refused:
            await told(first, "de")
        assert refused.value.remedy == "use one of these: en, zh-CN"

    play(tmp_path, test)


@pytest.mark.parametrize("parameters", ["{", "[]", "7", "null"])
def test_parameters_that_are_no_json_object_are_refused(parameters: str) -> None:
    with pytest.raises(SubmissionInvalid):
        from_proto(request(parameters=parameters))
