"""Writes what is known of runs in memory to disk, in the transactions of others."""

import json
from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy.orm import Session

from appliance.jobs import store as table
from appliance.jobs.live import LiveJobs
from appliance.jobs.store import JobRow


class Figures:
    """What jobs have taken and told so far."""

    def __init__(self, live: LiveJobs, now_milliseconds: Callable[[], int]) -> None:
        self._live = live
        self._now_milliseconds = now_milliseconds

    def keep(self, session: Session, row: JobRow) -> None:
        """Write down what a job has taken so far, as a crash of the agent would lose it."""
        tally = self._live.tally_of(row.id)
        if tally is not None and row.began_milliseconds is not None:
            table.keep_tally(session, row.id, tally)

    def close(self, session: Session, row: JobRow) -> None:
        """Write down how far a run has come on which our verdict is given, and when."""
        report = self._live.report_of(row.id)
        if report is not None:
            row.progress = json.dumps(asdict(report))
        self.keep(session, row)
        table.end_meter(session, row.id, self._now_milliseconds())
