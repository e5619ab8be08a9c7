"""Whether two agents run with one identity: each start of an agent has a mark of its own.

A peer that was restarted shows a new mark, and the old one never again. If an old one comes back,
both agents live: somebody copied a state folder.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from appliance.identity.node_id import NodeId

# After the last sign of it, two agents are no longer spoken of.
SPOKEN_OF: Final = timedelta(minutes=10)
_MOST_MARKS: Final = 16


class Boots:
    """The marks that peers have shown since this agent started."""

    def __init__(self) -> None:
        self._shown: dict[NodeId, deque[bytes]] = {}
        self._doubled: dict[NodeId, datetime] = {}

    def note(self, node_id: NodeId, mark: bytes, now: datetime) -> bool:
        """Note the mark that a peer shows; tell whether this gives two agents away anew."""
        shown = self._shown.setdefault(node_id, deque(maxlen=_MOST_MARKS))
        if not mark or (shown and shown[-1] == mark):
            return False
        if mark not in shown:
            shown.append(mark)
            return False
        shown.remove(mark)
        shown.append(mark)
        was_known = self.are_two(node_id, now)
        self._doubled[node_id] = now
        return not was_known

    def are_two(self, node_id: NodeId, now: datetime) -> bool:
        """Tell whether two agents have lately shown themselves with this identity."""
        seen = self._doubled.get(node_id)
        return seen is not None and now - seen < SPOKEN_OF
