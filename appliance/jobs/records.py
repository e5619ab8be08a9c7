"""What of jobs is written to the ledger, each in the transaction in which it is done."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Literal, cast

from sqlalchemy.orm import Session

from appliance.accounts.principals import Person
from appliance.contracts.contract import CONTRACT, Contract, digest_of, parse_contract
from appliance.contracts.envelope import write_envelope
from appliance.contracts.terms import get_service, terms_of
from appliance.governance.actors import actor_of
from appliance.governance.errors import PolicyRefuses
from appliance.governance.governor import Permit
from appliance.grants.store import count_taken
from appliance.identity.node_id import NodeId
from appliance.jobs import store as table
from appliance.jobs.metering import Tally
from appliance.jobs.reasons import Reason
from appliance.jobs.states import JobState
from appliance.jobs.store import JobRow
from appliance.jobs.verdicts import GivenVerdict, Verdict
from appliance.ledger.entries import Actor, NodeItself, PeerNode
from appliance.ledger.facts import (
    Facts,
    JobApproved,
    JobDecided,
    JobDisclosed,
    JobEnded,
    JobMetered,
    JobProposed,
    JobRejected,
    JobSigned,
    JobStarted,
    Kind,
)
from appliance.ledger.ledger import Ledger
from appliance.policies.rules import Rule
from services.errors import ConfigError
from services.service import Service

# An entry holds 8 KiB, a sentence 512 characters, of which a few may be longer in UTF-8.
_MOST_SENTENCE: Final = 512
_MOST_BYTES: Final = 6000
_RULES: Final = frozenset(rule.value for rule in Rule)

Outcome = Literal["succeeded", "failed", "rejected", "cancelled"]


class Records:
    """Writes down what happens to jobs."""

    def __init__(self, ledger: Ledger, services: Mapping[str, Service]) -> None:
        self._ledger = ledger
        self._services = services

    def proposed(
        self, session: Session, row: JobRow, contract: Contract, by: Person | None
    ) -> None:
        """Record a proposal: of one of our people, or else of its proposer's node."""
        node = contract.parties[contract.proposer].node
        facts = JobProposed(
            digest=row.digest,
            service=contract.service.name,
            parties=tuple(party.node for party in contract.parties),
        )
        actor = PeerNode(node=node) if by is None else actor_of(by)
        self._add(session, row, Kind.JOB_PROPOSED, facts, actor)

    def decided(self, session: Session, row: JobRow, said: Permit | PolicyRefuses) -> None:
        """Record how our policy judged a contract."""
        if isinstance(said, Permit) and not said.version:
            return  # we bring no dataset
        self._add(session, row, Kind.JOB_DECIDED, self._decision(row.digest, said))

    def refused(
        self, session: Session, contract: Contract, data: bytes, why: PolicyRefuses, by: Person
    ) -> None:
        """Record that our policy refuses what one of our people wanted to propose."""
        facts = self._decision(digest_of(data), why)
        self._ledger.append(session, Kind.JOB_DECIDED, facts, actor_of(by), contract.id)

    def approved(self, session: Session, row: JobRow, by: Person) -> None:
        """Record that somebody here approves."""
        facts = JobApproved(digest=row.digest, approver=by.name)
        self._add(session, row, Kind.JOB_APPROVED, facts, actor_of(by))

    def signed(self, session: Session, row: JobRow, by: NodeId) -> None:
        """Record a party's signature that verified."""
        facts = JobSigned(digest=row.digest, node=by.text)
        self._add(session, row, Kind.JOB_SIGNED, facts, PeerNode(node=by.text))

    def signed_here(self, session: Session, row: JobRow, permit: Permit) -> None:
        """Record our own signature."""
        facts = JobSigned(
            digest=row.digest,
            node=self._ledger.node_id.text,
            policy_version=permit.version or None,
        )
        self._add(session, row, Kind.JOB_SIGNED, facts)

    def disclosed(self, session: Session, row: JobRow, contract: Contract) -> None:
        """Record what each party will learn, by the names of the contract."""
        try:
            service = get_service(contract, self._services)
            statements = service.disclose(terms_of(contract, service))
        except ConfigError:
            return
        for part in _parts([_cut(str(one)) for one in statements]):
            facts = JobDisclosed(digest=row.digest, statements=tuple(part))
            self._add(session, row, Kind.JOB_DISCLOSED, facts)

    def started(self, session: Session, row: JobRow) -> None:
        """Record that our worker is about to run."""
        self._add(session, row, Kind.JOB_STARTED, JobStarted(attempt=row.attempt))

    def metered(self, session: Session, row: JobRow) -> None:
        """Record what a job took here that has begun, in all its attempts, up to our verdict.

        Rows are those of the contract, which may be a bound; they count as used once the worker's
        part is done.
        """
        if row.began_milliseconds is None or not row.contract:
            return
        dataset = parse_contract(row.contract).parties[row.rank].dataset
        is_done = table.parties_of(session, row.id)[row.rank].verdict == Verdict.SUCCEEDED.value
        offered = dataset.row_count if dataset else 0
        meter = table.find_meter(session, row.id)
        tally = Tally() if meter is None else meter.tally
        # Of a job whose verdict an older version gave, only the end is known.
        until = (meter and meter.verdict_milliseconds) or row.ended_milliseconds or 0
        facts = JobMetered(
            dataset=dataset.name if dataset else None,
            rows_offered=offered,
            rows_used=offered if is_done else 0,
            uses=count_taken(session, row.id, self._ledger.node_id.text),
            bytes_sent=tally.bytes_sent,
            bytes_received=tally.bytes_received,
            rounds=tally.rounds,
            cpu_milliseconds=tally.cpu_milliseconds,
            accelerator_milliseconds=0,  # no service has a kernel for one
            wall_milliseconds=max(0, until - row.began_milliseconds),
        )
        self._add(session, row, Kind.JOB_METERED, facts)

    def stopped(self, session: Session, row: JobRow, reason: Reason, by: Person) -> None:
        """Record that somebody here rejects or cancels a job."""
        facts = JobRejected(digest=row.digest, reason=reason.word)
        self._add(session, row, Kind.JOB_REJECTED, facts, actor_of(by))

    def ended(
        self, session: Session, row: JobRow, state: JobState, why: GivenVerdict | None
    ) -> None:
        """Record how a job ended for all. why: in words of ours or of another version."""
        reason = Reason.parse(why.reason) if why else Reason.COMPLETED
        is_rule = why is not None and reason is Reason.POLICY and why.note in _RULES
        facts = JobEnded(
            outcome=cast(Outcome, state.value),
            reason=reason.word,
            rule=why.note if why and is_rule else None,
        )
        self._add(session, row, Kind.JOB_ENDED, facts)

    def _decision(self, digest: str, said: Permit | PolicyRefuses) -> JobDecided:
        decision: Literal["allowed", "refused"]
        if isinstance(said, Permit):
            decision, rule = "allowed", f"version {said.version}"
            sentence = f"allowed once {said.approvals} approve"
        else:
            decision, rule, sentence = "refused", said.rule.value, said.what
        return JobDecided(
            digest=digest,
            node=self._ledger.node_id.text,
            decision=decision,
            rule=rule,
            sentence=_cut(sentence),
        )

    def _add(
        self, session: Session, row: JobRow, kind: Kind, facts: Facts, actor: Actor | None = None
    ) -> None:
        self._ledger.append(session, kind, facts, actor or NodeItself(), row.id)


def signed_contract(session: Session, job_id: str) -> tuple[bytes, Collection[NodeId]] | None:
    """Return a job's contract in its envelope, and who has signed it; None if it was forgotten."""
    row = table.find_job(session, job_id)
    if row is None or not row.contract:
        return None
    signatures = {
        NodeId(party.node): party.signature
        for party in table.parties_of(session, job_id)
        if party.signature is not None
    }
    return write_envelope(row.contract, CONTRACT, signatures).encode(), signatures.keys()


def _cut(sentence: str) -> str:
    """Return as much of a sentence as an entry holds; names of others' columns may be long."""
    if len(sentence) <= _MOST_SENTENCE:
        return sentence
    return f"{sentence[: _MOST_SENTENCE - 1]}…"


def _parts(sentences: Sequence[str]) -> Iterator[list[str]]:
    """Yield the sentences in parts, each of which an entry holds."""
    part: list[str] = []
    count = 0
    for sentence in sentences:
        size_bytes = len(json.dumps(sentence, ensure_ascii=False).encode())
        if part and count + size_bytes > _MOST_BYTES:
            yield part
            part, count = [], 0
        part.append(sentence)
        count += size_bytes
    if part:
        yield part
