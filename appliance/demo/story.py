"""The demonstration, step by step: two nodes that never met compute together."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from appliance.api import agent_pb2 as pb
from appliance.api.ways import Refused
from appliance.cli import job_views, views
from appliance.cli.parameters import find_defaults
from appliance.cli.terminal import clean, table
from appliance.demo.nodes import DemoFailed, Node, wait_until
from appliance.demo.tables import KEY, NORMAL_FORM, Tables
from appliance.demo.watching import watch_everywhere

SERVICE: Final = "psi.intersect"
REFUSED: Final = "psi.cardinality"
_HEAD_ROWS: Final = 4
_HEAD_COLUMNS: Final = 5


@dataclass(slots=True)
class Teller:
    """Prints the demonstration: numbered steps, what would be typed, and what it shows."""

    console: Console
    _step: int = 0
    _began: float = field(default_factory=time.monotonic)

    def step(self, title: str) -> None:
        """Begin a step."""
        self._step += 1
        self.console.print(Text(f"\n{self._step}. {title}", style="bold"), soft_wrap=True)

    def typed(self, node: Node, command: str) -> None:
        """Show the command that does by hand what is done next."""
        self.console.print(Text(f"{node.name}$ coffer {command}", style="cyan"), soft_wrap=True)

    def show(self, shown: RenderableType) -> None:
        """Show what a step gave."""
        self.console.print(Padding(shown, (0, 0, 0, 2)))

    def say(self, text: str) -> None:
        """Explain something."""
        self.show(clean(text))

    @property
    def seconds(self) -> float:
        """How long the demonstration has run."""
        return time.monotonic() - self._began


def tell(teller: Teller, nodes: Sequence[Node], tables: Tables) -> pb.Job:
    """Run the whole demonstration on two nodes that run already; return its job."""
    hospital, laboratory = nodes
    teller.step("Two nodes run, each with its own identity key, database and ports")
    for node in nodes:
        teller.typed(node, "node show")
        teller.show(views.node(node.client.show_node()))
    pair(teller, hospital, laboratory)
    register(teller, hospital, laboratory, tables)
    allow(teller, hospital, laboratory)
    show_refusal(teller, hospital, laboratory)
    job = propose(teller, hospital, laboratory)
    approve(teller, laboratory, hospital, job)

    teller.step("Both compute; each sees the other's progress")
    ended = watch_everywhere(nodes, job.id, teller.console)
    require_success(nodes, ended)
    show_outcomes(teller, nodes, ended, tables)
    show_evidence(teller, hospital, laboratory, job)
    return job


def pair(teller: Teller, hospital: Node, laboratory: Node) -> None:
    """Pair the nodes by an invitation, with both operators' confirmations."""
    nodes = (hospital, laboratory)
    teller.step(
        "The hospital invites the laboratory; the invitation is good once, for a short time"
    )
    teller.typed(hospital, "peers invite")
    invitation = hospital.client.invite()
    teller.show(views.invitation(invitation))
    teller.show(views.qr_code(invitation.text))

    teller.step("The laboratory enters it; both sides then show the same six words")
    teller.typed(laboratory, "peers accept")
    at_laboratory = laboratory.client.accept(invitation.text)
    at_hospital = wait_until(
        "the hospital knows of the laboratory",
        lambda: next((peer for peer in hospital.client.list_peers()), None),
        nodes,
    )
    teller.say(f"the laboratory sees: {at_laboratory.authentication_string}")
    teller.say(f"the hospital sees:   {at_hospital.authentication_string}")
    if at_laboratory.authentication_string != at_hospital.authentication_string:
        raise DemoFailed(
            "the two authentication strings differ",
            remedy="somebody may be in the middle: look who else uses this machine",
        )
    for node, peer in ((hospital, at_hospital), (laboratory, at_laboratory)):
        teller.typed(node, f"peers confirm {peer.name}")
        node.client.confirm(peer.node_id)
    for node in nodes:
        wait_until(f"{node.name} is paired", partial(_is_paired, node), nodes)
    teller.say("The nodes are paired: each holds the other's key and talks to nobody else.")


def _is_paired(node: Node) -> bool:
    peers = node.client.list_peers()
    return bool(peers) and all(peer.state == "paired" for peer in peers)


def register(teller: Teller, hospital: Node, laboratory: Node, tables: Tables) -> None:
    """Register both tables and publish them to the peer."""
    teller.step("Each registers its table; no row of it ever leaves its node")
    form = ",".join(NORMAL_FORM)
    for node, name, path in (
        (hospital, "patients", tables.hospital),
        (laboratory, "samples", tables.laboratory),
    ):
        teller.typed(node, f"datasets add {name} {path} --key {KEY} --normal-form {form}")
        added = node.client.add_dataset(name, path=str(path), key=[KEY], normal_form=NORMAL_FORM)
        teller.show(views.dataset(added))
    teller.step("Each publishes name, schema and row count to the other")
    for node, peer, name in ((hospital, laboratory, "patients"), (laboratory, hospital, "samples")):
        teller.typed(node, f"datasets publish {name} {peer.name}")
        node.client.publish_dataset(name, [peer.name])
    for node in (hospital, laboratory):
        wait_until(
            f"{node.name} knows what its peer published",
            partial(_knows_a_publication, node),
            (hospital, laboratory),
        )
    teller.typed(hospital, "datasets list")
    teller.show(views.datasets(hospital.client.list_datasets(peers=True)))


