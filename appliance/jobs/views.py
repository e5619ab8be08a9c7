"""Jobs as people see them: contract, parties, disclosure, progress and why it ended."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session

from appliance.contracts.contract import Contract, ContractParty, parse_contract
from appliance.contracts.errors import ServiceUnknown, ServiceVersionDiffers
from appliance.contracts.terms import get_service, terms_of
from appliance.identity.node_id import NodeId
from appliance.jobs import store as table
from appliance.jobs.attempts import LAST_ATTEMPT
from appliance.jobs.progress import Course, ProgressReport
from appliance.jobs.reasons import Reason, sentence_of
from appliance.jobs.states import JobState
from appliance.jobs.store import JobMeterRow, JobPartyRow, JobRow
from appliance.jobs.verdicts import GivenVerdict, Position, Verdict, decisive, explained, record_of
from appliance.words.catalogue import Language, say
from services.errors import ConfigError
from services.service import Service, Stage, Statement

CAUTION: Final = (
    "the computation had begun: each party may already have learned what the disclosure says of it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyView:
    """One party of a job; ``verdict`` and ``reason`` are empty while unknown."""

    rank: int
    name: str
    node_id: NodeId
    is_here: bool
    has_signed: bool
    verdict: str
    reason: str
    role: str = ""
    dataset: str = ""
    row_count: int = 0
    is_bound: bool = False
    receives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerProgressView:
    """How far a peer's worker has come, as its agent says."""

    rank: int
    stage_title: str
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressView:
    """How far our worker has come."""

    report: ProgressReport
    stage_title: str
    fraction: float
    elapsed_seconds: float
    remaining_seconds: float | None = None
    peers: tuple[PeerProgressView, ...] = ()
    is_reconnecting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """Something that happened, and the state since."""

    at_milliseconds: int
    state: JobState
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosedView:
    """What a party will learn, in one sentence; ``reader``: the rank of who reads it here."""

    statement: Statement
    reader: int

    def text_in(self, language: Language) -> str:
        """Return the sentence in a language."""
        return say(language, self.statement.template_for(self.reader), self.statement.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """That somebody here approved."""

    name: str
    at_milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as it stands; in lists, and for one that was refused unasked, without its contract.

    approvals_needed: by how many people here, while it waits for them.
    record:  empty until every party's verdict is known.
    attempt: how often the run was begun again here.
    caution: what to bear in mind of a job that ended without success, empty if nothing.
    """

    id: str
    service: str
    service_title: str
    adversary: str
    state: JobState
    parties: tuple[PartyView, ...]
    digest: str
    record: str
    cause: str
    remedy: str
    caution: str
    summary: Mapping[str, int]
    created_milliseconds: int
    expires_milliseconds: int
    attempt: int
    parameters: str = ""
    grace_seconds: int = 0
    most_seconds: int = 0
    disclosure: tuple[DisclosedView, ...] = ()
    stages: tuple[Stage, ...] = ()
    events: tuple[EventView, ...] = ()
    approvals: tuple[ApprovalView, ...] = ()
    approvals_needed: int = 0
    contract: str = ""
    progress: ProgressView | None = None


def view_of(
    session: Session, row: JobRow, services: Mapping[str, Service], names: Mapping[NodeId, str]
) -> JobView:
    """Return a job as the database tells it, with this node's own names for the parties."""
    brief = brief_of(row, table.parties_of(session, row.id), services, names)
    events = tuple(
        EventView(
            at_milliseconds=event.at_milliseconds, state=JobState(event.state), text=event.text
        )
        for event in table.events_of(session, row.id)
    )
    if not row.contract:
        return replace(brief, events=events)
    contract = parse_contract(row.contract)
    service = find_service(contract, services)
    parties = zip(brief.parties, contract.parties, strict=True)
    return replace(
        brief,
        adversary=_adversary(contract, service),
        parameters=json.dumps(contract.parameters),
        grace_seconds=contract.limits.grace_seconds,
        most_seconds=contract.limits.most_seconds,
        parties=tuple(_with_terms(party, terms) for party, terms in parties),
        disclosure=_disclosure(contract, row.rank, service, names),
        stages=service.stages if service else (),
        events=events,
        approvals=tuple(
            ApprovalView(name=one.name, at_milliseconds=one.at_milliseconds)
            for one in table.approvals_of(session, row.id)
        ),
        contract=row.contract.decode("utf-8"),
        progress=_last_progress(row, service, table.find_meter(session, row.id)),
    )


def _adversary(contract: Contract, service: Service | None) -> str:
    if service is None:
        return ""
    try:
        return service.adversary_of(terms_of(contract, service)).value
    except ConfigError:
        return service.adversary.value  # of a proposal that is refused


def brief_of(
    row: JobRow,
    parties: Sequence[JobPartyRow],
    services: Mapping[str, Service],
    names: Mapping[NodeId, str],
) -> JobView:
    """Return what a list shows of a job, without a look into its contract."""
    positions = table.positions_of(row, parties)
    verdicts = table.verdicts_of(parties)
    counting = {given.rank: given for given in explained(positions, row.rank)}
    views = tuple(_party(row, party, counting.get(party.rank), names) for party in parties)
    cause, remedy = _cause(row, views, positions)
    service = services.get(row.service)
    is_sealed = len(verdicts) == len(parties) and row.job_state.has_ended
    return JobView(
        id=row.id,
        service=row.service,
        service_title=service.title if service else "",
        adversary=service.adversary.value if service else "",
        state=row.job_state,
        parties=views,
        digest=row.digest,
        record=record_of(row.digest, verdicts) if is_sealed else "",
        cause=cause,
        remedy=remedy,
        caution=_caution(row, positions),
        summary=json.loads(row.summary),
        created_milliseconds=row.created_milliseconds,
        expires_milliseconds=row.expires_milliseconds,
        attempt=min(row.attempt, LAST_ATTEMPT),
    )


def find_service(contract: Contract, services: Mapping[str, Service]) -> Service | None:
    """Return the contract's service, None if this node has it not or in another version."""
    try:
        return get_service(contract, services)
    except (ServiceUnknown, ServiceVersionDiffers):
        return None


def progress_of(course: Course, now: float) -> ProgressView | None:
    """Return how a running job stands; None before its worker first reports."""
    if course.report is None:
        return None
    return ProgressView(
        report=course.report,
        stage_title=_title(course.stages, course.report.stage),
        fraction=course.fraction,
        elapsed_seconds=now - course.began,
        remaining_seconds=course.remaining_seconds(now),
        peers=tuple(
            PeerProgressView(
                rank=rank, stage_title=_title(course.stages, peer.stage), fraction=peer.fraction
            )
            for rank, peer in sorted(course.peers.items())
        ),
        is_reconnecting=bool(course.down),
    )


def _last_progress(
    row: JobRow, service: Service | None, meter: JobMeterRow | None
) -> ProgressView | None:
    if not row.progress or service is None or row.began_milliseconds is None:
        return None
    report = ProgressReport(**json.loads(row.progress))
    verdict = meter.verdict_milliseconds if meter else None
    ended = verdict or row.ended_milliseconds or row.began_milliseconds
    return ProgressView(
        report=report,
        stage_title=_title(service.stages, report.stage),
        fraction=Course.begin(service.stages, 0.0).after_report(report, 0.0).fraction,
        elapsed_seconds=max(ended - row.began_milliseconds, 0) / 1000,
    )


def _title(stages: Sequence[Stage], name: str) -> str:
    return next((stage.title for stage in stages if stage.name == name), "")


def _party(
    row: JobRow, party: JobPartyRow, given: GivenVerdict | None, names: Mapping[NodeId, str]
) -> PartyView:
    """Return a party with its verdict as it counts, else, if it does not count yet, as it came."""
    node_id = NodeId(party.node)
    verdict = given.verdict.value if given else party.verdict or ""
    reason, note = (given.reason, given.note) if given else (party.reason, party.note)
    return PartyView(
        rank=party.rank,
        name=names.get(node_id) or party.name or node_id.short,
        node_id=node_id,
        is_here=party.rank == row.rank,
        has_signed=party.signature is not None,
        verdict=verdict,
        reason=sentence_of(reason, note) if verdict else "",
    )


def _with_terms(party: PartyView, terms: ContractParty) -> PartyView:
    return replace(
        party,
        role=terms.role,
        dataset=terms.dataset.name if terms.dataset else "",
        row_count=terms.dataset.row_count if terms.dataset else 0,
        is_bound=terms.dataset is not None and terms.dataset.is_bound,
        receives=terms.receives,
    )


def _caution(row: JobRow, positions: Sequence[Position]) -> str:
    """Return that a run which was cut short is not as if it had never been."""
    given = positions[row.rank].given
    is_cut_short = given is not None and (
        given.verdict is not Verdict.SUCCEEDED
        or row.job_state in (JobState.FAILED, JobState.CANCELLED)
    )
    return CAUTION if is_cut_short and row.began_milliseconds is not None else ""


def _cause(
    row: JobRow, parties: Sequence[PartyView], positions: Sequence[Position]
) -> tuple[str, str]:
    """Return why a job ended as it did, or what it waits for, and what to do about it."""
    if row.job_state is JobState.SETTLING:
        silent = [party.name for party in parties if not party.verdict]
        return f"waiting to hear how it ended for {', '.join(silent)}", ""
    given = decisive(positions, row.rank)
    if not row.job_state.has_ended or given is None:
        return "", ""
    verb = {Verdict.FAILED: "it failed"}.get(given.verdict, given.verdict.value)
    if given.rank == row.rank:
        told = row.cause or sentence_of(given.reason, given.note, is_here=True)
        return f"{verb} here: {told}", row.remedy or Reason.parse(given.reason).remedy_here
    name = parties[given.rank].name
    where = f"{verb} at {name}" if given.verdict is Verdict.FAILED else f"{verb} by {name}"
    return f"{where}: {sentence_of(given.reason, given.note)}", Reason.parse(given.reason).remedy


def _disclosure(
    contract: Contract, own_rank: int, service: Service | None, names: Mapping[NodeId, str]
) -> tuple[DisclosedView, ...]:
    """Return what each party will learn; nothing for terms that the service cannot run."""
    if service is None:
        return ()
    try:
        terms = terms_of(contract, service, names)
        service.require(terms)
        statements = service.disclose(terms)
    except ConfigError:
        return ()
    return tuple(DisclosedView(statement=one, reader=own_rank) for one in statements)
