"""Every reader of a peer's bytes, or a text, as a function that returns, or raises what it may."""

import base64
import io
import json
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

import services
from appliance.agent import frames
from appliance.api import peer_pb2 as pb
from appliance.contracts.contract import CONTRACT, parse_contract
from appliance.contracts.envelope import parse_base64, parse_envelope
from appliance.datasets.publication import read_letter
from appliance.grants.grant import GRANT, parse_grant, write_grant
from appliance.identity.node_id import NodeId
from appliance.ledger.checkpoint import parse_note
from appliance.ledger.entries import parse_entry, write_entry
from appliance.mailbox.letters import DatasetPublished, Kind, Letter, LetterRefused, parse_letter
from appliance.peering.addresses import parse_address, parse_endpoint
from appliance.peering.code import InvitationText
from appliance.peering.errors import IntroductionInvalid
from appliance.peering.introduction import Introduction
from appliance.policies.document import parse_policy
from appliance.policies.errors import PolicyInvalid
from appliance.policies.writing import write_policy
from appliance.updates.bundle import MAGIC, read_manifest
from appliance.updates.errors import BundleUnsigned, InstallFailed, UpdateRefused
from appliance.updates.gpt import read_partitions
from appliance.updates.manifest import MOST_BYTES, parse_manifest
from appliance.updates.trust import BUNDLE_TYPE, Trust
from services import wire
from services.errors import ConfigError, PeerProtocolError, ProtocolError, ServiceError
from services.kernels import blocks, curve25519, ggm, okvs, ristretto
from services.kernels.okvs_shape import Shape
from services.psi import texts
from tests.unit.policy_doubles import examples_of_the_page
from tests.unit.update_doubles import partition_table, trust

PEER = 1
ROWS = 64


@dataclass(frozen=True)
class Target:
    """One reader, and what it reads well, to begin with."""

    read: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]] = tuple


def message_types() -> list[type[Any]]:
    """Return every type of message that there is, by tag."""
    found: dict[str, type[Any]] = {}
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if module.name.endswith("_native"):
            continue
        for one in vars(import_module(module.name)).values():
            with suppress(AttributeError):
                found[wire.layout_of(one).tag] = one
    return [found[tag] for tag in sorted(found)]


MESSAGES = message_types()


def read_message(data: bytes) -> None:
    """The first byte says which message is due; one that is read is written as it was."""
    if not data:
        return
    due = MESSAGES[data[0] % len(MESSAGES)]
    with suppress(PeerProtocolError):
        came = wire.decode(due, data[1:], sender=PEER, rows=ROWS)
        again = wire.decode(due, wire.join(wire.encode(came)), sender=PEER, rows=ROWS)
        assert wire.join(wire.encode(again)) == wire.join(wire.encode(came))


def some_messages() -> Iterator[bytes]:
    for place, one in enumerate(MESSAGES):
        fields = {}
        for name, kind in wire.layout_of(one).kinds:
            is_number = isinstance(kind, wire.Number)
            value = 0 if is_number else memoryview(bytes(kind.most_bytes(1)))
            fields[name] = kind.parse(value, 1)  # type: ignore[arg-type]
        yield bytes([place]) + wire.join(wire.encode(one(**fields)))


def require(holds: bool, what: str) -> None:
    if not holds:
        raise ProtocolError(what)


def read_frame(data: bytes) -> None:
    with suppress(ProtocolError):
        frames.parse_frame(data, require)


def some_frames() -> Iterator[bytes]:
    yield frames.encode_data(7, memoryview(b"bytes"))
    opened = frames.Open(job_id="abc", attempt=1, expected=0, window_bytes=1 << 20)
    for one in (opened, frames.Ack(9), frames.Fin(9)):
        yield frames.encode(one)


def read_envelope(data: bytes) -> None:
    with suppress(ServiceError):
        signed = parse_envelope(data.decode("utf-8", "replace"), CONTRACT)
        parse_contract(signed.data)


def read_contract(data: bytes) -> None:
    with suppress(ServiceError):
        parse_contract(data)


def read_grant(data: bytes) -> None:
    """A peer's grant, in its envelope and bare; one that is read is written as it was."""
    with suppress(ServiceError):
        parse_grant(parse_envelope(data.decode("utf-8", "replace"), GRANT).data)
    with suppress(ServiceError):
        assert write_grant(parse_grant(data)) == data


