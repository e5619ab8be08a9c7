"""What is known of jobs only while the agent runs: progress, what they take, and who watches."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from appliance.jobs.metering import Meter, Tally
from appliance.jobs.progress import Course, ProgressReport


@dataclass(slots=True, weakref_slot=True, eq=False)
class LiveJob:
    """The passing part of one job. ``version`` grows with each change of what is on disk.

    begun: the last attempt that was begun since the agent started.
    meter: of all attempts; None if none was begun since then.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    version: int = 0
    course: Course | None = None
    begun: int | None = None
    is_repeating: bool = False
    meter: Meter | None = None
    is_examined: bool = False
    timer: asyncio.TimerHandle | None = None
    watchers: set[asyncio.Event] = field(default_factory=set)

    def signal(self) -> None:
        """Wake all who watch."""
        for watcher in self.watchers:
            watcher.set()

    def disarm(self) -> None:
        """Stop the timer, if one is set."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class LiveJobs:
    """The passing parts of all jobs that are attended to or watched."""

    def __init__(self) -> None:
        self._jobs: dict[str, LiveJob] = {}
        # As long as somebody holds it, a dropped one is found again: there is one lock to a job.
        self._held: WeakValueDictionary[str, LiveJob] = WeakValueDictionary()

    def of(self, job_id: str) -> LiveJob:
        """Return a job's passing part, made at first use."""
        live = self._held.get(job_id) or LiveJob()
        self._jobs[job_id] = self._held[job_id] = live
        return live

    def change(self, job_id: str) -> None:
        """Note that what is on disk has changed."""
        live = self.of(job_id)
        live.version += 1
        live.signal()

    def course_of(self, job_id: str) -> Course | None:
        """Return how a job runs, None if it does not run now."""
        live = self._jobs.get(job_id)
        return None if live is None else live.course

    def report_of(self, job_id: str) -> ProgressReport | None:
        """Return what our worker has told of a job last, None if it does not run now."""
        course = self.course_of(job_id)
        return None if course is None else course.report

    def tally_of(self, job_id: str) -> Tally | None:
        """Return what a job has taken so far; None if no attempt was begun since the start."""
        live = self._jobs.get(job_id)
        return None if live is None or live.meter is None else live.meter.total

    def metered(self) -> Sequence[str]:
        """Return the ids of the jobs of which there is a tally."""
        return [job_id for job_id, live in self._jobs.items() if live.meter is not None]

    def follow(self, job_id: str, step: Callable[[Course], Course]) -> None:
        """Take a step of a job's course; nothing if it does not run now."""
        live = self._jobs.get(job_id)
        if live is not None and live.course is not None:
            live.course = step(live.course)
            live.signal()

    def drop(self, job_id: str) -> None:
        """Forget a job that has ended; those who still watch keep what they hold."""
        live = self._jobs.pop(job_id, None)
        if live is not None:
            live.disarm()
