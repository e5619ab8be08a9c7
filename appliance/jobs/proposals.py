"""Jobs from their beginning: proposals, signatures and grants of peers, read and judged."""

from collections.abc import Callable
from typing import Final

from sqlalchemy.orm import Session

from appliance.contracts.contract import CONTRACT, Contract, digest_of, parse_contract
from appliance.contracts.envelope import parse_base64, parse_envelope, verify
from appliance.contracts.errors import (
    ContractMalformed,
    EnvelopeMalformed,
    ParametersInvalid,
    ServiceUnknown,
    ServiceVersionDiffers,
)
from appliance.governance.errors import GrantMissing
from appliance.governance.governor import Governor
from appliance.grants.errors import GrantMalformed, GrantRefused
from appliance.identity.errors import SignatureInvalid
from appliance.identity.node_id import NodeId
from appliance.jobs import store as table
from appliance.jobs.needs import PeerBook, Pin
from appliance.jobs.states import JobState
from appliance.jobs.store import EarlyLetterRow, JobPartyRow, JobRow
from appliance.mailbox.letters import (
    JobProposed,
    JobSigned,
    JobVerdict,
    Kind,
    LetterRefused,
    Refusal,
    write_body,
)
from appliance.peering.allowance import Allowances

# Of one proposer. Those that this node never signed are bounded in all; those that it signed are
# bounded by its people's approvals.
MOST_UNENDED_JOBS: Final = 100
MOST_UNSIGNED_JOBS: Final = 500
MOST_UNSIGNED_BYTES: Final = 16 << 20
# Of one proposer, and counted apart from what is kept: each leaves entries in the ledger, which are
# never forgotten at a peer's wish.
MOST_AN_HOUR: Final = 200
_HOUR_SECONDS: Final = 3600
MOST_EARLY_LETTERS: Final = 100


class Proposals:
    """Reads what paired peers sign. All runs inside the caller's transaction."""

    def __init__(
        self, peers: PeerBook, governor: Governor, now_milliseconds: Callable[[], int]
    ) -> None:
        self._peers = peers
        self._governor = governor
        self._now_milliseconds = now_milliseconds
        per_second = MOST_AN_HOUR / _HOUR_SECONDS
        self._allowances = Allowances(per_second=per_second, burst=MOST_AN_HOUR)

    def read(
        self, session: Session, sender: NodeId, body: JobProposed
    ) -> tuple[Contract, bytes, bytes]:
        """Return a contract, its bytes and its proposer's signature; LetterRefused if unfit."""
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

    def verified(self, session: Session, sender: NodeId, data: bytes, text: str) -> bytes:
        """Return the sender's signature on a contract, from base64; LetterRefused if it is none."""
        try:
            signature = parse_base64(text)
        except SignatureInvalid as error:
            raise LetterRefused(Refusal.BAD_SIGNATURE, error.what) from None
        self._verify(session, sender, data, signature)
        return signature

    def take_grant(
        self, session: Session, contract: Contract, rank: int, sender: NodeId, envelope: str
    ) -> None:
        """Keep what the sender, of this rank, grants with its signature; LetterRefused if unfit."""
        key = self._pin(session, sender).public_der
        try:
            self._governor.take_grant(session, contract, rank, sender, key, envelope)
        except SignatureInvalid as error:
            raise LetterRefused(Refusal.BAD_SIGNATURE, error.what) from None
        except (EnvelopeMalformed, GrantMalformed) as error:
            raise LetterRefused(Refusal.MALFORMED, error.what) from None
        except (GrantMissing, GrantRefused) as error:
            raise LetterRefused(Refusal.NOT_ALLOWED, error.what) from None
        except (ServiceUnknown, ServiceVersionDiffers, ParametersInvalid) as error:
            raise LetterRefused(Refusal.NOT_ALLOWED, error.what) from None

    def make_room(self, session: Session, proposer: NodeId, size_bytes: int) -> None:
        """Forget what a proposer alone has caused, as far as need be; else LetterRefused."""
        if table.count_unended_by(session, proposer) >= MOST_UNENDED_JOBS:
            raise LetterRefused(Refusal.TOO_MANY, "it has too many jobs that have not ended")
        now, allowance = self._now_milliseconds() / 1000, self._allowances.of(proposer)
        if allowance.wait_seconds(now):
            raise LetterRefused(Refusal.TOO_MANY, "it has proposed too much within an hour")
        allowance.take(now)
        refused = table.oldest_refused(session, proposer, MOST_UNSIGNED_JOBS)
        for job_id in [*refused, None]:
            count, kept_bytes = table.unsigned_size(session, proposer)
            if count < MOST_UNSIGNED_JOBS and kept_bytes + size_bytes <= MOST_UNSIGNED_BYTES:
                return
            if job_id is not None:
                table.forget_job(session, job_id)
        raise LetterRefused(Refusal.TOO_MANY, "its jobs take too much room")

    def keep_early(
        self, session: Session, sender: NodeId, kind: Kind, body: JobSigned | JobVerdict
    ) -> None:
        """Keep a letter about a job whose proposal is still to come; LetterRefused if too many."""
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

    def _verify(self, session: Session, sender: NodeId, data: bytes, signature: bytes) -> None:
        pin = self._pin(session, sender)
        try:
            verify(data, CONTRACT, sender, pin.public_der, signature)
        except SignatureInvalid as error:
            raise LetterRefused(Refusal.BAD_SIGNATURE, error.what) from None

    def _pin(self, session: Session, sender: NodeId) -> Pin:
        pin = self._peers.find_paired(session, sender)
        if pin is None:
            raise LetterRefused(Refusal.NOT_ALLOWED, "it is not paired")
        return pin


def open_job(
    session: Session, contract: Contract, data: bytes, own: int, now_milliseconds: int
) -> JobRow:
    """Keep a new job, which waits for approval. own: this node's rank."""
    row = JobRow(
        id=contract.id,
        contract=data,
        digest=digest_of(data),
        service=contract.service.name,
        created_milliseconds=contract.created,
        rank=own,
        proposer_rank=contract.proposer,
        state=JobState.WAITING_APPROVAL.value,
        opened_milliseconds=now_milliseconds,
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
        node, name = party.node, party.name
        session.add(JobPartyRow(job_id=row.id, rank=rank, node=node, name=name, reason="", note=""))
    session.flush()
    return row