def read_signature(data: bytes) -> None:
    with suppress(ServiceError):
        parse_base64(data.decode("utf-8", "replace"))


def read_note(data: bytes) -> None:
    with suppress(ServiceError):
        text = data.decode("utf-8", "replace")
        assert parse_note(text).text == text


def some_notes() -> Iterator[bytes]:
    line = base64.b64encode(bytes(70)).decode()
    yield f"origin\n7\n{base64.b64encode(bytes(32)).decode()}\n\n— name {line}\n".encode()


def read_entry(data: bytes) -> None:
    with suppress(ServiceError):
        assert write_entry(parse_entry(data)) == data


def some_entries() -> Iterator[bytes]:
    yield (
        b'{"actor":{"uid":1000,"who":"local"},"at":1796000000000,"facts":{"attempt":2},"index":7,'
        b'"job":"aaaaaaaaaaaaaaaaaaaaaaaaaa","kind":"job.started","type":"coffer.ledger-entry/1"}'
    )


KINDS = [*(kind.value for kind in Kind), "unheard.of"]


def read_any_letter(data: bytes) -> None:
    """The first byte says of which kind the letter is."""
    if not data:
        return
    with suppress(LetterRefused):
        _, body = parse_letter(Letter(number=1, kind=KINDS[data[0] % len(KINDS)], body=data[1:]))
        if isinstance(body, DatasetPublished):
            read_letter(body)


def some_letters() -> Iterator[bytes]:
    body = (
        b'{"columns":[{"name":"id","type":"VARCHAR"},{"name":"v","type":"DOUBLE"}],"fingerprint":"'
        + b"0" * 64
        + b'","is_bound":true,"key":["id"],"name":"t","normal_form":["trim"],"payload":["v"],'
        b'"row_count":3}'
    )
    yield bytes([KINDS.index(Kind.DATASET_PUBLISHED.value)]) + body


def read_introduction(data: bytes) -> None:
    with suppress(DecodeError, IntroductionInvalid):
        said = Introduction.from_proto(pb.Introduction.FromString(data))
        assert Introduction.from_proto(said.to_proto()) == said


def some_introductions() -> Iterator[bytes]:
    said = pb.Introduction(
        name="bank",
        address="host.example:7443",
        version="1.0",
        lowest_interface=1,
        highest_interface=2,
        clock_milliseconds=1_800_000_000_000,
        boot=b"boot",
    )
    yield said.SerializeToString()


def read_typed(data: bytes) -> None:
    """What a person enters that another person wrote."""
    text = data.decode("utf-8", "replace")
    for parse in (InvitationText.parse, NodeId.parse, parse_address):
        with suppress(ConfigError):
            parse(text)
    parse_endpoint(text)