def _knows_a_publication(node: Node) -> bool:
    return any(one.peer_id for one in node.client.list_datasets(peers=True))


def allow(teller: Teller, hospital: Node, laboratory: Node) -> None:
    """Let each data owner say what the other may do with the table."""
    teller.step("Each data owner writes a policy; what it does not say is refused")
    for node, peer, name, services in (
        (hospital, laboratory, "patients", (SERVICE, REFUSED)),
        (laboratory, hospital, "samples", (SERVICE,)),
    ):
        teller.typed(node, f"policies set {name} policy.toml")
        text = policy_text(peer.name, services)
        teller.show(clean(text.rstrip()))
        changed = node.client.change_policy(name, text, over=0)
        teller.say(f"version {changed.version} of the policy of {name}")


def policy_text(peer: str, services: Sequence[str]) -> str:
    """Return a policy that lets one peer match keys, by some services, ten times within a week."""
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
    return (
        'type = "coffer.policy/1"\n'
        f"peers = {json.dumps([peer])}\n"
        f"services = {json.dumps([*services])}\n"
        f"valid_until = {until.isoformat()}\n"
        "uses = 10\n"
        "approvals = 1\n"
        "smallest_group = 1             # the result is of single rows\n"
        "smallest_intersection = 0      # and tells which keys match, however few\n"
        "largest_result = 1000\n"
        "\n[security]\n"
        'adversary = "semi-honest"\n'
        "\n[columns]\n"
        f'{KEY} = "join-key"\n'
    )


def show_refusal(teller: Teller, hospital: Node, laboratory: Node) -> None:
    """Let the hospital propose what the laboratory's policy does not allow."""
    teller.step("The hospital asks for more than the laboratory allows: nobody there needs to act")
    teller.typed(
        hospital, f"jobs submit {REFUSED} --ours patients --theirs {laboratory.name}/samples"
    )
    job = hospital.client.submit_job(
        REFUSED,
        parties=[
            pb.SubmitParty(dataset="patients", receives=["cardinality"]),
            pb.SubmitParty(node=laboratory.name, dataset="samples"),
        ],
    )
    ended = wait_until(
        "the laboratory has refused the job", partial(_ended, hospital, job.id), (hospital,)
    )
    if ended.state != "rejected":
        raise DemoFailed(
            f"the job {ended.state} that a policy refuses", remedy="report this as a bug"
        )
    for node in (hospital, laboratory):
        found = node.client.get_job(job.id)
        teller.typed(node, f"jobs show {job.id}")
        teller.say(found.cause)


def _ended(node: Node, job_id: str) -> pb.Job | None:
    found = node.client.get_job(job_id)
    return found if found.ended else None


def propose(teller: Teller, hospital: Node, laboratory: Node) -> pb.Job:
    """Let the hospital propose the intersection."""
    teller.step("The hospital proposes to find out which patients both know; both are to learn it")
    teller.typed(
        hospital,
        f"jobs submit {SERVICE} --ours patients --theirs {laboratory.name}/samples "
        f"--to {hospital.name},{laboratory.name} --set protocol=rr22",
    )
    services = {one.name: one for one in hospital.client.list_services()}
    outputs = list(services[SERVICE].outputs)
    job = hospital.client.submit_job(
        SERVICE,
        parties=[
            pb.SubmitParty(dataset="patients", receives=outputs),
            pb.SubmitParty(node=laboratory.name, dataset="samples", receives=outputs),
        ],
        parameters='{"protocol": "rr22"}',
    )
    teller.say(f"job {job.id}, contract {job.digest[:16]}…, signed by the hospital")
    return job


def approve(teller: Teller, laboratory: Node, hospital: Node, job: pb.Job) -> None:
    """Let the laboratory's data owner read the contract and the disclosure, and sign."""
    teller.step("The laboratory's data owner reads what each side will learn, and approves")
    waiting = wait_until(
        "the proposal has reached the laboratory",
        lambda: next(
            (one for one in laboratory.client.list_jobs(waiting=True).jobs if one.id == job.id),
            None,
        ),
        (laboratory, hospital),
    )
    teller.typed(laboratory, f"jobs approve {job.id}")
    read = laboratory.client.get_job(waiting.id)
    teller.show(job_views.job(read, find_defaults(laboratory.client, read.service)))
    laboratory.client.approve_job(read.id, read.digest)


def require_success(nodes: Sequence[Node], ended: Sequence[pb.Job]) -> None:
    """Raise DemoFailed with cause and remedy if the job did not succeed everywhere."""
    for node, job in zip(nodes, ended, strict=True):
        if job.state != "succeeded":
            node.require_alive()
            raise DemoFailed(
                f"at {node.name} the job {job.state}: {job.cause or 'no cause was given'}",
                remedy=job.remedy or f"see the log {node.log}",
            )


