"""What updates ask of the machine's helper and of the peers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Literal

from appliance.machine.ask import ask
from appliance.machine.orders import ChangeSlots
from appliance.peering.peers import Peer
from appliance.store.migrate import known_revisions
from appliance.updates.running import read_here
from appliance.updates.updates import Updates

# Long enough for a unit to write the boot partition on a slow machine.
_ANSWER_SECONDS: Final = 120.0


class HelpedByMachine:
    """Root's part, by orders to the machine's helper."""

    def install(self, *, from_stick: bool) -> None:
        """Begin to install the bundle that has come, or the one on a USB stick."""
        self._order("stick" if from_stick else "install")

    def cancel(self) -> None:
        """Stop the installation, or withdraw an update that waits for a restart."""
        self._order("cancel")

    def start_other(self) -> None:
        """Have the other slot start next."""
        self._order("other")

    def _order(self, verb: Literal["install", "stick", "cancel", "other"]) -> None:
        ask(ChangeSlots(verb=verb), answer_seconds=_ANSWER_SECONDS)


def make_updates(state: Path, peers: Callable[[], Sequence[Peer]]) -> Updates:
    """Return the node's updates, over this machine's helper."""
    revision = known_revisions()[-1]

    def linked() -> list[Mapping[str, str]]:
        return [
            {"node_id": peer.node_id.text, "name": peer.name, "address": peer.address}
            for peer in peers()
            if peer.is_reachable
        ]

    return Updates(
        state=state, helper=HelpedByMachine(), here=partial(read_here, revision), linked=linked
    )