def read_labels(data: bytes) -> None:
    """The first byte says how many columns; each label has 32 bytes."""
    if not data:
        return
    labels = np.frombuffer(data[1 : 1 + (len(data) - 1) // 32 * 32], np.uint8).reshape(-1, 32)
    batch, is_fit = texts.unpack(labels, 1 + data[0] % 8)
    assert all(len(column) == len(labels) for column in batch)
    assert not any(np.any(column.present[~is_fit]) for column in batch)


def rows_of(data: bytes, width: int) -> Any:
    return np.frombuffer(data[: len(data) // width * width], np.uint8).reshape(-1, width).copy()


def read_elements(data: bytes) -> None:
    """Points of a peer's, or what it says are some."""
    elements = rows_of(data, 32)
    if len(elements):
        scalar = bytes([8, *range(1, 32)])
        for multiply in (curve25519.scalar_multiply, ristretto.scalar_multiply):
            out, unfit = multiply(elements, scalar)
            assert -1 <= unfit < len(elements)
            assert unfit < 0 or not np.any(out[unfit])
        ristretto.add(elements, elements[::-1].copy())


def read_table(data: bytes) -> None:
    """A key-value store of a peer's, read for items of ours."""
    shape = Shape.of(10)
    given = np.resize(rows_of(data + bytes(16), 16), (shape.rows, 16))
    table = np.ascontiguousarray(given).view(np.uint64)
    items = blocks.from_bytes(bytes(range(160)))
    assert okvs.decode(shape, data[:16].ljust(16), items, table).shape == (10, 2)


def read_trees(data: bytes) -> None:
    """Sums of a peer's trees, of any number of leaves."""
    leaves = 2 + (data[0] if data else 0)
    point = np.array([(data[1] if len(data) > 1 else 0) % leaves], np.int64)
    depth = ggm.depth_of(leaves)
    given = np.resize(rows_of(data + bytes(16), 16), (depth + 1, 16))
    sums = np.ascontiguousarray(given).view(np.uint64)
    grown = ggm.evaluate(point, sums[None, :depth].copy(), sums[depth:].copy(), leaves)
    assert grown.shape == (1, leaves, 2)


class AnyonesWord(Trust):
    """Takes every envelope that can be read as signed, so that what is behind it is read too."""

    def verified(self, envelope: bytes, payload_type: str) -> bytes:
        with suppress(BundleUnsigned):
            return super().verified(envelope, payload_type)
        return base64.b64decode(json.loads(envelope)["payload"])


def read_bundle(data: bytes) -> None:
    """An update bundle that a stranger wrote, up to its last part."""
    source = io.BytesIO(data)
    with suppress(UpdateRefused):
        manifest = read_manifest(source, AnyonesWord(1, trust().keys))
        assert [part.name for part in manifest.parts] == list(MOST_BYTES)
        assert all(0 < part.size_bytes <= MOST_BYTES[part.name] for part in manifest.parts)
        assert manifest.version.replace(".", "").isdecimal()


def some_bundles() -> Iterator[bytes]:
    part = {"size_bytes": 9, "stored_bytes": 9, "sha256": "0" * 64}
    parts = [part | {"name": name, "partition_id": "0" * 32} for name in MOST_BYTES]
    said = {"format": 1, "image": "coffer", "version": "20261101.000000", "architecture": "x86-64"}
    said |= {"created": 1, "expires": 2, "oldest_replaced": "20261101.000000", "schemas": ["0001"]}
    parts[-1] |= {"partition_id": ""}
    payload = base64.b64encode(json.dumps(said | {"parts": parts}).encode()).decode()
    envelope = {"payload": payload, "payloadType": BUNDLE_TYPE, "signatures": []}
    text = json.dumps(envelope).encode()
    yield MAGIC + len(text).to_bytes(4, "big") + text


def read_manifest_alone(data: bytes) -> None:
    with suppress(UpdateRefused):
        parse_manifest(data)


def read_partition_table(data: bytes) -> None:
    """What is read of the machine's own disk by root, whoever wrote there."""
    with suppress(InstallFailed):
        read_partitions(io.BytesIO(data))


def read_policy(data: bytes) -> None:
    """A policy as an owner sends it; one that is read is written so that it is read again."""
    with suppress(PolicyInvalid):
        made = parse_policy(data.decode("utf-8", "replace"))
        assert parse_policy(write_policy(made)) == made


def some_policies() -> Iterator[bytes]:
    yield from (example.encode() for example in examples_of_the_page())


def trap(data: bytes) -> None:
    """Fail as a bug would, so that a test sees that it is found."""
    if data[:2] == b"{{":
        raise KeyError(data)


TARGETS = {
    "messages": Target(read_message, some_messages),
    "frames": Target(read_frame, some_frames),
    "envelopes": Target(read_envelope),
    "contracts": Target(read_contract),
    "grants": Target(read_grant),
    "signatures": Target(read_signature),
    "notes": Target(read_note, some_notes),
    "entries": Target(read_entry, some_entries),
    "letters": Target(read_any_letter, some_letters),
    "introductions": Target(read_introduction, some_introductions),
    "typed": Target(read_typed, lambda: [b"coffer1:host:7443/4-apple-berry-cat-dog-egg"]),
    "labels": Target(read_labels),
    "elements": Target(read_elements, lambda: [bytes([9, *bytes(31)]) * 2]),
    "tables": Target(read_table),
    "trees": Target(read_trees),
    "bundles": Target(read_bundle, some_bundles),
    "manifests": Target(read_manifest_alone),
    "policies": Target(read_policy, some_policies),
    "partitions": Target(read_partition_table, lambda: [partition_table(["coffer_1", "_empty"])]),
}