def show_outcomes(
    teller: Teller, nodes: Sequence[Node], ended: Sequence[pb.Job], tables: Tables
) -> None:
    """Show what each side got, and check it against the plain computation."""
    teller.step("Each side has its result: its own rows of the patients that both know")
    for node, job in zip(nodes, ended, strict=True):
        teller.typed(node, f"jobs result {job.id}")
        teller.show(job_views.outcome(job))
        for path in node.client.get_result(job.id).files.values():
            teller.say(path)
            _show_head(teller, Path(path))
            require_intersection(node.name, Path(path), tables)
    records = {job.record for job in ended}
    if len(records) != 1 or not ended[0].record:
        raise DemoFailed("the two nodes' records differ", remedy="report this as a bug")
    teller.say(f"both nodes keep the same record of it: {ended[0].record}")
    teller.say(
        f"checked: the {len(tables.common)} rows on each side are exactly those that "
        "the plain computation over both tables gives"
    )


def require_intersection(name: str, path: Path, tables: Tables) -> None:
    """Raise DemoFailed unless the result has just the common patients' rows."""
    keys = [str(key).strip().lower() for key in pq.read_table(path)[KEY].to_pylist()]
    if len(keys) != len(set(keys)) or set(keys) != tables.common:
        raise DemoFailed(
            f"the result at {name} has {len(keys)} rows, and they are not the "
            f"{len(tables.common)} that the plain computation gives",
            remedy="report this as a bug",
        )


def show_evidence(teller: Teller, hospital: Node, laboratory: Node, job: pb.Job) -> None:
    """Write evidence of the job, and verify it as an outsider would, by the program it brings."""
    teller.step("Either can prove to an outsider what was agreed and done, and neither rewrite it")
    teller.typed(hospital, f"ledger list --job {job.id}")
    entries = hospital.client.list_entries(job_id=job.id).entries
    teller.show(views.ledger_entries(entries[::-1]))
    tar = wait_until(
        "the laboratory has countersigned the hospital's ledger",
        partial(_evidence, hospital, job.id),
        (hospital, laboratory),
    )
    folder = hospital.state / "evidence"
    folder.mkdir()
    evidence = folder / "evidence.tar"
    evidence.write_bytes(tar)
    teller.typed(hospital, f"ledger export {job.id} {evidence}")
    verifier = folder / "verify_evidence.py"
    with tarfile.open(evidence) as opened:
        brought = opened.extractfile(verifier.name)
        verifier.write_bytes(brought.read() if brought else b"")
    peer = laboratory.client.show_node().node_id
    program = ["python3", str(verifier), str(evidence), "--peer", peer]
    teller.say(f"an auditor: {shlex.join(program[:3])} --peer {peer[:7]}…")
    ran = subprocess.run(program, capture_output=True, text=True, check=False)  # noqa: S603
    head = (ran.stdout + ran.stderr).splitlines()
    teller.show(clean("\n".join([*head[:3], "…"])))
    if ran.returncode:
        raise DemoFailed("the evidence does not verify", remedy="report this as a bug")


def _evidence(node: Node, job_id: str) -> bytes | None:
    with suppress(Refused):
        return b"".join(node.client.export_evidence(job_id))
    return None


def _show_head(teller: Teller, path: Path) -> None:
    head = pq.read_table(path).slice(0, _HEAD_ROWS)
    names = head.column_names[:_HEAD_COLUMNS]
    made = table(*names)
    for row in head.select(names).to_pylist():
        made.add_row(*(clean(str(row[name])) for name in names))
    teller.show(made)


def say_what_is_left(teller: Teller, kept: Path | None) -> None:
    """End the demonstration where nothing runs on; ``kept`` is the folder that stays, if any."""
    teller.step(f"Done in {teller.seconds:.1f} s")
    left = f"what they made is in {kept}" if kept else "what they made is deleted"
    teller.say(f"The nodes stop now, and {left}.")
    teller.say('"make demo" alone leaves both nodes running, to be tried by hand.')


def say_what_next(teller: Teller, nodes: Sequence[Node], job: pb.Job) -> None:
    """Tell what can be tried on the two nodes while they run."""
    hospital, laboratory = nodes
    coffer = _coffer_command()
    teller.step(f"Done in {teller.seconds:.1f} s. What to try next, while the nodes run")
    for node, words in (
        (hospital, f"jobs show {job.id}"),
        (laboratory, "jobs list --json"),
        (laboratory, "peers show hospital"),
        (hospital, f"jobs submit {SERVICE} --ours patients --theirs laboratory/samples --watch"),
        (laboratory, "jobs list --waiting"),
        (laboratory, "jobs approve JOB"),
    ):
        line = f"{coffer} --state {shlex.quote(str(node.state))} {words}"
        teller.console.print(Text(f"    {line}"), soft_wrap=True)


def _coffer_command() -> str:
    """Return how this user can type ``coffer``."""
    installed = Path(sys.executable).parent / "coffer"
    if shutil.which("coffer"):
        return "coffer"
    if installed.exists():
        return shlex.quote(os.path.relpath(installed))
    return f"{shlex.quote(sys.executable)} -m appliance.cli"
