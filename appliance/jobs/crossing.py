"""Proposals of two nodes to each other that want the same last use."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from appliance.contracts.contract import Contract, parse_contract
from appliance.jobs import store as table
from appliance.jobs.states import JobState
from appliance.jobs.store import JobRow


def crossing(session: Session, row: JobRow, contract: Contract) -> Sequence[JobRow]:
    """Return our proposals with the same dataset that wait for its proposer, and yield.

    The job with the smaller id goes first, at both nodes; one that is signed yields no more.
    """
    own = contract.parties[row.rank].dataset
    if own is None:
        return []
    sender = contract.parties[contract.proposer].node_id
    found = []
    for other in table.unended_jobs_with(session, sender):
        is_ours = other.rank == other.proposer_rank and other.job_state is JobState.WAITING_PEERS
        if not is_ours or other.id <= row.id:
            continue
        signers = [one.node for one in table.parties_of(session, other.id) if one.signature]
        dataset = parse_contract(other.contract).parties[other.rank].dataset
        if sender.text not in signers and dataset is not None and dataset.name == own.name:
            found.append(other)
    return found
