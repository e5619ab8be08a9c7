"""Evidence of a ledger, verified apart from any node, and held against what this node knows."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from appliance.api import agent_pb2 as pb
from appliance.api.ways import Refused, Unreachable
from appliance.cli.terminal import Terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What the program says, and against what else it was held.

    against: file, node, countersignature, or nothing; ``note`` says it to people.
    """

    found: Mapping[str, Any]
    against: str
    note: str


def verify_evidence(terminal: Terminal, evidence: Path, against: Path | None) -> None:
    """Say whether evidence is good; typer.Exit(1) if it is not.

    against: a checkpoint of that ledger; without one, that which our node holds, if any is there.
    """
    found = _run_program(evidence, against)
    if against is not None:
        verdict = _Verdict(found=found, against="file", note=f"held against {against}")
    elif found["verified"]:
        verdict = _held_to_ours(terminal, evidence, found)
    else:
        verdict = _Verdict(found=found, against="nothing", note="")
    is_good, said = bool(verdict.found["verified"]), str(verdict.found["said"])
    terminal.answer_plain(
        {
            "evidence": str(evidence),
            "verified": is_good,
            "said": said,
            "against": verdict.against,
            "note": verdict.note,
        },
        "\n".join(filter(None, (said, verdict.note))),
    )
    if not is_good:
        raise typer.Exit(1)


def write_forks(held: pb.PeerCheckpoint, folder: Path) -> list[str]:
    """Write both notes of each fork of a peer's ledger into a folder; return the files.

    Raises: Refused, also rather than write over a file.
    """
    notes = {
        folder / f"fork-{number}-{half}.txt": text
        for number, fork in enumerate(held.forks, start=1)
        for half, text in (("held", fork.held), ("shown", fork.shown))
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in notes.items():
            with file.open("x", encoding="utf-8") as out:
                out.write(text)
    except OSError as error:
        raise Refused(f"they cannot be written: {error}", remedy="name another folder") from None
    return [str(file) for file in notes]


def _held_to_ours(terminal: Terminal, evidence: Path, found: Mapping[str, Any]) -> _Verdict:
    """Hold good evidence against the checkpoint that our node has of that ledger."""
    try:
        with terminal.connect() as client:
            held = client.show_peer_checkpoint(found["node"])
            own = client.show_node().node_id
    except (Refused, Unreachable) as error:
        why = f"not held against any checkpoint: {error.what}"
        note = f"{why}. If you have one of that ledger, give it: --against FILE"
        return _Verdict(found=found, against="nothing", note=note)
    ours = f"the checkpoint of {held.size} entries that this node holds of {held.peer}"
    if held.size > found["size"] and own in found["peers"]:
        # A node signs no later one of a peer that does not go on from what it signed before.
        note = f"this node has signed that ledger itself; {ours} goes on from there"
        return _Verdict(found=found, against="countersignature", note=note)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoint.txt"
        file.write_text(held.note, "utf-8")
        found = _run_program(evidence, file)
    return _Verdict(found=found, against="node", note=f"held against {ours}")


def _run_program(evidence: Path, against: Path | None) -> Mapping[str, Any]:
    """Run our own copy of the program that evidence brings: what it brings may be anything."""
    command = [sys.executable, "-m", "appliance.ledger.verify_evidence", str(evidence), "--json"]
    if against is not None:
        command += ["--against", str(against)]
    ran = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    if not ran.stdout:
        return {"verified": False, "said": "fault: the evidence is malformed"}
    said: Mapping[str, Any] = json.loads(ran.stdout)
    return said
