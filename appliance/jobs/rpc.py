"""The Jobs API: read the request, ask Jobs, write the reply. No rule about jobs lives here."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from appliance.accounts.principals import Person
from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import JobsServicer
from appliance.jobs.compose import Submission, SubmittedParty
from appliance.jobs.errors import SubmissionInvalid
from appliance.jobs.jobs import JobResult, Jobs
from appliance.jobs.results import chunks_of
from appliance.jobs.views import DisclosedView, JobView, PartyView, ProgressView
from appliance.words.catalogue import Language, parse_language


class JobsRpc(JobsServicer):
    """Answers the node's people about jobs. person_of: who makes a call."""

    def __init__(self, jobs: Jobs, person_of: Callable[[Any], Person]) -> None:
        self._jobs = jobs
        self._person_of = person_of

    async def SubmitJob(self, request: pb.SubmitJobRequest, context: Any) -> pb.Job:
        """Propose a job."""
        return to_proto(await self._jobs.submit(from_proto(request), self._person_of(context)))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Any) -> pb.ListJobsReply:
        """List jobs."""
        page = await self._jobs.list(
            waiting=request.waiting, after=request.after, most=request.most
        )
        return pb.ListJobsReply(jobs=[to_proto(view) for view in page.views], more=page.more)

    async def GetJob(self, request: pb.GetJobRequest, context: Any) -> pb.Job:
        """Show one job."""
        language = parse_language(request.language)
        return to_proto(await self._jobs.get(request.id), language)

    async def ApproveJob(self, request: pb.ApproveJobRequest, context: Any) -> pb.Job:
        """Approve a contract that was read."""
        by = self._person_of(context)
        return to_proto(await self._jobs.approve(request.id, request.digest, by))

    async def RejectJob(self, request: pb.RejectJobRequest, context: Any) -> pb.Job:
        """Refuse a contract."""
        by = self._person_of(context)
        return to_proto(await self._jobs.reject(request.id, by, request.note))

    async def CancelJob(self, request: pb.CancelJobRequest, context: Any) -> pb.Job:
        """Stop a job."""
        return to_proto(await self._jobs.cancel(request.id, self._person_of(context)))

    async def WatchJob(self, request: pb.WatchJobRequest, context: Any) -> AsyncIterator[pb.Job]:
        """Follow a job to its end."""
        async for view in self._jobs.watch(request.id):
            yield to_proto(view)

    async def GetResult(self, request: pb.GetResultRequest, context: Any) -> pb.JobResult:
        """Say where results lie."""
        return result_to_proto(await self._jobs.result(request.id))

    async def ReadResult(
        self, request: pb.ReadResultRequest, context: Any
    ) -> AsyncIterator[pb.ResultChunk]:
        """Send a result."""
        async for chunk in chunks_of(await self._jobs.result_file(request.id, request.output)):
            yield pb.ResultChunk(chunk=chunk)


def from_proto(request: pb.SubmitJobRequest) -> Submission:
    """Read a submission; SubmissionInvalid if the parameters are no JSON object."""
    try:
        parameters = json.loads(request.parameters or "{}")
    except ValueError as error:
        raise SubmissionInvalid(f"the parameters are not JSON: {error}") from None
    if not isinstance(parameters, dict):
        raise SubmissionInvalid("the parameters are not a JSON object")
    return Submission(
        service=request.service,
        parameters=parameters,
        parties=tuple(
            SubmittedParty(
                node=party.node,
                dataset=party.dataset,
                role=party.role,
                receives=tuple(party.receives),
            )
            for party in request.parties
        ),
        grace_seconds=request.grace_seconds,
        most_seconds=request.most_seconds,
    )


def to_proto(view: JobView, language: Language = Language.ENGLISH) -> pb.Job:
    """Return a job as the API tells it; ``language``: of the disclosure."""
    return pb.Job(
        id=view.id,
        service=view.service,
        service_title=view.service_title,
        adversary=view.adversary,
        state=view.state.value,
        ended=view.state.has_ended,
        parameters=view.parameters,
        parties=[_party_to_proto(party) for party in view.parties],
        disclosure=[_disclosed_to_proto(line, language) for line in view.disclosure],
        digest=view.digest,
        record=view.record,
        cause=view.cause,
        remedy=view.remedy,
        caution=view.caution,
        grace_seconds=view.grace_seconds,
        most_seconds=view.most_seconds,
        attempt=view.attempt,
        progress=None if view.progress is None else _progress_to_proto(view.progress),
        events=[
            pb.JobEventView(
                at_milliseconds=event.at_milliseconds, state=event.state.value, text=event.text
            )
            for event in view.events
        ],
        summary=view.summary,
        created_milliseconds=view.created_milliseconds,
        expires_milliseconds=view.expires_milliseconds,
        stages=[pb.StageView(name=stage.name, title=stage.title) for stage in view.stages],
        contract=view.contract,
        approvals=[
            pb.JobApproval(name=one.name, at_milliseconds=one.at_milliseconds)
            for one in view.approvals
        ],
        approvals_needed=view.approvals_needed,
    )


def result_to_proto(result: JobResult) -> pb.JobResult:
    """Return a result as the API tells it."""
    files = {output: str(path) for output, path in result.files.items()}
    return pb.JobResult(files=files, row_counts=result.row_counts)


def _party_to_proto(party: PartyView) -> pb.JobParty:
    return pb.JobParty(
        rank=party.rank,
        name=party.name,
        node_id=party.node_id.text,
        role=party.role,
        dataset=party.dataset,
        row_count=party.row_count,
        is_bound=party.is_bound,
        receives=party.receives,
        signed=party.has_signed,
        verdict=party.verdict,
        reason=party.reason,
        here=party.is_here,
    )


def _disclosed_to_proto(line: DisclosedView, language: Language) -> pb.DisclosureLine:
    said = line.statement
    return pb.DisclosureLine(
        learner=-1 if said.learner is None else said.learner,
        text=line.text_in(language),
        about=-1 if said.about is None else said.about,
        template=said.template,
        values=said.facts,
        topic=said.topic.value,
    )


def _progress_to_proto(view: ProgressView) -> pb.ProgressView:
    remaining = view.remaining_seconds
    return pb.ProgressView(
        stage=view.report.stage,
        stage_title=view.stage_title,
        fraction=view.fraction,
        rows_done=view.report.done,
        rows_total=view.report.total,
        bytes_sent=view.report.bytes_sent,
        bytes_received=view.report.bytes_received,
        rounds=view.report.rounds,
        remaining_seconds=-1.0 if remaining is None else remaining,
        elapsed_seconds=view.elapsed_seconds,
        peers=[
            pb.PeerProgress(rank=peer.rank, stage_title=peer.stage_title, fraction=peer.fraction)
            for peer in view.peers
        ],
        reconnecting=view.is_reconnecting,
    )
