"""What jobs take of this node: counted while they run, over all attempts and starts of the agent.

Bytes are what the agent itself has carried, processor time what the kernel says of the worker.
Rounds are the worker's word: the agent carries streams, which do not tell where a message ends.
"""

from dataclasses import dataclass
from typing import Final

MOST_ROUNDS: Final = 1 << 40
"""What a worker says of its rounds beyond this is a lie, and no more than this is noted."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a run has taken so far. It grows in the event loop and is read from other threads.

    bytes_sent: what has gone out to peers, each byte once, however often a link had to repeat it.
    """

    bytes_sent: int = 0
    bytes_received: int = 0
    rounds: int = 0
    cpu_milliseconds: int = 0


class Meter:
    """The tallies of one job: what was on disk when it was made, and of each run since."""

    def __init__(self, kept: Tally) -> None:
        self._tallies = [kept]

    def begin(self) -> Tally:
        """Return the tally of a run that begins now."""
        tally = Tally()
        self._tallies.append(tally)
        return tally

    @property
    def total(self) -> Tally:
        """All runs together, as it is now."""
        every = tuple(self._tallies)
        return Tally(
            bytes_sent=sum(one.bytes_sent for one in every),
            bytes_received=sum(one.bytes_received for one in every),
            rounds=min(sum(one.rounds for one in every), MOST_ROUNDS),
            cpu_milliseconds=sum(one.cpu_milliseconds for one in every),
        )
