"""The identity key sealed by a credential of systemd's, with the key of a host in place of a TPM.

The image's own drop-in gives it to the agent. What the TPM does is tests/vm's to see.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.api import agent_pb2 as pb
from image.places import DEFINITION
from tests.fleet.nodes import eventually
from tests.systemd.machine import STATE, BoxedNode, Machine, machine

DROP_IN = DEFINITION / "mkosi.extra/usr/lib/systemd/system/coffer.service.d/70-sealing.conf"
UNITS = "etc/systemd/system"
KEY = f"{STATE}/identity/identity.key"
HOST_KEY = "var/lib/systemd/credential.secret"
# There is no TPM: what is asked of one is asked of the host's key.
BY_HOST_KEY = """#!/bin/sh
for word; do
  shift
  case $word in --with-key=*) word=--with-key=host ;; --tpm2-*) continue ;; esac
  set -- "$@" "$word"
done
exec /usr/bin/systemd-creds.real "$@"
"""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoxedNode]:
    """A node that ran with a plain key and then got a machine that seals."""
    with machine(tmp_path_factory.mktemp("machine")) as made:
        box = BoxedNode(made, tmp_path_factory.mktemp("box")).start()
        before = node(box)
        assert not before.is_key_sealed
        made.run("systemctl", "stop", "coffer")
        seal(made)
        box.start()
        assert node(box).node_id == before.node_id
        yield box


def node(box: BoxedNode) -> pb.NodeView:
    view: pb.NodeView = box.node.ShowNode(pb.ShowNodeRequest())
    return view


def seal(made: Machine) -> None:
    """Install the image's drop-in, and the stand-in for the TPM."""
    made.run("mount", "--make-rshared", "/")  # as on a machine; credentials are mounts
    for unit, text in (
        ("coffer.service", DROP_IN.read_text()),
        ("coffer-machine-seal.service", "[Unit]\nConditionPathExists=\n"),
    ):
        folder = made.files / UNITS / f"{unit}.d"
        folder.mkdir(exist_ok=True)
        (folder / "70-sealing.conf").write_text(text)
    made.run("systemd-creds", "setup")
    made.run("mv", "/usr/bin/systemd-creds", "/usr/bin/systemd-creds.real")
    program = made.files / "usr/bin/systemd-creds"
    program.write_text(BY_HOST_KEY)
    program.chmod(0o755)
    made.run("systemctl", "daemon-reload")


def test_a_plain_key_is_sealed_at_the_first_start_that_can(sealed: BoxedNode) -> None:
    assert node(sealed).is_key_sealed
    key = (sealed.machine.files / KEY).read_bytes()
    assert key.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert "from now on it is sealed" in sealed.machine.journal("--unit=coffer")


def test_it_is_given_out_at_each_start_of_the_agent(sealed: BoxedNode) -> None:
    before = node(sealed).node_id
    sealed.machine.send_signal("coffer.service", "KILL")
    eventually(lambda: sealed.machine.property("coffer.service", "NRestarts") == "1", seconds=20)
    sealed.start()

    assert node(sealed).node_id == before
    assert node(sealed).is_key_sealed


def test_a_worker_sees_no_credential_of_the_agents(sealed: BoxedNode) -> None:
    unit = eventually(sealed.machine.workers)[0]
    pid = sealed.machine.property(unit, "MainPID")

    agents = sealed.machine.property("coffer.service", "MainPID")
    of_agent = ("nsenter", f"--target={agents}", "--mount", "--", "find", "/run/credentials")
    assert "coffer.sealing-key" in sealed.machine.run(*of_agent)
    of_worker = ("nsenter", f"--target={pid}", "--mount", "--", "find", "/run/credentials")
    assert "coffer.sealing-key" not in sealed.machine.run(*of_worker)


def test_where_the_key_was_lost_unit_and_agent_say_so_and_nothing_is_made_anew(
    sealed: BoxedNode,
) -> None:
    made = sealed.machine
    before = (made.files / KEY).read_bytes()
    made.run("systemctl", "stop", "coffer", "coffer-machine-seal")
    host_key = made.files / HOST_KEY
    kept = Path(f"{host_key}.kept")
    made.run("chattr", "-i", f"/{HOST_KEY}")
    host_key.rename(kept)
    made.run("systemd-creds", "setup")

    with pytest.raises(AssertionError):
        made.run("systemctl", "start", "coffer")
    made.run("systemctl", "stop", "coffer")

    made.run("journalctl", "--sync")
    assert made.property("coffer-machine-seal.service", "Result") == "exit-code"
    said = made.journal("--output=cat")
    assert "error: the TPM does not give out the key that seals the identity key" in said
    assert "is sealed, and the TPM did not give out the key to it" in said
    assert "type the recovery key and restart" in said
    assert (made.files / KEY).read_bytes() == before

    made.run("chattr", "-i", f"/{HOST_KEY}")
    kept.rename(host_key)
    made.run("systemctl", "reset-failed")
    sealed.start()
    assert node(sealed).is_key_sealed
