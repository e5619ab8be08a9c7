"""What was found, and whether it is as good as was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.parties import Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One figure and the most that it may be.

    limit:     None for a figure that nothing is asked of.
    is_judged: whether the figure was taken at the size that the limit is for.
    """

    what: str
    figure: float
    limit: float | None = None
    is_judged: bool = True

    @property
    def is_missed(self) -> bool:
        """Whether the figure is worse than was asked, at the size for which it was."""
        return self.is_judged and self.limit is not None and self.figure > self.limit

    def as_dict(self) -> dict[str, Any]:
        """Return a line of a table."""
        verdict = "no" if self.is_missed else "yes" if self.is_judged else "not judged"
        return {
            "what": self.what,
            "figure": round(self.figure, 3),
            "at_most": None if self.limit is None else round(self.limit, 3),
            "met": None if self.limit is None else verdict,
        }


def ratio_bars(
    ours: Measured, theirs: Measured, limits: Mapping[str, float], *, is_judged: bool
) -> list[Bar]:
    """Return ours / theirs in ``wall``, ``cpu`` and ``sent``; ``limits`` may lack some."""
    figures = {
        "wall": ours.wall_seconds / theirs.wall_seconds,
        "cpu": ours.cpu_seconds / theirs.cpu_seconds,
        "sent": sum(ours.sent_mib) / sum(theirs.sent_mib),
    }
    return [
        Bar(
            what=f"{name}, ours to that of {theirs.system}",
            figure=figure,
            limit=limits.get(name),
            is_judged=is_judged,
        )
        for name, figure in figures.items()
    ]


@dataclass(frozen=True, slots=True)
class Findings:
    """What one case found."""

    runs: Sequence[Measured]
    bars: Sequence[Bar] = field(default_factory=tuple)
