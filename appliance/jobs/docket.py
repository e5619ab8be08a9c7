"""What happens to a job within one transaction: each fact with the letters that tell it to others.

Every method runs inside the caller's transaction. What must follow outside of it (a worker started
or stopped, results moved) is derived from the state alone, see :mod:`appliance.jobs.attendant`.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from typing import Final

from sqlalchemy import event
from sqlalchemy.orm import Session

from appliance.contracts.contract import CONTRACT, Contract, digest_of, parse_contract
from appliance.contracts.envelope import (
    base64_of,
    parse_base64,
    parse_envelope,
    sign,
    verify,
    write_envelope,
)
from appliance.contracts.errors import ContractMalformed, EnvelopeMalformed
from appliance.identity.errors import SignatureInvalid
from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId
from appliance.jobs import store as table
from appliance.jobs.attempts import is_spent
from appliance.jobs.errors import Unfit
from appliance.jobs.needs import PeerBook
from appliance.jobs.reasons import Reason, sentence_of
from appliance.jobs.states import JobEvent, JobState
from appliance.jobs.store import EarlyLetterRow, JobPartyRow, JobRow
from appliance.jobs.verdicts import Verdict, followed, settle
from appliance.mailbox.letters import (
    BODIES,
    JobProposed,
    JobSigned,
    JobVerdict,
    Kind,
    LetterRefused,
    Refusal,
    write_body,
)
from appliance.mailbox.outbox import Outbox

# Of one proposer. Those that this node never signed are bounded in all; those that it signed are
# bounded by its people's approvals.
MOST_UNENDED_JOBS: Final = 100
MOST_UNSIGNED_JOBS: Final = 500
MOST_UNSIGNED_BYTES: Final = 16 << 20
MOST_EARLY_LETTERS: Final = 100
EARLY_LETTER_MILLISECONDS: Final = 8 * 24 * 3600 * 1000

_OUTCOMES: Final = {
    JobEvent.ALL_SUCCEEDED: "every party has its part; the results are released",
    JobEvent.ONE_FAILED: "the job has failed; no results are kept",
    JobEvent.ONE_REJECTED: "the job was rejected",
    JobEvent.ONE_CANCELLED: "the job was cancelled; no results are kept",
}

log = logging.getLogger(__name__)


class Docket:
    """The facts about jobs, and the only code that changes them.

    ``require_terms`` raises Unfit on a contract that this node never signs, whatever its data.
    ``resumes`` tells whether a contract's run goes on after a crash.
    ``changed`` is called in the event loop with the id of each job that a transaction has changed,
    once that is on disk, and even if whoever asked for the transaction was cancelled meanwhile.
    """

    def __init__(
        self,
        outbox: Outbox,
        key: IdentityKey,
        peers: PeerBook,
        require_terms: Callable[[Contract], None],
        resumes: Callable[[Contract], bool],
        now_milliseconds: Callable[[], int],
        changed: Callable[[str], None],
    ) -> None:
        self._require_terms = require_terms
        self._resumes = resumes
        self._changed = changed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outbox = outbox
        self._key = key
        self._peers = peers
        self._now_milliseconds = now_milliseconds

    def start(self) -> None:
        """Tell of changes to the running event loop from now on."""
        self._loop = asyncio.get_running_loop()

    def propose(self, session: Session, contract: Contract, data: bytes) -> None:
        """Sign our own proposal, keep it and send it to its other parties."""
        own = contract.proposer
        row = self._add(session, contract, data, own, JobState.WAITING_PEERS)
        signature = sign(data, CONTRACT, self._key)
        table.parties_of(session, row.id)[own].signature = signature
        others = [party.name for party in contract.parties if party.node_id != self._key.node_id]
        self._note(session, row, f"signed here and proposed to {', '.join(others)}")
        envelope = write_envelope(data, CONTRACT, {self._key.node_id: signature})
        self._tell_others(session, row, Kind.JOB_PROPOSED, JobProposed(envelope=envelope))

    def proposed_id(self, body: JobProposed) -> str:
        """Return the id of the job that a letter of our own proposes."""
        return parse_contract(parse_envelope(body.envelope, CONTRACT).data).id

    def admit(self, session: Session, sender: NodeId, body: JobProposed) -> None:
        """Take in a peer's proposal; LetterRefused if it is none."""
        contract, data, signature = self._read_proposal(session, sender, body)
        known = table.find_job(session, contract.id)
        if known is not None:
            if known.digest != digest_of(data):
                raise LetterRefused(Refusal.CONFLICT, "another contract has that id already")
            return
        own = contract.rank_of(self._key.node_id)
        if own is None:
            raise LetterRefused(Refusal.NOT_ALLOWED, "it proposes a contract without this node")
        self._make_room(session, sender, len(data))
        row = self._add(session, contract, data, own, JobState.WAITING_APPROVAL)
        table.parties_of(session, row.id)[contract.proposer].signature = signature
        proposer = self._name(session, row, contract.proposer)
        self._note(session, row, f"proposed by {proposer}, who has signed")
        # At once, before any verdict can come: those who are not paired never hear of one another.
        try:
            self._require_terms(contract)
            self._require_paired(session, row)
        except Unfit as unfit:
            self.refuse(session, row, unfit)
        for letter in table.take_early(session, row.id):
            self._take_early(session, letter)

    def refuse(self, session: Session, row: JobRow, unfit: Unfit) -> None:
        """Reject a contract that waits for approval without asking anybody here.

        Only its proposer hears of it, and no more than it may; the contract is not kept.
        """
        reason = unfit.reason.before_approval
        self._decide(session, row, Verdict.REJECTED, reason, cause=unfit.what, remedy=unfit.remedy)
        self._tell_verdict(session, row, [self._proposer_of(session, row)])
        row.contract = b""
        for party in table.parties_of(session, row.id):
            party.name = party.name if party.rank == row.proposer_rank else ""
        self._settle(session, row)

    def approve(self, session: Session, row: JobRow) -> None:
        """Sign a contract that waits for approval and tell the others; IllegalTransition."""
        row.state = row.job_state.after(JobEvent.APPROVED).value
        signature = sign(row.contract, CONTRACT, self._key)
        table.parties_of(session, row.id)[row.rank].signature = signature
        self._note(session, row, "approved and signed here")
        told = JobSigned(job_id=row.id, digest=row.digest, signature=base64_of(signature))
        self._tell_others(session, row, Kind.JOB_SIGNED, told)
        self._count_signatures(session, row)

    def begin(self, session: Session, row: JobRow) -> None:
        """Note that the worker is about to be started; IllegalTransition unless all have signed."""
        row.state = row.job_state.after(JobEvent.BEGUN).value
        if row.began_milliseconds is None:
            row.began_milliseconds = self._now_milliseconds()
        goes_on = f"the computation goes on from its last checkpoint: attempt {row.attempt + 1}"
        self._note(session, row, goes_on if row.attempt else "the computation begins")

    def lose_attempt(self, session: Session, row: JobRow, following: int, what: str) -> None:
        """Note that our run was broken off, and that the ``following`` attempt is due, if it is.

        Once we have succeeded, our part is done again only as long as a peer may want it.
        """
        if following <= row.attempt or is_spent(row.attempt):
            return
        if row.job_state is JobState.RUNNING and not is_spent(following):
            row.state = row.job_state.after(JobEvent.ATTEMPT_LOST).value
        elif not self._is_done_early(session, row):
            return
        told = self._with_names(session, row, what)
        self._note(session, row, f"attempt {row.attempt + 1} was broken off: {told}")
        row.attempt = following

    def fail(
        self,
        session: Session,
        row: JobRow,
        reason: Reason,
        cause: str,
        remedy: str,
        *,
        knows_result: bool = False,
    ) -> None:
        """Give the verdict FAILED; the others do not hear why once the run depends on its result.

        As far as we know any but the first attempt does.
        """
        told = reason.beside_result if knows_result or row.attempt else reason
        self.give_verdict(session, row, Verdict.FAILED, told, cause=cause, remedy=remedy)

    def take_signature(self, session: Session, sender: NodeId, body: JobSigned) -> None:
        """Take in a party's own signature; LetterRefused if it is none."""
        row = table.find_job(session, body.job_id)
        if row is None:
            self._keep_early(session, sender, Kind.JOB_SIGNED, body)
            return
        party = _party_of(session, row, sender)
        if not row.contract:
            return
        if party.verdict is not None and party.signature is None:
            raise LetterRefused(Refusal.CONFLICT, "it signs a contract after its verdict")
        if body.digest != row.digest:
            raise LetterRefused(Refusal.CONFLICT, "it signed another contract under this id")
        signature = self._verified(session, sender, row.contract, body.signature)
        if party.signature is None:
            party.signature = signature
            self._note(session, row, f"{self._name(session, row, party.rank)} has signed")
            self._count_signatures(session, row)
            self._settle(session, row)

    def take_verdict(self, session: Session, sender: NodeId, body: JobVerdict) -> None:
        """Take in a party's own verdict; LetterRefused if it cannot be."""
        verdict = next((one for one in Verdict if one.value == body.verdict), None)
        if verdict is None or not body.note.isprintable():
            raise LetterRefused(Refusal.MALFORMED, "a verdict is malformed")
        row = table.find_job(session, body.job_id)
        if row is None:
            self._keep_early(session, sender, Kind.JOB_VERDICT, body)
            return
        party = _party_of(session, row, sender)
        if party.verdict is not None:
            if (party.verdict, party.reason) != (body.verdict, body.reason):
                raise LetterRefused(Refusal.CONFLICT, "it has given another verdict before")
            return
        own = table.parties_of(session, row.id)[row.rank]
        if verdict in (Verdict.SUCCEEDED, Verdict.FAILED):
            if party.signature is None or own.signature is None:
                raise LetterRefused(Refusal.CONFLICT, "it ran a contract that not all have signed")
            if verdict is Verdict.SUCCEEDED and body.reason == Reason.FOLLOWED.word:
                raise LetterRefused(Refusal.CONFLICT, "nobody succeeds by following another")
        party.verdict, party.reason, party.note = body.verdict, body.reason, body.note
        name = self._name(session, row, party.rank)
        told = sentence_of(body.reason, body.note)
        self._note(session, row, f"{name}: {verdict.value}, as {told}")
        if not row.contract and party.rank != row.proposer_rank:
            self._tell_verdict(session, row, [sender])  # it waits for ours, and has spoken first
        self._settle(session, row)

    def give_verdict(
        self,
        session: Session,
        row: JobRow,
        verdict: Verdict,
        reason: Reason,
        *,
        note: str = "",
        cause: str = "",
        remedy: str = "",
    ) -> None:
        """Give this node's one verdict and tell the others.

        ``note`` goes to the others; ``cause`` and ``remedy`` stay here.
        Raises: IllegalTransition if the verdict has been given before.
        """
        self._decide(session, row, verdict, reason, note=note, cause=cause, remedy=remedy)
        self._tell_verdict(session, row, _others(table.parties_of(session, row.id), row.rank))
        self._settle(session, row)

    def expire(self, session: Session, row: JobRow) -> None:
        """End a job whose contract not all have signed in time."""
        if row.job_state is JobState.WAITING_APPROVAL:
            self.give_verdict(session, row, Verdict.REJECTED, Reason.EXPIRED)
        elif row.job_state is JobState.WAITING_PEERS:
            self.give_verdict(session, row, Verdict.CANCELLED, Reason.EXPIRED)

    def end_refused(self, session: Session, peer: NodeId, job_id: str, refusal: Refusal) -> None:
        """End a job whose proposal or signature another party's node refused to read."""
        row = table.find_job(session, job_id)
        if row is None or row.job_state is not JobState.WAITING_PEERS:
            return
        party = _party_of(session, row, peer)
        cause = f"{self._name(session, row, party.rank)} refused the letter: {refusal.value}"
        is_proposer = row.rank == row.proposer_rank
        verdict = Verdict.REJECTED if is_proposer else Verdict.CANCELLED
        self.give_verdict(
            session,
            row,
            verdict,
            Reason.PROPOSAL_REFUSED,
            cause=cause,
            remedy=Reason.PROPOSAL_REFUSED.remedy,
        )

    def interrupt(self, session: Session) -> None:
        """Have jobs go on whose runs the agent's death cut short, or give the verdict on them."""
        what = "this node's agent stopped while the job ran"
        for row in table.all_jobs(session, JobState.RUNNING, JobState.SETTLING):
            if row.contract and self._resumes(parse_contract(row.contract)):
                self.lose_attempt(session, row, row.attempt + 1, what)
            if row.job_state is JobState.RUNNING:
                self.give_verdict(session, row, Verdict.FAILED, Reason.INTERRUPTED)
        for node_id in table.unended_parties(session):
            is_other = node_id != self._key.node_id
            if is_other and self._peers.find_paired(session, node_id) is None:
                self.part_from(session, node_id)
        self.forget_old(session)

    def forget_old(self, session: Session) -> None:
        """Forget the early letters whose proposals never came."""
        horizon = self._now_milliseconds() - EARLY_LETTER_MILLISECONDS
        table.forget_early(session, before_milliseconds=horizon)

    def part_from(self, session: Session, node_id: NodeId) -> None:
        """End the jobs with a peer that is no longer paired.

        No word of it will come any more, so that its verdict is taken to be CANCELLED.
        """
        table.forget_early(session, node_id=node_id)
        for row in table.unended_jobs_with(session, node_id):
            party = _party_of(session, row, node_id)
            if party.verdict is None:
                party.verdict, party.reason = Verdict.CANCELLED.value, Reason.UNPAIRED.word
                name = self._name(session, row, party.rank)
                self._note(session, row, f"{name} is no longer paired with this node")
            if row.job_state is JobState.SETTLING:
                self._settle(session, row)
            else:
                self.give_verdict(session, row, Verdict.CANCELLED, Reason.UNPAIRED)

    def _add(
        self, session: Session, contract: Contract, data: bytes, own: int, state: JobState
    ) -> JobRow:
        row = JobRow(
            id=contract.id,
            contract=data,
            digest=digest_of(data),
            service=contract.service.name,
            created_milliseconds=contract.created,
            rank=own,
            proposer_rank=contract.proposer,
            state=state.value,
            opened_milliseconds=self._now_milliseconds(),
            expires_milliseconds=contract.expires,
            cause="",
            remedy="",
            attempt=0,
            summary="{}",
            files="{}",
            row_counts="{}",
            progress="",
        )
        session.add(row)
        session.flush()
        for rank, party in enumerate(contract.parties):
            session.add(
                JobPartyRow(
                    job_id=contract.id,
                    rank=rank,
                    node=party.node,
                    name=party.name,
                    reason="",
                    note="",
                )
            )
        session.flush()
        return row

    def _make_room(self, session: Session, proposer: NodeId, size_bytes: int) -> None:
        """Forget what a proposer alone has caused, as far as need be; else LetterRefused."""
        if table.count_unended_by(session, proposer) >= MOST_UNENDED_JOBS:
            raise LetterRefused(Refusal.TOO_MANY, "it has too many jobs that have not ended")
        refused = table.oldest_refused(session, proposer, MOST_UNSIGNED_JOBS)
        for job_id in [*refused, None]:
            count, kept_bytes = table.unsigned_size(session, proposer)
            if count < MOST_UNSIGNED_JOBS and kept_bytes + size_bytes <= MOST_UNSIGNED_BYTES:
                return
            if job_id is not None:
                table.forget_job(session, job_id)
        raise LetterRefused(Refusal.TOO_MANY, "its jobs take too much room")

    def _read_proposal(
        self, session: Session, sender: NodeId, body: JobProposed
    ) -> tuple[Contract, bytes, bytes]:
        try:
            signed = parse_envelope(body.envelope, CONTRACT)
            contract = parse_contract(signed.data)
        except (EnvelopeMalformed, ContractMalformed) as error:
            raise LetterRefused(Refusal.MALFORMED, error.what) from None
        if contract.parties[contract.proposer].node_id != sender:
            raise LetterRefused(Refusal.NOT_ALLOWED, "it proposes in another node's name")
        if set(signed.signatures) != {sender.text}:
            raise LetterRefused(Refusal.BAD_SIGNATURE, "a proposal has its proposer's signature")
        signature = signed.signatures[sender.text]
        self._verify(session, sender, signed.data, signature)
        return contract, signed.data, signature

    def _verified(self, session: Session, sender: NodeId, data: bytes, text: str) -> bytes:
        try:
            signature = parse_base64(text)
        except SignatureInvalid as error:
            raise LetterRefused(Refusal.BAD_SIGNATURE, error.what) from None
        self._verify(session, sender, data, signature)
        return signature

    def _verify(self, session: Session, sender: NodeId, data: bytes, signature: bytes) -> None:
        pin = self._peers.find_paired(session, sender)
        if pin is None:
            raise LetterRefused(Refusal.NOT_ALLOWED, "it is not paired")
        try:
            verify(data, CONTRACT, sender, pin.public_der, signature)
        except SignatureInvalid as error:
            raise LetterRefused(Refusal.BAD_SIGNATURE, error.what) from None

    def _keep_early(
        self, session: Session, sender: NodeId, kind: Kind, body: JobSigned | JobVerdict
    ) -> None:
        if table.count_early(session, sender) >= MOST_EARLY_LETTERS:
            raise LetterRefused(Refusal.TOO_MANY, "too many letters about jobs not known here")
        early = EarlyLetterRow(
            job_id=body.job_id,
            node=sender.text,
            kind=kind.value,
            body=write_body(kind, body),
            at_milliseconds=self._now_milliseconds(),
        )
        session.add(early)

    def _take_early(self, session: Session, letter: EarlyLetterRow) -> None:
        sender, kind = NodeId(letter.node), Kind(letter.kind)
        body = BODIES[kind].model_validate_json(letter.body)
        try:
            if isinstance(body, JobSigned):
                self.take_signature(session, sender, body)
            elif isinstance(body, JobVerdict):
                self.take_verdict(session, sender, body)
        except LetterRefused as refused:
            log.warning("an early letter of %s is void: %s", sender.short, refused.what)

    def _count_signatures(self, session: Session, row: JobRow) -> None:
        if row.job_state is not JobState.WAITING_PEERS:
            return
        if all(party.signature for party in table.parties_of(session, row.id)):
            row.state = row.job_state.after(JobEvent.ALL_SIGNED).value
            self._note(session, row, "signed by all parties")

    def _is_done_early(self, session: Session, row: JobRow) -> bool:
        """Tell whether we have succeeded and some party has not spoken yet."""
        verdicts = [party.verdict for party in table.parties_of(session, row.id)]
        is_settling = row.job_state is JobState.SETTLING
        return is_settling and verdicts[row.rank] == Verdict.SUCCEEDED.value and None in verdicts

    def _settle(self, session: Session, row: JobRow) -> None:
        positions = table.positions_of(row, table.parties_of(session, row.id))
        if positions[row.rank].given is None:
            following = followed(positions)
            if following is not None:
                self.give_verdict(session, row, following, Reason.FOLLOWED)
            return
        outcome = settle(positions)
        if outcome is not None and row.job_state is JobState.SETTLING:
            row.state = row.job_state.after(outcome).value
            row.ended_milliseconds = self._now_milliseconds()
            self._note(session, row, _OUTCOMES[outcome])

    def _decide(
        self,
        session: Session,
        row: JobRow,
        verdict: Verdict,
        reason: Reason,
        *,
        note: str = "",
        cause: str = "",
        remedy: str = "",
    ) -> None:
        """Write down this node's one verdict, untold."""
        row.state = row.job_state.after(JobEvent.VERDICT_GIVEN).value
        party = table.parties_of(session, row.id)[row.rank]
        party.verdict, party.reason, party.note = verdict.value, reason.word, note
        row.cause, row.remedy = self._with_names(session, row, cause), remedy
        told = row.cause or sentence_of(reason.word, note)
        self._note(session, row, f"here: {verdict.value}, as {told}")

    def _tell_verdict(self, session: Session, row: JobRow, to: Iterable[NodeId]) -> None:
        own = table.parties_of(session, row.id)[row.rank]
        told = JobVerdict(job_id=row.id, verdict=str(own.verdict), reason=own.reason, note=own.note)
        self._tell(session, to, Kind.JOB_VERDICT, told)

    def _tell_others(
        self, session: Session, row: JobRow, kind: Kind, body: JobProposed | JobSigned
    ) -> None:
        self._tell(session, _others(table.parties_of(session, row.id), row.rank), kind, body)

    def _tell(
        self,
        session: Session,
        to: Iterable[NodeId],
        kind: Kind,
        body: JobProposed | JobSigned | JobVerdict,
    ) -> None:
        for node_id in to:
            if self._peers.find_paired(session, node_id) is not None:
                self._outbox.put(session, node_id, kind, body)

    def _require_paired(self, session: Session, row: JobRow) -> None:
        parties = table.parties_of(session, row.id)
        missing = [
            party.name
            for party in parties
            if party.rank != row.rank
            and self._peers.find_paired(session, NodeId(party.node)) is None
        ]
        if missing:
            raise Unfit(Reason.NOT_PAIRED, f"not paired with {', '.join(missing)}")

    def _proposer_of(self, session: Session, row: JobRow) -> NodeId:
        return NodeId(table.parties_of(session, row.id)[row.proposer_rank].node)

    def _note(self, session: Session, row: JobRow, text: str) -> None:
        """Write down what happened and have it attended to. Every change comes here."""
        table.add_event(session, row, self._now_milliseconds(), text)
        told: set[str] = session.info.setdefault("changed_jobs", set())
        if row.id not in told:
            told.add(row.id)
            event.listen(session, "after_commit", lambda _: self._tell_changed(row.id), once=True)

    def _tell_changed(self, job_id: str) -> None:
        # Without a loop the agent has not begun, or has ended: the next recovery sees to it.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed, job_id)

    def _with_names(self, session: Session, row: JobRow, text: str) -> str:
        """Return what a worker says with the names of the parties, which it calls by rank."""
        count = len(table.parties_of(session, row.id))

        def named(found: re.Match[str]) -> str:
            rank = int(found[1])
            return self._name(session, row, rank) if rank < count else found[0]

        return re.sub(r"\bparty (\d{1,4})\b", named, text)

    def _name(self, session: Session, row: JobRow, rank: int) -> str:
        party = table.parties_of(session, row.id)[rank]
        node_id = NodeId(party.node)
        return self._peers.names(session).get(node_id) or party.name or node_id.short


def _others(parties: Iterable[JobPartyRow], own: int) -> list[NodeId]:
    return [NodeId(party.node) for party in parties if party.rank != own]


def _party_of(session: Session, row: JobRow, node_id: NodeId) -> JobPartyRow:
    for party in table.parties_of(session, row.id):
        if party.node == node_id.text:
            return party
    raise LetterRefused(Refusal.NOT_ALLOWED, "it is not a party of the job")
