"""What happens to a job within one transaction: each fact with the letters that tell it to others.

Every method runs inside the caller's transaction. What must follow outside of it (a worker started
or stopped, results moved) is derived from the state alone, see :mod:`appliance.jobs.attendant`.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy.orm import Session

from appliance.accounts.principals import Person
from appliance.accounts.roles import Power
from appliance.contracts.contract import CONTRACT, Contract, digest_of, parse_contract
from appliance.contracts.envelope import base64_of, parse_envelope, sign, write_envelope
from appliance.governance.errors import PolicyRefuses
from appliance.governance.governor import Governor, Permit
from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId
from appliance.jobs import store as table
from appliance.jobs.attempts import is_spent
from appliance.jobs.crossing import crossing
from appliance.jobs.errors import ApprovedBefore, Unfit, as_unfit, unfit_of
from appliance.jobs.figures import Figures
from appliance.jobs.needs import PeerBook
from appliance.jobs.proposals import Proposals, open_job
from appliance.jobs.reasons import Reason, sentence_of
from appliance.jobs.records import Records
from appliance.jobs.states import OUTCOMES, JobEvent, JobState
from appliance.jobs.store import EarlyLetterRow, JobApprovalRow, JobPartyRow, JobRow
from appliance.jobs.telling import Telling, others_of
from appliance.jobs.verdicts import Verdict, decisive, followed, settle
from appliance.mailbox.letters import (
    BODIES,
    JobProposed,
    JobSigned,
    JobVerdict,
    Kind,
    LetterRefused,
    Refusal,
)
from appliance.mailbox.outbox import Outbox

EARLY_LETTER_MILLISECONDS: Final = 8 * 24 * 3600 * 1000

# How a job ends of which no other party has heard.
_ALONE: Final = {
    Verdict.REJECTED: JobEvent.ONE_REJECTED,
    Verdict.CANCELLED: JobEvent.ONE_CANCELLED,
}

_SIGNED_HERE: Final = (JobState.WAITING_PEERS, JobState.STARTING, JobState.RUNNING)
_AFTER_REFUSAL: Final = {
    Refusal.TOO_MANY: "wait for an hour, or for its other jobs with this node to end",
    Refusal.NOT_ALLOWED: "see that its grants and its pairing with this node still stand",
}

log = logging.getLogger(__name__)


class Docket:
    """The facts about jobs, and the only code that changes them.

    ``require_terms`` raises Unfit on a contract that this node never signs, whatever its data.
    ``resumes`` tells whether a contract's run goes on after a crash.
    ``figures`` keeps what jobs have taken and our workers have told.
    ``may_approve`` tells whether one of our people, by id, may approve jobs now.
    ``changed`` is told of each job that a transaction has changed, see :class:`Telling`.
    """

    def __init__(
        self,
        outbox: Outbox,
        key: IdentityKey,
        peers: PeerBook,
        governor: Governor,
        records: Records,
        ended: Callable[[Session, Sequence[NodeId]], None],
        require_terms: Callable[[Contract], None],
        resumes: Callable[[Contract], bool],
        now_milliseconds: Callable[[], int],
        changed: Callable[[str], None],
        figures: Figures,
        may_approve: Callable[[str], bool],
    ) -> None:
        self._may_approve = may_approve
        self._require_terms = require_terms
        self._resumes = resumes
        self._figures = figures
        self._key = key
        self._peers = peers
        self._governor = governor
        self._records = records
        self._ended = ended
        self._proposals = Proposals(peers, governor, now_milliseconds)
        self._telling = Telling(outbox, peers, now_milliseconds, changed)
        self._now_milliseconds = now_milliseconds

    def start(self) -> None:
        """Tell of changes to the running event loop from now on."""
        self._telling.start()

    def stop_for(
        self, session: Session, row: JobRow, verdict: Verdict, reason: Reason, by: Person, note: str
    ) -> None:
        """Give the verdict that one of our people wants. Raises: IllegalTransition."""
        word = "rejected" if verdict is Verdict.REJECTED else "cancelled"
        self._telling.note(session, row, f"{word} by {by.name}")
        self._records.stopped(session, row, reason, by)
        self.give_verdict(session, row, verdict, reason, note=note)

    def propose(self, session: Session, contract: Contract, data: bytes, by: Person) -> None:
        """Keep a proposal of our own; it is signed and sent once enough people here approve.

        by: who proposes it, and so approves it, if they may.
        Raises: PolicyRefuses.
        """
        permit = self._governor.require_allowed(session, contract, contract.proposer)
        row = self._open(session, contract, data, contract.proposer)
        self._records.proposed(session, row, contract, by)
        self._records.decided(session, row, permit)
        self._telling.note(session, row, f"proposed here by {by.name}")
        if Power.APPROVE_JOBS in by.powers:
            self.approve(session, row, by)
        else:
            self.sign_if_approved(session, row)

    def proposed_id(self, body: JobProposed) -> str:
        """Return the id of the job that a letter of our own proposes."""
        return parse_contract(parse_envelope(body.envelope, CONTRACT).data).id

    def admit(self, session: Session, sender: NodeId, body: JobProposed) -> None:
        """Take in a peer's proposal; LetterRefused if it is none."""
        contract, data, signature = self._proposals.read(session, sender, body)
        known = table.find_job(session, contract.id)
        if known is not None:
            if known.digest != digest_of(data):
                raise LetterRefused(Refusal.CONFLICT, "another contract has that id already")
            return
        own = contract.rank_of(self._key.node_id)
        if own is None:
            raise LetterRefused(Refusal.NOT_ALLOWED, "it proposes a contract without this node")
        self._proposals.make_room(session, sender, len(data))
        row = self._open(session, contract, data, own)
        table.parties_of(session, row.id)[contract.proposer].signature = signature
        proposer = self._telling.name(session, row, contract.proposer)
        self._telling.note(session, row, f"proposed by {proposer}, who has signed")
        self._records.proposed(session, row, contract, None)
        self._records.signed(session, row, sender)
        # At once, before any verdict can come: those who are not paired never hear of one another.
        try:
            self._require_terms(contract)
            self._require_paired(session, row)
            rank = contract.proposer
            self._proposals.take_grant(session, contract, rank, sender, body.grant)
            self._require_way(session, row, contract)
        except Unfit as unfit:
            self.refuse(session, row, unfit)
        for letter in table.take_early(session, row.id):
            self._take_early(session, letter)

    def refuse(self, session: Session, row: JobRow, unfit: Unfit) -> None:
        """Reject a contract that waits for approval without asking anybody here.

        Only its proposer hears of it, and no more than it may; the contract is not kept.
        """
        reason = unfit.reason.before_approval
        self._decide(
            session,
            row,
            Verdict.REJECTED,
            reason,
            note=unfit.note if reason is unfit.reason else "",
            cause=unfit.what,
            remedy=unfit.remedy,
        )
        self._telling.tell_verdict(session, row, [self._proposer_of(session, row)])
        row.contract = b""
        for party in table.parties_of(session, row.id):
            party.name = party.name if party.rank == row.proposer_rank else ""
        self._settle(session, row)

    def approve(self, session: Session, row: JobRow, by: Person) -> None:
        """Note that somebody approves; the last whom the policy asks for has it signed and told.

        Raises: IllegalTransition, PolicyRefuses, ApprovedBefore.
        """
        row.job_state.after(JobEvent.APPROVED)
        permit = self.permit(session, row)
        given = table.approvals_of(session, row.id)
        if by.id in [one.person for one in given]:
            raise ApprovedBefore(row.id, by.name, permit.approvals - self._counted(given))
        approval = JobApprovalRow(
            job_id=row.id, person=by.id, name=by.name, at_milliseconds=self._now_milliseconds()
        )
        session.add(approval)
        session.flush()
        count = self._counted([*given, approval])
        needed = f", {count} of {permit.approvals}" if permit.approvals > 1 else ""
        self._telling.note(session, row, f"approved by {by.name}{needed}")
        self._records.approved(session, row, by)
        self.sign_if_approved(session, row)

    def sign_if_approved(self, session: Session, row: JobRow) -> None:
        """Sign what as many have approved as our policy asks for, be it nobody.

        One that has expired meanwhile ends so. Raises: PolicyRefuses.
        """
        if row.expires_milliseconds <= self._now_milliseconds():
            self.expire(session, row)
            return
        permit = self.permit(session, row)
        if self._counted(table.approvals_of(session, row.id)) < permit.approvals:
            return
        row.state = row.job_state.after(JobEvent.APPROVED).value
        contract = parse_contract(row.contract)
        self._records.disclosed(session, row, contract)
        grant = self._governor.sign(session, contract, row.rank)
        self._records.signed_here(session, row, permit)
        signature = sign(row.contract, CONTRACT, self._key)
        parties = table.parties_of(session, row.id)
        parties[row.rank].signature = signature
        if row.rank == row.proposer_rank:
            others = [
                self._telling.name(session, row, one.rank)
                for one in parties
                if one.rank != row.rank
            ]
            self._telling.note(session, row, f"signed here and proposed to {', '.join(others)}")
            envelope = write_envelope(row.contract, CONTRACT, {self._key.node_id: signature})
            proposed = JobProposed(envelope=envelope, grant=grant)
            self._telling.tell_others(session, row, Kind.JOB_PROPOSED, proposed)
        else:
            by_rule = "" if permit.approvals else ", as a standing rule of our policy says"
            self._telling.note(session, row, f"signed here{by_rule}")
            signed = JobSigned(
                job_id=row.id, digest=row.digest, signature=base64_of(signature), grant=grant
            )
            self._telling.tell_others(session, row, Kind.JOB_SIGNED, signed)
        self._count_signatures(session, row)

    def sign_by_rule(self, session: Session, row: JobRow) -> None:
        """Sign what waits for nobody here. Raises: Unfit if our policy refuses it by now."""
        with as_unfit():
            self.sign_if_approved(session, row)

    def permit(self, session: Session, row: JobRow) -> Permit:
        """Return how many people must approve a job. Raises: PolicyRefuses."""
        return self._governor.require_allowed(session, parse_contract(row.contract), row.rank)

    def have_attended(self, session: Session, row: JobRow) -> None:
        """Have a job attended to that has not changed itself."""
        self._telling.mark_changed(session, row)

    def stop(self, session: Session, row: JobRow, unfit: Unfit) -> None:
        """End a job, wherever it stands, that may not go on."""
        cause, remedy = unfit.what, unfit.remedy
        if isinstance(unfit.__cause__, PolicyRefuses):
            self._records.decided(session, row, unfit.__cause__)
        if row.job_state in (JobState.STARTING, JobState.RUNNING):
            self.fail(session, row, unfit.reason, cause, remedy, note=unfit.note)
        elif row.job_state is JobState.WAITING_APPROVAL and row.rank != row.proposer_rank:
            self.refuse(session, row, unfit)
        else:
            self.give_verdict(
                session,
                row,
                Verdict.CANCELLED,
                unfit.reason,
                note=unfit.note,
                cause=cause,
                remedy=remedy,
            )

    def begin(self, session: Session, row: JobRow) -> None:
        """Note that the worker is about to be started, which uses what was granted, for good.

        Raises: IllegalTransition unless all have signed; Unfit if it is no longer allowed.
        """
        row.state = row.job_state.after(JobEvent.BEGUN).value
        self.use(session, row)
        if row.began_milliseconds is None:
            row.began_milliseconds = self._now_milliseconds()
        self._records.started(session, row)
        goes_on = f"the computation goes on from its last checkpoint: attempt {row.attempt + 1}"
        self._telling.note(session, row, goes_on if row.attempt else "the computation begins")

    def use(self, session: Session, row: JobRow) -> None:
        """Have a job use what it was granted; again, it only asks. Raises: Unfit if it may not."""
        with as_unfit():
            self._governor.begin(session, parse_contract(row.contract), row.rank)

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
        told = self._telling.with_names(session, row, what)
        self._telling.note(session, row, f"attempt {row.attempt + 1} was broken off: {told}")
        row.attempt = following
        self._figures.keep(session, row)

    def fail(
        self,
        session: Session,
        row: JobRow,
        reason: Reason,
        cause: str,
        remedy: str,
        *,
        note: str = "",
        knows_result: bool = False,
    ) -> None:
        """Give the verdict FAILED; the others do not hear why once the run depends on its result.

        As far as we know any but the first attempt does.
        """
        told = reason.beside_result if knows_result or row.attempt else reason
        kept = note if told is reason else ""
        self.give_verdict(session, row, Verdict.FAILED, told, note=kept, cause=cause, remedy=remedy)

    def take_signature(self, session: Session, sender: NodeId, body: JobSigned) -> None:
        """Take in a party's own signature; LetterRefused if it is none."""
        row = table.find_job(session, body.job_id)
        if row is None:
            self._proposals.keep_early(session, sender, Kind.JOB_SIGNED, body)
            return
        party = _party_of(session, row, sender)
        if not row.contract:
            return
        if party.verdict is not None and party.signature is None:
            raise LetterRefused(Refusal.CONFLICT, "it signs a contract after its verdict")
        if body.digest != row.digest:
            raise LetterRefused(Refusal.CONFLICT, "it signed another contract under this id")
        signature = self._proposals.verified(session, sender, row.contract, body.signature)
        if party.signature is None:
            if table.parties_of(session, row.id)[row.rank].verdict is None:
                contract = parse_contract(row.contract)
                self._proposals.take_grant(session, contract, party.rank, sender, body.grant)
            party.signature = signature
            self._records.signed(session, row, sender)
            self._telling.note(
                session, row, f"{self._telling.name(session, row, party.rank)} has signed"
            )
            self._count_signatures(session, row)
            self._settle(session, row)

    def take_verdict(self, session: Session, sender: NodeId, body: JobVerdict) -> None:
        """Take in a party's own verdict; LetterRefused if it cannot be."""
        verdict = next((one for one in Verdict if one.value == body.verdict), None)
        if verdict is None or not body.note.isprintable():
            raise LetterRefused(Refusal.MALFORMED, "a verdict is malformed")
        row = table.find_job(session, body.job_id)
        if row is None:
            self._proposals.keep_early(session, sender, Kind.JOB_VERDICT, body)
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
        name = self._telling.name(session, row, party.rank)
        told = sentence_of(body.reason, body.note)
        self._telling.note(session, row, f"{name}: {verdict.value}, as {told}")
        if not row.contract and party.rank != row.proposer_rank:
            self._telling.tell_verdict(
                session, row, [sender]
            )  # it waits for ours, and has spoken first
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
        """Give this node's one verdict and tell the others, if they have heard of the job.

        ``note`` goes to the others; ``cause`` and ``remedy`` stay here.
        Raises: IllegalTransition if the verdict has been given before.
        """
        self._decide(session, row, verdict, reason, note=note, cause=cause, remedy=remedy)
        parties = table.parties_of(session, row.id)
        if not _is_unsent(row, parties):
            self._telling.tell_verdict(session, row, others_of(parties, row.rank))
        self._settle(session, row)

    def expire(self, session: Session, row: JobRow) -> None:
        """End a job whose contract not all have signed in time."""
        if row.job_state is JobState.WAITING_APPROVAL:
            self.give_verdict(session, row, Verdict.REJECTED, Reason.EXPIRED)
        elif row.job_state is JobState.WAITING_PEERS:
            self.give_verdict(session, row, Verdict.CANCELLED, Reason.EXPIRED)

    def end_refused(self, session: Session, peer: NodeId, job_id: str, refusal: Refusal) -> None:
        """End a job whose proposal or signature another party's node refused to read.

        Of two parties the one who signs last starts at once, and hears of it later.
        """
        row = table.find_job(session, job_id)
        if row is None or row.job_state not in _SIGNED_HERE:
            return
        party = _party_of(session, row, peer)
        cause = (
            f"{self._telling.name(session, row, party.rank)} refused the letter: {refusal.value}"
        )
        is_proposer = row.rank == row.proposer_rank
        verdict = Verdict.REJECTED if is_proposer else Verdict.CANCELLED
        self.give_verdict(
            session,
            row,
            verdict,
            Reason.PROPOSAL_REFUSED,
            cause=cause,
            remedy=_AFTER_REFUSAL.get(refusal, Reason.PROPOSAL_REFUSED.remedy),
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
                name = self._telling.name(session, row, party.rank)
                self._telling.note(session, row, f"{name} is no longer paired with this node")
            if row.job_state is JobState.SETTLING:
                self._settle(session, row)
            else:
                self.give_verdict(session, row, Verdict.CANCELLED, Reason.UNPAIRED)

    def _counted(self, approvals: Sequence[JobApprovalRow]) -> int:
        """Return how many of these are of people who may still approve."""
        return sum(self._may_approve(one.person) for one in approvals)

    def _open(self, session: Session, contract: Contract, data: bytes, own: int) -> JobRow:
        return open_job(session, contract, data, own, self._now_milliseconds())

    def _take_early(self, session: Session, letter: EarlyLetterRow) -> None:
        sender, kind = NodeId(letter.node), Kind(letter.kind)
        body = BODIES[kind].model_validate_json(letter.body)
        try:
            with session.begin_nested():
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
            self._telling.note(session, row, "signed by all parties")

    def _is_done_early(self, session: Session, row: JobRow) -> bool:
        """Tell whether we have succeeded and some party has not spoken yet."""
        verdicts = [party.verdict for party in table.parties_of(session, row.id)]
        is_settling = row.job_state is JobState.SETTLING
        return is_settling and verdicts[row.rank] == Verdict.SUCCEEDED.value and None in verdicts

    def _settle(self, session: Session, row: JobRow) -> None:
        positions = table.positions_of(row, table.parties_of(session, row.id))
        own = positions[row.rank]
        if own.given is None:
            following = followed(positions)
            if following is not None:
                self.give_verdict(session, row, following, Reason.FOLLOWED)
            return
        outcome = settle(positions)
        if own.is_proposer and not own.has_signed:
            outcome = _ALONE[own.given.verdict]
        if outcome is not None and row.job_state is JobState.SETTLING:
            row.state = row.job_state.after(outcome).value
            row.ended_milliseconds = self._now_milliseconds()
            self._telling.note(session, row, OUTCOMES[outcome])
            cause = decisive(positions, row.rank)
            self._figures.keep(session, row)
            self._records.metered(session, row)
            self._records.ended(session, row, row.job_state, cause)
            if all(position.has_signed for position in positions):
                parties = table.parties_of(session, row.id)
                self._ended(session, others_of(parties, row.rank))

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
        row.cause, row.remedy = self._telling.with_names(session, row, cause), remedy
        if row.began_milliseconds is None:
            self._governor.give_back(session, row.id)
        else:
            self._figures.close(session, row)
        told = row.cause or sentence_of(reason.word, note)
        self._telling.note(session, row, f"here: {verdict.value}, as {told}")

    def _require_way(self, session: Session, row: JobRow, contract: Contract) -> None:
        """Return if our policy allows a peer's proposal. Raises: Unfit.

        Two nodes may propose to each other at once, each with the last use of its own dataset,
        which the other's job needs too. Then the job with the smaller id goes first, at both: a
        proposal of ours that the sender has not signed yet gives way.
        """
        try:
            self._records.decided(session, row, self.permit(session, row))
        except PolicyRefuses as refused:
            self._records.decided(session, row, refused)
            giving_way = crossing(session, row, contract) if refused.is_of_counts else []
            if not giving_way:
                raise unfit_of(refused) from refused
            for other in giving_way:
                self.give_verdict(session, other, Verdict.CANCELLED, Reason.CROSSED)
            with as_unfit():
                self._records.decided(session, row, self.permit(session, row))

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


def _is_unsent(row: JobRow, parties: Sequence[JobPartyRow]) -> bool:
    """Whether it is a proposal of our own that was never signed, so that nobody has heard of it."""
    return row.rank == row.proposer_rank and parties[row.rank].signature is None


def _party_of(session: Session, row: JobRow, node_id: NodeId) -> JobPartyRow:
    for party in table.parties_of(session, row.id):
        if party.node == node_id.text:
            return party
    raise LetterRefused(Refusal.NOT_ALLOWED, "it is not a party of the job")
