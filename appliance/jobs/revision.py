"""What becomes of jobs under way when what was allowed or granted no longer is."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from appliance.contracts.contract import parse_contract
from appliance.jobs import store as table
from appliance.jobs.docket import Docket
from appliance.jobs.errors import Unfit, as_unfit
from appliance.jobs.reasons import Reason


class Revision:
    """Judges jobs anew. All runs inside the caller's transaction."""

    def __init__(self, docket: Docket) -> None:
        self._docket = docket

    def by_policy(self, session: Session, dataset: str) -> Sequence[str]:
        """Stop the jobs that the policy of a dataset of ours, as it is now, refuses; return them.

        A job that waits for fewer people now, or for nobody, is attended to.
        """
        stopped = []
        for row in table.unended_jobs(session):
            if not row.contract:
                continue
            own = parse_contract(row.contract).parties[row.rank].dataset
            if own is None or own.name != dataset:
                continue
            self._docket.have_attended(session, row)
            if row.job_state.is_decided:  # here; a peer may want our part once more
                continue
            try:
                with as_unfit():
                    self._docket.permit(session, row)
            except Unfit as unfit:
                self._docket.stop(session, row, unfit)
                stopped.append(row.id)
        return stopped

    def by_grant(self, session: Session, job_ids: Sequence[str], what: str) -> Sequence[str]:
        """Stop those of some jobs that still go on, as what they use is not granted any more."""
        stopped = []
        for job_id in job_ids:
            row = table.find_job(session, job_id)
            if row is None or not row.contract or row.job_state.has_ended:
                continue
            self._docket.have_attended(session, row)
            if not row.job_state.is_decided:
                self._docket.stop(session, row, Unfit(Reason.GRANT, what))
                stopped.append(job_id)
        return stopped
