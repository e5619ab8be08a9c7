"""A node whose ledger is rewritten, with its own key, is disproved by what its peer has kept."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from appliance.identity.keys import FileKey
from appliance.ledger import store as table
from appliance.ledger import verify_evidence
from appliance.ledger.checkpoint import sign_checkpoint
from appliance.ledger.merkle import Frontier, hash_leaf
from appliance.store.database import Store
from tests.fleet.nodes import Node, approve, ended, eventually, submit

PROGRAM = Path(verify_evidence.__file__)
Rows: TypeAlias = Sequence[table.Columns]
TRUE, FALSE = b'"outcome":"succeeded"', b'"outcome":"cancelled"'
FORKED = "the ledger was forked: its first "


def coffer(node: Node, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "appliance.cli", "--state", str(node.state), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def told(node: Node, *words: str) -> Any:
    """Return what the command line says as JSON, if it succeeds."""
    ran = coffer(node, "--json", *words)
    return json.loads(ran.stdout) if ran.returncode == 0 else None


def run_alone(evidence: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Verify evidence as an outsider does."""
    command = [sys.executable, "-I", str(PROGRAM), str(evidence), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def ran(paired: list[Node]) -> str:
    """Have both run a job to its end, each side's ledger signed by the other; return its id."""
    hospital, laboratory = paired
    job = submit(hospital, "patients", laboratory, "samples", hospital)
    approve(laboratory, job)
    assert [ended(node, job).state for node in paired] == ["succeeded", "succeeded"]
    return job.id


def changed(rows: Rows) -> Rows:
    """Say something else of how the job ended."""
    return [(*row[:4], (row[4] or b"").replace(TRUE, FALSE), row[5]) for row in rows]


def truncated(rows: Rows) -> Rows:
    """Have it that the job has not ended; the ledger goes on otherwise from there."""
    return list(takewhile(lambda row: TRUE not in (row[4] or b""), rows))


def rewrite(node: Node, change: Callable[[Rows], Rows]) -> None:
    """Change a node's ledger, as whoever has its disk and its key can.

    All hashes and all its checkpoints are made anew, so that nothing in its database contradicts.
    """
    key = FileKey.open_or_make(node.state, now=lambda: datetime.now(UTC), may_make=False)

    def work(session: Session) -> None:
        rows = [row for batch in table.batches_of_entries(session, 100) for row in batch]
        assert any(TRUE in (content or b"") for *_, content, _ in rows)
        for forgotten in (
            table.LedgerEntryRow,
            table.LedgerNodeRow,
            table.LedgerCountersignatureRow,
            table.LedgerShownRow,
        ):
            session.execute(delete(forgotten))
        tree, roots = Frontier(size=0, hashes=()), {}
        for number, at, kind, job, content, _ in change(rows):
            said = content or b""
            tree, nodes = tree.with_leaf(hash_leaf(said))
            table.add_entries(session, [(number, at, kind, job, said, hash_leaf(said))])
            table.add_nodes(session, nodes)
            roots[tree.size] = tree.root
        for row in table.all_checkpoints(session):
            if row.size in roots:
                row.note = sign_checkpoint(row.size, roots[row.size], key).text
            else:
                session.delete(row)

    store = Store.open(node.state)
    asyncio.run(store.run(work))
    store.close()


@pytest.fixture(params=[changed, truncated])
def forged(request: pytest.FixtureRequest, paired: list[Node], tmp_path: Path) -> str:
    """Have the hospital's ledger rewritten after a job that the laboratory has signed it for."""
    hospital, laboratory = paired
    job = ran(paired)
    honest = tmp_path / "honest.tar"
    eventually(lambda: told(hospital, "ledger", "export", job, str(honest)))
    held = eventually(lambda: told(laboratory, "ledger", "checkpoint", "--of", "hospital"))
    assert not held["forks"]
    good = told(laboratory, "ledger", "verify", str(honest))
    assert good["against"] in ("node", "countersignature")
    assert good["said"].count("signed by it") == 2, "both parties' signatures on the contract"
    assert '["value", "' in good["said"], "the columns of the contract"
    assert hospital.stop() == 0
    rewrite(hospital, request.param)
    hospital.start()
    return job


@pytest.mark.parametrize("forged", [changed], indirect=True)
def test_a_rewritten_ledger_is_disproved_by_the_peers_copy(
    paired: list[Node], forged: str, tmp_path: Path
) -> None:
    hospital, laboratory = paired
    assert told(hospital, "ledger", "verify"), "by itself it is whole"
    evidence, held = tmp_path / "forged.tar", tmp_path / "held.txt"
    assert told(hospital, "ledger", "export", forged, str(evidence), "--alone")

    alone = run_alone(evidence)
    assert alone.returncode == 0 and '"outcome": "cancelled"' in alone.stdout
    shown = coffer(laboratory, "ledger", "checkpoint", "--of", "hospital")
    held.write_text(shown.stdout, "utf-8")
    by_an_outsider = run_alone(evidence, "--against", str(held))
    assert by_an_outsider.returncode == 1
    assert by_an_outsider.stdout.startswith(f"fault: {FORKED}")

    by_the_peer = coffer(laboratory, "ledger", "verify", str(evidence))
    assert by_the_peer.returncode == 1
    assert by_the_peer.stdout.startswith(f"fault: {FORKED}")
    assert "that this node holds of hospital" in by_the_peer.stdout
    at_home = coffer(hospital, "ledger", "verify", "--against", str(held))
    assert at_home.returncode == 1 and "entr" in at_home.stderr


def test_a_rewritten_ledger_that_is_shown_again_is_kept_as_a_fork(
    paired: list[Node], forged: str, tmp_path: Path
) -> None:
    hospital, laboratory = paired
    before = told(laboratory, "ledger", "checkpoint", "--of", "hospital")

    ran(paired)

    words = ("ledger", "checkpoint", "--of", "hospital")
    eventually(lambda: (told(laboratory, *words) or before)["forks"])
    folder = tmp_path / "forks"
    files = told(laboratory, *words, "--forks", str(folder))["files"]
    assert Path(files[0]).read_text("utf-8") == before["note"]
    evidence = tmp_path / "forged.tar"
    assert told(hospital, "ledger", "export", "--entries", "0-3", str(evidence), "--alone")
    for half, status in (("held", 1), ("shown", 0)):
        against = str(folder / f"fork-1-{half}.txt")
        assert run_alone(evidence, "--against", against).returncode == status, half
