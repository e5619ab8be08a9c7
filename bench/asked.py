"""What the command line asks of a benchmark."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How to measure.

    is_quick:  at smaller sizes, at which no bar is judged.
    has_peers: with others' systems beside ours.
    is_huge:   with what takes many minutes and much disk.
    cases:     the names of those to run; none means all.
    """

    is_quick: bool = False
    has_peers: bool = False
    is_huge: bool = False
    cases: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What of the command line decides the figures."""
        flags = {"--quick": self.is_quick, "--peers": self.has_peers, "--huge": self.is_huge}
        asked = [flag for flag, is_set in flags.items() if is_set]
        return "".join(f" {word}" for word in (*asked, *(f"--case {one}" for one in self.cases)))
