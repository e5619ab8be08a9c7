"""What an operator's machine keeps of the nodes that it knows."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.identity.keys import FileKey
from appliance.remote.enrolment import parse_addresses
from appliance.remote.errors import FolderUnfit, RemoteExists, RemoteMistyped, RemoteNotFound
from appliance.remote.folder import Remote, RemoteFolder


@pytest.fixture
def node(tmp_path: Path) -> FileKey:
    return FileKey.open_or_make(tmp_path / "node", now=lambda: datetime.now(UTC))


@pytest.fixture
def folder(tmp_path: Path) -> RemoteFolder:
    return RemoteFolder(tmp_path / "config/coffer")


def remote(node: FileKey, name: str = "lab") -> Remote:
    return Remote(name=name, address="192.0.2.7:7445", certificate_der=node.certificate_der)


def test_a_pin_is_kept_for_its_owner_alone_and_found_again(
    folder: RemoteFolder, node: FileKey, tmp_path: Path
) -> None:
    folder.put(remote(node))

    assert folder.find("lab") == remote(node)
    assert folder.find("lab").node_id == node.node_id
    assert [one.name for one in folder.all()] == ["lab"]
    kept = tmp_path / "config/coffer/remotes"
    assert [path.name for path in kept.iterdir()] == ["lab.json"]
    assert (kept / "lab.json").stat().st_mode & 0o777 == 0o600
    assert kept.stat().st_mode & 0o777 == 0o700


def test_the_key_is_made_on_first_use_and_stays(folder: RemoteFolder, tmp_path: Path) -> None:
    first = folder.key()

    assert folder.key().node_id == first.node_id
    key = tmp_path / "config/coffer/identity/identity.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    with pytest.raises(FolderUnfit, match="identity"):
        folder.key()


def test_a_name_that_is_taken_is_not_given_again(folder: RemoteFolder, node: FileKey) -> None:
    folder.require_free("lab")
    folder.put(remote(node))
    with pytest.raises(RemoteExists):
        folder.require_free("lab")

    folder.remove("lab")

    folder.require_free("lab")
    with pytest.raises(RemoteNotFound):
        folder.find("lab")


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".x", "a b", "x" * 65, "a\0"])
def test_a_name_that_could_lead_elsewhere_is_refused(folder: RemoteFolder, name: str) -> None:
    for ask in (folder.find, folder.require_free, folder.remove):
        with pytest.raises(RemoteMistyped):
            ask(name)


def test_a_pin_that_was_changed_is_believed_only_if_it_fits_together(
    folder: RemoteFolder, node: FileKey, tmp_path: Path
) -> None:
    folder.put(remote(node))
    path = tmp_path / "config/coffer/remotes/lab.json"
    kept = json.loads(path.read_text())

    for change in (
        {"certificate": kept["certificate"][:-8]},
        {"certificate": "AAAA"},
        {"certificate": "€"},
        {"address": "nowhere"},
        {"more": 1},
    ):
        path.write_text(json.dumps(kept | change))
        with pytest.raises(FolderUnfit):
            folder.find("lab")
    path.write_text("{")
    with pytest.raises(FolderUnfit):
        folder.find("lab")


@pytest.mark.parametrize(
    ("typed", "enrolment", "at", "enrolment_at"),
    [
        ("lab.example", "", "lab.example:7445", "lab.example:7446"),
        ("192.0.2.7", "", "192.0.2.7:7445", "192.0.2.7:7446"),
        ("127.0.0.1:17445", "", "127.0.0.1:17445", "127.0.0.1:17446"),
        ("[2001:db8::1]", "", "[2001:db8::1]:7445", "[2001:db8::1]:7446"),
        ("[2001:db8::1]:9", "", "[2001:db8::1]:9", "[2001:db8::1]:10"),
        ("lab:9", "gate.example:12", "lab:9", "gate.example:12"),
    ],
)
def test_ports_are_the_usual_ones_where_none_is_named(
    typed: str, enrolment: str, at: str, enrolment_at: str
) -> None:
    assert parse_addresses(typed, enrolment) == (at, enrolment_at)


@pytest.mark.parametrize(
    ("typed", "enrolment"), [("", ""), ("a b", ""), ("lab:65535", ""), ("lab", "x"), ("a/b", "")]
)
def test_what_is_no_address_is_refused(typed: str, enrolment: str) -> None:
    with pytest.raises(RemoteMistyped):
        parse_addresses(typed, enrolment)
