"""Updates from the API down to the record that root keeps: sent, resumed, fetched, refused."""

import asyncio
import hashlib
import io
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import add_UpdatesServicer_to_server
from appliance.api.client import Client
from appliance.cli.updates import view
from appliance.updates import errors
from appliance.updates.incoming import Announced
from appliance.updates.latest import Index, Server, read_index
from appliance.updates.record import Record
from appliance.updates.rpc import UpdatesRpc, to_proto
from appliance.updates.states import UpdateState
from appliance.updates.trust import KEYS
from appliance.updates.updates import LINKED, Updates
from image import bundle as writer
from services.errors import ServiceError
from tests.server_certificate import write_server
from tests.unit.update_doubles import (
    MADE,
    NEW,
    NEWEST,
    NOW,
    RUNNING,
    SCHEMAS,
    Disk,
    here,
    signer,
    trust,
    trusted,
    write_bundle,
)

PEER: Final = {"node_id": "n", "name": "bank", "address": "192.0.2.1:7443"}


class Root:
    """Does root's part in a thread of its own, over the files of a machine."""

    def __init__(self, disk: Disk, state: Path) -> None:
        self.disk, self.state = disk, state
        self.asked: list[str] = []
        self.stick: Path | None = None

    def install(self, *, from_stick: bool) -> None:
        self.asked.append("stick" if from_stick else "install")
        bundle = self.stick if from_stick else self.state / "updates/incoming.bundle"
        assert bundle is not None
        threading.Thread(target=self._install, args=[bundle.read_bytes()]).start()

    def _install(self, data: bytes) -> None:
        try:
            self.disk.installation().install(io.BytesIO(data))
        except ServiceError:
            return

    def cancel(self) -> None:
        self.asked.append("cancel")

    def start_other(self) -> None:
        self.asked.append("other")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    made = Disk(tmp_path / "machine").make()
    (made.root / KEYS).parent.mkdir(parents=True)
    (made.root / KEYS).write_bytes(trusted("update"))
    return made


@pytest.fixture
def updates(disk: Disk, state: Path) -> Updates:
    return Updates(
        state=state,
        helper=Root(disk, state),
        here=here,
        linked=lambda: [PEER],
        root=disk.root,
        poll_seconds=0.01,
        begin_seconds=5.0,
    )


async def chunks(data: bytes, size: int = 5000) -> AsyncIterator[bytes]:
    for place in range(0, len(data), size):
        yield data[place : place + size]


