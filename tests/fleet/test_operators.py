"""Nodes administered from afar: real agents, real TLS, and the command line as operators use it."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from appliance.api import agent_pb2 as pb
from appliance.api.ways import Refused, Unreachable
from appliance.identity.certificates import LeafKeeper
from appliance.identity.keys import FileKey
from appliance.operators.code import SetUpCode
from appliance.peering.tls import MOST_CONNECTIONS
from appliance.remote.errors import EnrolmentFailed
from tests.fleet.afar import Box, Person, boxes, first_answer
from tests.fleet.nodes import eventually, pair, write_ids

POLICY = """
type = "coffer.policy/1"
peers = ["{peer}"]
services = ["psi.intersect"]
valid_until = 2099-01-01T00:00:00Z
uses = 1
smallest_group = 1
smallest_intersection = 0
largest_result = 1000
[security]
adversary = "semi-honest"
[columns]
id = "join-key"
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box that tests leave as it was, but for its operators."""
    with boxes(tmp_path_factory.mktemp("box"), "box") as (made,):
        yield made


def leaf_of(key: FileKey) -> LeafKeeper:
    return LeafKeeper(key, now=lambda: datetime.now(UTC))


def key_of(box: Box) -> FileKey:
    return FileKey.open_or_make(box.state, now=lambda: datetime.now(UTC), may_make=False)


def files_below(folder: Path) -> dict[str, int]:
    """Return the modes of all private files and their folders."""
    return {
        str(path.relative_to(folder)): path.stat().st_mode & 0o777
        for path in folder.rglob("*")
        if path.name != "identity.crt"
    }


def test_whoever_has_the_code_becomes_an_operator_and_every_command_works(
    tmp_path: Path, box: Box
) -> None:
    alice = Person(tmp_path / "alice")
    code = box.code()

    added = alice.told("remote", "add", "lab", box.at, "--as", "Alice", typed=f"{code}\n")

    assert added["node_id"] == key_of(box).node_id.text
    assert added["operator_count"] >= 1
    listed = alice.told("--at", "lab", "operators", "list")["operators"]
    assert [one["name"] for one in listed if one["id"] == alice.key.node_id.text] == ["Alice"]
    assert all(one["last_seen_milliseconds"] for one in listed if one["name"] == "Alice")
    assert alice.told("node", "show", COFFER_AT="lab")["name"] == "box"
    assert alice.told("remote", "list")["remotes"][0]["address"] == box.at
    modes = files_below(tmp_path / "alice/.config/coffer")
    assert modes["identity/identity.key"] == modes["remotes/lab.json"] == 0o600
    assert modes["identity"] == modes["remotes"] == 0o700
    said = box.log.read_text()
    assert "Alice" in said
    assert code not in said and code.rsplit(" ", 1)[0] not in said


def test_the_command_line_says_what_is_wrong(tmp_path: Path, box: Box) -> None:
    alice = Person(tmp_path / "alice")
    code = box.code()
    mistyped = f"{code.rsplit(' ', 1)[0]} {'zoo' if code.split()[-1] != 'zoo' else 'zero'}\n"
    for words, typed, told in (
        (("--at", "lab", "node", "show"), "", "no node is known as lab"),
        (("--at", "lab", "--state", str(box.state), "node", "show"), "", "--at names a node"),
        (("--at", "lab", "up"), "", "started on its own machine"),
        (("remote", "add", "../lab", box.at), f"{code}\n", "cannot be a node's name"),
        (("remote", "add", "lab", "a b"), f"{code}\n", "is not an address"),
        (("remote", "add", "lab", box.at), mistyped, "do not belong together"),
        (("remote", "add", "lab", box.at), "", "no code was entered"),
        (("remote", "add", "lab", f"127.0.0.1:{box.port}"), f"{code}\n", "nothing listens at"),
    ):
        ran = alice.run(*words, typed=typed)
        assert ran.returncode in (1, 2) and told in ran.stderr, (words, ran.stderr)
        assert "hint: " in ran.stderr

    found = box.operators.ShowSetUpCode(pb.ShowSetUpCodeRequest())
    assert (found.words, found.wrong_codes) == (code, 0)


def test_three_wrong_codes_end_the_right_one(tmp_path: Path, box: Box) -> None:
    mallory, alice = Person(tmp_path / "mallory"), Person(tmp_path / "alice")
    code = box.code()

    for _ in range(3):
        with pytest.raises(EnrolmentFailed, match="code is wrong"):
            mallory.enrol(box, SetUpCode.make().words)

    with pytest.raises(EnrolmentFailed, match="is dead"):
        alice.enrol(box, code)
    known = {one.id for one in box.operators.ListOperators(pb.ListOperatorsRequest()).operators}
    assert known.isdisjoint({mallory.key.node_id.text, alice.key.node_id.text})
    alice.enrol(box)


def test_the_port_takes_an_operators_key_over_tls_1_3_and_no_other(tmp_path: Path) -> None:
    with boxes(tmp_path, "box", "peer") as (box, peer):
        pair(box, peer)
        alice, stranger = Person(tmp_path / "alice"), Person(tmp_path / "stranger")
        operators, peers = box.operators_port, box.port
        ours = leaf_of(alice.key).current()
        assert first_answer(ours, operators) == b""
        alice.enrol(box)

        assert first_answer(ours, operators)
        assert first_answer(None, operators) == b""
        assert first_answer(leaf_of(stranger.key).current(), operators) == b""
        with pytest.raises(ssl.SSLError):
            first_answer(ours, operators, ssl.TLSVersion.TLSv1_2)
        theirs = leaf_of(key_of(peer)).current()
        assert first_answer(theirs, peers)
        assert first_answer(theirs, operators) == b""
        assert first_answer(ours, peers) == b""


def test_a_removed_operator_is_cut_off_at_once_and_others_are_not(tmp_path: Path, box: Box) -> None:
    alice, bob = Person(tmp_path / "alice"), Person(tmp_path / "bob")
    for person in (alice, bob):
        person.enrol(box)
    with alice.client(box) as hers, bob.client(box) as his:
        his.show_node()
        open_call = his._channel.stream_unary(
            "/coffer.agent.v1.Datasets/UploadTable",
            request_serializer=pb.UploadTableRequest.SerializeToString,
            response_deserializer=pb.UploadTableReply.FromString,
        )

        def slowly() -> Iterator[pb.UploadTableRequest]:
            yield pb.UploadTableRequest(name="t", suffix=".csv", size_bytes=1000)
            while True:
                yield pb.UploadTableRequest(chunk=b"x")
                time.sleep(0.2)

        upload = open_call.future(slowly())
        eventually(lambda: list((box.state / "tables").glob(".*")))

        began = time.monotonic()
        hers.remove_operator(bob.key.node_id.text)

        assert upload.exception(timeout=5) is not None
        assert time.monotonic() - began < 5
        with pytest.raises((Refused, Unreachable), match="operator"):
            his.show_node()
        assert hers.show_node().name == "box"
    with bob.client(box) as again, pytest.raises(Unreachable, match="no longer, know you"):
        again.show_node()
    eventually(lambda: not list((box.state / "tables").iterdir()))


def test_who_removes_himself_hears_that_it_is_done(tmp_path: Path, box: Box) -> None:
    alice = Person(tmp_path / "alice")
    alice.enrol(box)

    with alice.client(box) as client:
        gone = client.remove_operator(alice.key.node_id.short)
        assert gone.id == alice.key.node_id.text

        with pytest.raises((Refused, Unreachable)):
            client.show_node()
    called = f"operator {alice.key.node_id} calls /coffer.agent.v1.Operators/RemoveOperator"
    assert called in box.log.read_text()


def test_another_node_at_the_address_is_refused(tmp_path: Path) -> None:
    with boxes(tmp_path, "box", "other") as (box, other):
        alice = Person(tmp_path / "alice")
        alice.enrol(box)
        alice.enrol(other)
        box.stop()
        other.stop()
        other.operators_port = box.operators_port
        other.start()

        with alice.client(box) as client, pytest.raises(Unreachable, match="not box") as caught:
            client.show_node()

        assert key_of(other).node_id.short in caught.value.what
        assert "in the middle" in caught.value.remedy


def test_operators_survive_a_restart_and_codes_do_not(tmp_path: Path, box: Box) -> None:
    alice, bob = Person(tmp_path / "alice"), Person(tmp_path / "bob")
    alice.enrol(box)
    code = box.code()

    box.kill()
    box.start()

    with alice.client(box) as client:
        assert client.show_node().name == "box"
    with pytest.raises(EnrolmentFailed, match="nothing listens"):
        bob.enrol(box, code)


def test_what_an_operator_sends_is_bounded_and_named_by_the_node(tmp_path: Path) -> None:
    box = Box(tmp_path, "box")
    box.state.mkdir()
    (box.state / "coffer.toml").write_text(f"most_upload_bytes = {1 << 20}\n")
    alice = Person(tmp_path / "alice")
    table = write_ids(tmp_path / "table.csv", range(20))
    large = tmp_path / "large.csv"
    large.write_bytes(b"x" * ((1 << 20) + 1))
    try:
        box.start()
        alice.enrol(box)
        with alice.client(box) as client:
            for name, file, told in (
                ("large", large, "takes 1 to 1,048,576"),
                ("../evil", table, "name"),
                ("a/b", table, "name"),
                ("keys", alice.home / ".config/coffer/identity/identity.key", "CSV or Parquet"),
            ):
                with pytest.raises(Refused, match=told):
                    client.upload_table(name, file)
            place = Path(client.upload_table("patients", table))
            assert place.parent == box.state / "tables"
            client.add_dataset("patients", path=str(place), key=["id"])
            with pytest.raises(Refused, match="belongs to the node itself"):
                client.add_dataset("db", path=str(box.state / "identity.csv"), key=["id"])

            box.stop()
            box.start()
            assert place.exists()
            newer = Path(client.upload_table("patients", table))
            client.add_dataset("patients", path=str(newer), key=["id"], replace=True)
            assert newer.exists() and not place.exists()
            client.remove_dataset("patients")

        assert list((box.state / "tables").iterdir()) == []
        assert not (tmp_path / "evil.csv").exists()
    finally:
        box.close()


def test_the_console_sees_its_screen_and_nothing_else(tmp_path: Path) -> None:
    import getpass

    box = Box(tmp_path, "box")
    alice = Person(tmp_path / "alice")
    try:
        # The tests' own user stands for the console's.
        box.start("--console-user", getpass.getuser())
        assert box.peers.ListPeers(pb.ListPeersRequest()) is not None
        code = box.operators.ShowSetUpCode(pb.ShowSetUpCodeRequest()).words
        alice.enrol(box, code)

        for words, told in (
            (("operators", "code"), "has an operator already"),
            (("operators", "list"), "may not call"),
            (("operators", "remove", "alice", "--yes"), "may not call"),
            (("peers", "invite"), "may not call"),
            (("datasets", "list"), "may not call"),
        ):
            ran = alice.run("--state", str(box.state), *words)
            assert ran.returncode == 1 and told in ran.stderr, ran.stderr
    finally:
        box.close()


def test_two_nodes_administered_from_afar_pair_and_run_an_intersection(tmp_path: Path) -> None:
    with boxes(tmp_path, "hospital", "laboratory") as (hospital, laboratory):
        alice, bob = Person(tmp_path / "alice"), Person(tmp_path / "bob")
        alice.enrol(hospital)
        bob.enrol(laboratory)
        here = ("--at", "hospital")
        there = ("--at", "laboratory")
        text = alice.told(*here, "peers", "invite")["text"]
        bob.told(*there, "peers", "accept", typed=f"{text}\n")
        alice.told(*here, "peers", "confirm", "laboratory", "--yes")
        bob.told(*there, "peers", "confirm", "hospital", "--yes")
        eventually(lambda: alice.told(*here, "peers", "show", "laboratory")["state"] == "paired")
        patients = write_ids(tmp_path / "h.csv", range(300))
        samples = write_ids(tmp_path / "l.csv", range(100, 400))
        alice.told(*here, "datasets", "add", "patients", str(patients), "--key", "id")
        bob.told(*there, "datasets", "add", "samples", str(samples), "--key", "id")
        patients.unlink()
        samples.unlink()
        bob.told(*there, "datasets", "publish", "samples", "hospital")
        alice.told(*here, "datasets", "publish", "patients", "laboratory")
        eventually(
            lambda: any(
                one["peer_name"] for one in alice.told(*here, "datasets", "list")["datasets"]
            )
        )

        policy = tmp_path / "policy.toml"
        for person, at, name, peer in (
            (alice, here, "patients", "laboratory"),
            (bob, there, "samples", "hospital"),
        ):
            policy.write_text(POLICY.format(peer=peer))
            assert person.told(*at, "policies", "set", name, str(policy), "--yes")["version"] == 1
        ours = ("--ours", "patients", "--theirs", "laboratory/samples")
        job = alice.told(*here, "jobs", "submit", "psi.intersect", *ours)["id"]
        eventually(lambda: bob.told(*there, "jobs", "list", "--waiting")["jobs"])
        bob.told(*there, "jobs", "approve", job, "--yes")
        watched = alice.run(*here, "jobs", "watch", job)
        alice.told(*here, "jobs", "result", job, "--copy-to", str(tmp_path / "result.parquet"))

        assert watched.returncode == 0, watched.stderr
        found = set(map(str, pq.read_table(tmp_path / "result.parquet").column("id").to_pylist()))
        assert found == {f"item-{i:08d}" for i in range(100, 300)}
        assert not list(tmp_path.glob(".coffer-*"))
        with pytest.raises(Refused, match="no output"), alice.client(hospital) as client:
            b"".join(client.read_result(job, "../../identity/identity.key"))


def test_an_invitation_can_name_another_address_than_the_node_finds(tmp_path: Path) -> None:
    hospital, laboratory = Box(tmp_path, "hospital"), Box(tmp_path, "laboratory")
    alice, bob = Person(tmp_path / "alice"), Person(tmp_path / "bob")
    try:
        hospital.start("--advertise", f"nowhere.invalid:{hospital.port}")
        laboratory.start()
        alice.enrol(hospital)
        bob.enrol(laboratory)
        invite = ("--at", "hospital", "peers", "invite")

        lost = alice.told(*invite)
        named = alice.told(*invite, "--address", "127.0.0.1")
        away = bob.run("--at", "laboratory", "peers", "accept", typed=lost["text"] + "\n")
        met = bob.told("--at", "laboratory", "peers", "accept", typed=named["text"] + "\n")

        assert lost["address"] == f"nowhere.invalid:{hospital.port + 1}"
        assert named["address"] == f"127.0.0.1:{hospital.port + 1}"
        assert "nowhere.invalid in the invitation cannot be resolved" in away.stderr
        assert (met["name"], met["state"]) == ("hospital", "confirming")
    finally:
        hospital.close()
        laboratory.close()


def test_silent_connections_do_not_keep_an_operator_out_for_long(tmp_path: Path, box: Box) -> None:
    alice = Person(tmp_path / "alice")
    alice.enrol(box)

    with ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            stack.enter_context(socket.create_connection(("127.0.0.1", box.operators_port)))

        def is_let_in() -> bool:
            with suppress(Unreachable), alice.client(box) as client:
                return bool(client.show_node().name)
            return False

        assert eventually(is_let_in, seconds=40)
