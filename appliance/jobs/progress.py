"""How far a run has come and how long it may still take, from its stages' weights. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from services.service import Stage

# Before so much has been seen, an estimate would be a guess.
_SURE_FRACTION: Final = 0.02
_SURE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressReport:
    """What a worker says of its run. ``done`` and ``total`` are units of the stage, mostly rows."""

    stage: str
    done: int
    total: int
    bytes_sent: int
    bytes_received: int
    rounds: int
    cpu_milliseconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerReport:
    """What a peer's agent says of its own worker."""

    stage: str
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One run so far. Times are seconds of a clock that never goes back.

    spent_seconds: how long each stage that is over took.
    moved:         when it last made progress: our worker did some work, or bytes came from a peer.
    """

    stages: tuple[Stage, ...]
    began: float
    stage_began: float
    moved: float
    spent_seconds: Mapping[str, float] = field(default_factory=dict)
    report: ProgressReport | None = None
    peers: Mapping[int, PeerReport] = field(default_factory=dict)
    down: frozenset[int] = frozenset()

    @classmethod
    def begin(cls, stages: Sequence[Stage], now: float) -> Self:
        """Return the course of a run that begins now."""
        return cls(stages=tuple(stages), began=now, stage_began=now, moved=now)

    def after_report(self, report: ProgressReport, now: float) -> Self:
        """Return the course once the worker has reported."""
        if self.report is None or self.report.stage == report.stage:
            return replace(self, report=report, moved=self.moved if report == self.report else now)
        spent = dict(self.spent_seconds)
        spent[self.report.stage] = spent.get(self.report.stage, 0.0) + now - self.stage_began
        return replace(self, report=report, stage_began=now, moved=now, spent_seconds=spent)

    def after_peer_report(self, rank: int, report: PeerReport) -> Self:
        """Return the course once a peer's agent has told of its worker."""
        return replace(self, peers={**self.peers, rank: report})

    def after_link(self, rank: int, *, is_up: bool) -> Self:
        """Return the course once the link to a peer was lost or resumed."""
        down = self.down - {rank} if is_up else self.down | {rank}
        return replace(self, down=down)

    @property
    def knows_result(self) -> bool:
        """Whether the run has come so far that it depends on its result."""
        if self.report is None:
            return False
        return any(stage.knows_result for stage in self.stages[: self._place() + 1])

    @property
    def stage_fraction(self) -> float:
        """How much of the present stage is done, 0 to 1."""
        if self.report is None or self.report.total <= 0:
            return 0.0
        return min(max(self.report.done / self.report.total, 0.0), 1.0)

    @property
    def fraction(self) -> float:
        """How much of the whole run is done, 0 to 1, by the stages' weights."""
        whole = sum(stage.weight for stage in self.stages)
        if self.report is None or whole <= 0:
            return 0.0
        place = self._place()
        before = sum(stage.weight for stage in self.stages[:place])
        present = self.stages[place].weight * self.stage_fraction if place < len(self.stages) else 0
        return min((before + present) / whole, 1.0)

    def remaining_seconds(self, now: float) -> float | None:
        """Return an estimate of the time to the end, None while too little has been seen.

        The present stage is taken to go on at its own pace; those to come at the pace, in weight
        for each second, of all that was seen.
        """
        elapsed = now - self.began
        if self.report is None or elapsed < _SURE_SECONDS or self.fraction < _SURE_FRACTION:
            return None
        whole = sum(stage.weight for stage in self.stages)
        seconds_per_weight = elapsed / (self.fraction * whole)
        place = self._place()
        later = sum(stage.weight for stage in self.stages[place + 1 :]) * seconds_per_weight
        return self._stage_remaining(now, seconds_per_weight) + later

    def _stage_remaining(self, now: float, seconds_per_weight: float) -> float:
        done = self.stage_fraction
        in_stage = now - self.stage_began
        if done >= 1.0:
            return 0.0
        if done >= _SURE_FRACTION and in_stage >= _SURE_SECONDS:
            return in_stage * (1.0 - done) / done
        place = self._place()
        weight = self.stages[place].weight if place < len(self.stages) else 0.0
        return weight * (1.0 - done) * seconds_per_weight

    def _place(self) -> int:
        names = [stage.name for stage in self.stages]
        present = self.report.stage if self.report is not None else ""
        return names.index(present) if present in names else len(names)