def announced(data: bytes) -> Announced:
    return Announced(size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def send(updates: Updates, data: bytes) -> int:
    return asyncio.run(updates.receive(announced(data), 0, chunks(data)))


async def install(updates: Updates, *, fetch: bool = False, from_stick: bool = False) -> list[str]:
    asked = updates.install(fetch=fetch, from_stick=from_stick)
    return [progress.stage async for progress in asked]


def test_a_bundle_that_was_sent_is_installed(
    updates: Updates, disk: Disk, tmp_path: Path, state: Path
) -> None:
    data = write_bundle(tmp_path).read_bytes()

    assert send(updates, data) == len(data)
    stages = asyncio.run(install(updates))

    assert stages[-1] == "ready"
    assert disk.listed() == [f"coffer_{RUNNING}.efi", f"coffer_{NEW}+3-0.efi"]
    assert json.loads((state / "updates" / LINKED).read_text()) == [PEER]
    assert not (state / "updates/incoming.bundle").exists()


def test_what_root_refuses_is_told_with_its_remedy(updates: Updates, tmp_path: Path) -> None:
    send(updates, write_bundle(tmp_path, names=("stranger",)).read_bytes())

    with pytest.raises(errors.InstallFailed, match="not signed by a key") as raised:
        asyncio.run(install(updates))
    assert "vendor" in raised.value.remedy


def test_an_upload_goes_on_where_it_ended(updates: Updates, tmp_path: Path) -> None:
    data = write_bundle(tmp_path).read_bytes()
    half = len(data) // 2

    asyncio.run(updates.receive(announced(data), 0, chunks(data[:half])))
    shown = updates.show()
    assert (shown.incoming, shown.incoming_bytes) == (announced(data), half)
    assert asyncio.run(updates.receive(announced(data), half, chunks(data[half:]))) == len(data)

    assert asyncio.run(install(updates))[-1] == "ready"


@pytest.mark.parametrize("sent_bytes", [0, 1000])
def test_a_bundle_on_a_stick_needs_none_that_was_sent(
    updates: Updates, tmp_path: Path, sent_bytes: int
) -> None:
    bundle = write_bundle(tmp_path)
    data = bundle.read_bytes()
    assert isinstance(updates.helper, Root)
    updates.helper.stick = bundle
    if sent_bytes:
        asyncio.run(updates.receive(announced(data), 0, chunks(data[:sent_bytes])))

    assert asyncio.run(install(updates, from_stick=True))[-1] == "ready"
    assert updates.helper.asked == ["stick"]


def test_half_a_bundle_is_not_installed(updates: Updates, tmp_path: Path) -> None:
    data = write_bundle(tmp_path).read_bytes()
    asyncio.run(updates.receive(announced(data), 0, chunks(data[:-1])))

    with pytest.raises(errors.InstallFailed, match="no whole bundle"):
        asyncio.run(install(updates))


@pytest.mark.parametrize("offset", [1, 10_000_000])
def test_an_upload_that_goes_on_elsewhere_is_refused(
    updates: Updates, tmp_path: Path, offset: int
) -> None:
    data = write_bundle(tmp_path).read_bytes()

    with pytest.raises(errors.SourceUnusable):
        asyncio.run(updates.receive(announced(data), offset, chunks(data)))


def test_more_than_was_announced_is_refused(updates: Updates) -> None:
    with pytest.raises(errors.SourceUnusable, match="more came"):
        asyncio.run(updates.receive(announced(b"little"), 0, chunks(b"little and more")))


@pytest.mark.parametrize("size", [0, 1 << 40])
def test_a_size_that_no_bundle_has_is_refused(updates: Updates, size: int) -> None:
    with pytest.raises(errors.InstallFailed):
        asyncio.run(updates.receive(Announced(size_bytes=size, sha256=""), 0, chunks(b"")))


def test_an_installation_that_never_begins_is_told(updates: Updates, tmp_path: Path) -> None:
    class Idle(Root):
        def install(self, *, from_stick: bool) -> None:
            return

    send(updates, write_bundle(tmp_path).read_bytes())
    updates.helper = Idle(Disk(tmp_path), tmp_path)
    updates.begin_seconds = 0.1

    with pytest.raises(errors.InstallFailed, match="did not begin"):
        asyncio.run(install(updates))


def test_root_is_asked_to_cancel_only_what_there_is(
    updates: Updates, disk: Disk, state: Path, tmp_path: Path
) -> None:
    root = Root(disk, state)
    updates.helper = root
    with pytest.raises(errors.NothingToCancel):
        asyncio.run(updates.cancel())
    asked = list(root.asked)

    send(updates, write_bundle(tmp_path).read_bytes())
    asyncio.run(install(updates))
    asyncio.run(updates.cancel())

    assert asked == []
    assert root.asked == ["install", "cancel"]


def test_the_other_slot_must_read_the_database(updates: Updates, disk: Disk) -> None:
    record = Record.model_validate(
        {
            "slots": [
                {"version": RUNNING, "is_running": True, "has_kernel": True},
                {"version": NEW, "is_running": False, "has_kernel": True},
            ],
            "reads": {NEW: ["0000"]},
        }
    )
    record.write(disk.root)

    with pytest.raises(errors.StateUnreadable):
        asyncio.run(updates.start_other())
    record.model_copy(update={"reads": {NEW: SCHEMAS}}).write(disk.root)
    asyncio.run(updates.start_other())


# Over the API.
def test_the_client_sends_only_what_is_missing(
    updates: Updates, tmp_path: Path, disk: Disk
) -> None:
    file = write_bundle(tmp_path)
    data = file.read_bytes()
    half, digest = len(data) // 2, hashlib.sha256(data).hexdigest()
    socket = tmp_path / "api.sock"

    async def served() -> tuple[int, int, str]:
        server = grpc.aio.server()
        add_UpdatesServicer_to_server(UpdatesRpc(updates), server)
        server.add_insecure_port(f"unix:{socket}")
        await server.start()
        await updates.receive(announced(data), 0, chunks(data[:half]))

        def asked() -> tuple[int, int, str]:
            counts: list[int] = []
            with Client(tmp_path) as client:
                count = client.upload_bundle(file, digest, counts.append)
                stages = [one.stage for one in client.install_update(fetch=False)]
                assert client.show_slots().update.version == NEW
            return count, counts[0], stages[-1]

        try:
            return await asyncio.to_thread(asked)
        finally:
            await server.stop(None)

    count, first, stage = asyncio.run(served())
    assert (count, stage) == (len(data), "ready")
    assert first > half


def test_people_are_shown_slots_and_reason(updates: Updates, disk: Disk) -> None:
    from rich.console import Console

    said = {
        "slots": [
            {"version": RUNNING, "is_running": True, "has_kernel": True},
            {"version": NEW, "is_running": False, "has_kernel": True, "tries_left": 0},
        ],
        "update": {
            "version": NEW,
            "replaced": RUNNING,
            "state": UpdateState.FELL_BACK.value,
            "reason": f"fell back from {NEW} to {RUNNING} because the agent does not answer",
            "remedy": "install a newer update",
        },
    }
    Record.model_validate(said).write(disk.root)
    out = io.StringIO()

    Console(file=out, width=120).print(view(to_proto(updates.show())))

    assert f"fell back from {NEW} to {RUNNING} because the agent does not answer" in out.getvalue()
    assert "did not start well" in out.getvalue()


# The vendor's server.
Answer = Callable[[BaseHTTPRequestHandler], bytes | None]


@contextmanager
def https(
    folder: Path, answer: Callable[[BaseHTTPRequestHandler], bytes | None]
) -> Iterator[Server]:
    """Serve over TLS with a certificate of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answer(self)
            if body is not None:
                self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            return

    both, pem = write_server(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"https://localhost:{server.server_address[1]}/releases"
        yield Server(url=url, authority=pem.decode())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def whole(handler: BaseHTTPRequestHandler, body: bytes) -> bytes:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    return body


def index_of(file: Path, version: str = NEW, created: int = MADE) -> bytes:
    return writer.write_index(file, version, created, [signer("update")])


def test_the_newest_bundle_is_fetched_and_installed(
    updates: Updates, disk: Disk, tmp_path: Path
) -> None:
    file = write_bundle(tmp_path)
    files = {"coffer_x86-64.index.json": index_of(file), file.name: file.read_bytes()}
    with https(tmp_path, lambda one: whole(one, files[one.path.rpartition("/")[2]])) as server:
        updates.set_source(server.url, server.authority)
        found = asyncio.run(updates.check())
        stages = asyncio.run(install(updates, fetch=True))

    assert found is not None
    assert found.version == NEW
    assert (stages[0], stages[-1]) == ("fetching", "ready")
    assert updates.show().source == server.url


def test_fetching_goes_on_where_it_ended(tmp_path: Path) -> None:
    file = write_bundle(tmp_path)
    data, target = file.read_bytes(), tmp_path / "target"
    index, half = read_index(index_of(file), trust(), here(), seen=0), len(data) // 2
    target.write_bytes(data[:half])
    asked: list[str] = []

    def rest(handler: BaseHTTPRequestHandler) -> bytes:
        asked.append(handler.headers["Range"])
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {half}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        return data[half:]

    with https(tmp_path, rest) as server:
        server.fetch(index, target, lambda count: None)

    assert asked == [f"bytes={half}-"]
    assert target.read_bytes() == data


def endless(handler: BaseHTTPRequestHandler) -> bytes:
    handler.send_response(200)
    handler.end_headers()
    return bytes(1 << 20)


def cut(handler: BaseHTTPRequestHandler) -> bytes:
    handler.send_response(200)
    handler.send_header("Content-Length", "999999")
    handler.end_headers()
    return b"short"


def elsewhere(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "http://169.254.169.254/")
    handler.end_headers()


def missing(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(404)


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (endless, errors.PartDamaged),
        (cut, errors.SourceUnusable),
        (elsewhere, errors.SourceUnusable),
        (missing, errors.SourceUnusable),
    ],
)
def test_a_server_that_misbehaves_is_refused(
    tmp_path: Path, answer: Any, refusal: type[ServiceError]
) -> None:
    file = write_bundle(tmp_path)
    index = read_index(index_of(file), trust(), here(), seen=0)
    target = tmp_path / "target"

    with https(tmp_path, answer) as server, pytest.raises(refusal):
        server.fetch(index, target, lambda count: None)
    assert not target.exists() or target.stat().st_size <= index.size_bytes


def test_an_index_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with https(tmp_path, endless) as server, pytest.raises(errors.SourceUnusable, match="too long"):
        server.read("index", 1000)


def test_a_server_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with https(tmp_path, missing) as server:
        stranger = Server(url=server.url)
        with pytest.raises(errors.SourceUnusable, match="certificate"):
            stranger.read("index", 1000)


@pytest.mark.parametrize(
    "url",
    [
        "http://vendor.example/releases",
        "file:///etc/passwd",
        "https://",
        "https://user:word@vendor.example/",
        "https://vendor.example/?a=b",
        "https://vendor.example/a b",
        "https://vendor.example/\n",
        "https://[",
        "https://vendor.example/" + "a" * 500,
    ],
)
def test_only_a_folder_on_an_https_server_is_a_source(updates: Updates, url: str) -> None:
    with pytest.raises(errors.SourceUnusable):
        updates.set_source(url, "")


def test_an_authority_must_be_a_certificate(updates: Updates) -> None:
    with pytest.raises(errors.SourceUnusable, match="certificate"):
        updates.set_source("https://vendor.example/releases", "not one")


def test_without_a_source_nothing_is_fetched(updates: Updates) -> None:
    with pytest.raises(errors.SourceUnusable, match="no server"):
        asyncio.run(updates.check())


@pytest.mark.parametrize(
    ("created", "seen", "now"),
    [
        (MADE, MADE + 1, NOW),
        (MADE, 0, MADE + 31 * 24 * 3600),
        (MADE + 10 * 24 * 3600, 0, NOW),
    ],
)
def test_an_index_that_was_replaced_or_is_out_of_date_is_refused(
    tmp_path: Path, created: int, seen: int, now: int
) -> None:
    data = index_of(write_bundle(tmp_path), created=created)

    with pytest.raises(errors.IndexStale):
        read_index(data, trust(), here(now=now), seen=seen)


def test_a_bundles_envelope_is_no_index(tmp_path: Path) -> None:
    said: dict[str, Any] = {"format": 1}
    data = writer.sign(said, writer.BUNDLE_TYPE, [signer("update")])

    with pytest.raises(errors.ManifestMalformed):
        read_index(data, trust(), here(), seen=0)


def test_an_index_of_a_stranger_is_refused(tmp_path: Path) -> None:
    data = writer.write_index(write_bundle(tmp_path), NEW, MADE, [signer("stranger")])

    with pytest.raises(errors.BundleUnsigned):
        read_index(data, trust(), here(), seen=0)


def test_an_index_once_seen_is_remembered(updates: Updates, tmp_path: Path) -> None:
    file = write_bundle(tmp_path)
    newer, older = index_of(file, NEWEST, MADE + 60), index_of(file, NEW, MADE)
    given = [newer, older]
    with https(tmp_path, lambda one: whole(one, given.pop(0))) as server:
        updates.set_source(server.url, server.authority)
        found = asyncio.run(updates.check())
        assert isinstance(found, Index)
        with pytest.raises(errors.IndexStale):
            asyncio.run(updates.check())


def test_a_view_without_an_update_says_where_updates_come_from(updates: Updates) -> None:
    assert to_proto(updates.show()) == pb.SlotsView(version=RUNNING)
