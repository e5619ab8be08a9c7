"""Watches one job at several nodes at once, each side as it sees it."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from appliance.api import agent_pb2 as pb
from appliance.cli.watch import plain_line, progress
from appliance.demo.nodes import Node

_DRAW_SECONDS: Final = 0.1


def watch_everywhere(nodes: Sequence[Node], job_id: str, console: Console) -> list[pb.Job]:
    """Draw both sides' progress until the job has ended at all nodes; return it as each sees it."""
    seen: dict[str, pb.Job] = {}
    with ThreadPoolExecutor(max_workers=len(nodes)) as threads:
        ends = [threads.submit(_note, node, job_id, seen) for node in nodes]
        if console.is_terminal:
            with Live(console=console, transient=True) as live:
                while not all(end.done() for end in ends):
                    live.update(_drawn(seen))
                    time.sleep(_DRAW_SECONDS)
        for end in ends:
            end.result()
    console.print(_drawn(seen))
    return [seen[node.name] for node in nodes]


def _note(node: Node, job_id: str, seen: dict[str, pb.Job]) -> None:
    for job in node.client.watch_job(job_id):
        seen[node.name] = job


def _drawn(seen: dict[str, pb.Job]) -> Group:
    """Return every side's view, with what it did last below its bars."""
    parts: list[RenderableType] = []
    for name, job in sorted(seen.items()):
        parts += [Text(f"at {name}: {plain_line(job)}"), Padding(progress(job), (0, 0, 0, 2))]
    return Group(*parts)
