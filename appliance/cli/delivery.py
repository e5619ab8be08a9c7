"""What has not reached the peers yet, and why: said where somebody waits for it."""

import time
from collections.abc import Collection
from typing import Final

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client
from appliance.cli.terminal import Terminal

# A peer that can be reached has its letters at once; of one that cannot, it is soon known why.
_PATIENCE_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.1


def tell_undelivered(terminal: Terminal, client: Client, peers: Collection[str]) -> None:
    """Name those of the peers, given by name or node id, for whom letters wait, and say why."""
    if terminal.as_json or not peers:
        return
    deadline = time.monotonic() + _PATIENCE_SECONDS
    waiting = _waiting(client, peers)
    while any(not peer.trouble for peer in waiting) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        waiting = _waiting(client, peers)
    for peer in waiting:
        trouble = peer.trouble or f"{peer.name} has not answered so far"
        terminal.say(f"Not yet delivered: {trouble}.")
        if peer.remedy:
            terminal.say(f"What to do: {peer.remedy}.")


def tell_job_undelivered(terminal: Terminal, client: Client, job: pb.Job) -> None:
    """Say it of the other parties of a job that has not ended."""
    if not job.ended:
        others = [party.node_id for party in job.parties if not party.here]
        tell_undelivered(terminal, client, others)


def _waiting(client: Client, peers: Collection[str]) -> list[pb.Peer]:
    return [
        peer
        for peer in client.list_peers()
        if peer.outbox_count and (peer.node_id in peers or peer.name in peers)
    ]
