"""The reader of update bundles, and the rules: every attack is refused with an error of its own."""

import base64
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from appliance.updates import errors
from appliance.updates.bundle import MAGIC, copy_parts, read_manifest
from appliance.updates.manifest import Manifest, Part
from appliance.updates.rules import require_fit
from appliance.updates.trust import INDEX_TYPE, Trust
from services.errors import ServiceError
from tests.unit.update_doubles import (
    MADE,
    NEW,
    NEWEST,
    NOW,
    OLD,
    RUNNING,
    SCHEMAS,
    here,
    release,
    signer,
    trust,
    trusted,
    write_bundle,
)

YEAR = 365 * 24 * 3600


class Kept(io.BytesIO):
    """A sink whose bytes outlive it."""

    def close(self) -> None:
        self.kept = self.getvalue()
        super().close()


def read(data: bytes, whose: Trust | None = None, **of_here: Any) -> dict[str, bytes]:
    """Verify a bundle as a machine does, and return the parts as a slot would hold them."""
    source = io.BytesIO(data)
    manifest = read_manifest(source, whose or trust())
    require_fit(manifest, here(**of_here))
    sinks: dict[str, Kept] = {}

    def sink(part: Part) -> Kept:
        sinks[part.name] = Kept()
        return sinks[part.name]

    copy_parts(source, manifest, sink, lambda done, total: None)
    return {name: one.kept.ljust(SIZE_OF[name], b"\0") for name, one in sinks.items()}


SIZE_OF: Final = {"usr-verity-sig": 4096, "usr-verity": 8192, "usr": 65536, "uki": 0}


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return a bundle's envelope and its parts."""
    begin = len(MAGIC) + 4
    length = int.from_bytes(data[len(MAGIC) : begin], "big")
    return json.loads(data[begin : begin + length]), data[begin + length :]


def join(envelope: dict[str, Any], parts: bytes) -> bytes:
    text = json.dumps(envelope).encode()
    return MAGIC + len(text).to_bytes(4, "big") + text + parts


def test_a_bundle_is_read_as_it_was_written(tmp_path: Path) -> None:
    parts = read(write_bundle(tmp_path).read_bytes())

    made = release(tmp_path / "parts", NEW)
    assert parts == {name: file.read_bytes() for name, file in made.items()}


def test_a_release_has_one_bundle_byte_for_byte(tmp_path: Path) -> None:
    first, second = write_bundle(tmp_path / "a"), write_bundle(tmp_path / "b")

    assert first.read_bytes() == second.read_bytes()


def test_two_of_three_keys_suffice_where_two_are_asked(tmp_path: Path) -> None:
    file = write_bundle(tmp_path, names=("one", "three"))

    assert read(file.read_bytes(), trust("one", "two", "three", threshold=2))


# Attacks on the bytes: each takes a good bundle's.
def unsigned(data: bytes) -> bytes:
    envelope, parts = split(data)
    return join(envelope | {"signatures": []}, parts)


def edited(data: bytes) -> bytes:
    envelope, parts = split(data)
    said = json.loads(base64.b64decode(envelope["payload"]))
    longer = json.dumps(said | {"expires": said["expires"] + 1}).encode()
    return join(envelope | {"payload": base64.b64encode(longer).decode()}, parts)


def signed_twice_by_one(data: bytes) -> bytes:
    envelope, parts = split(data)
    return join(envelope | {"signatures": envelope["signatures"] * 2}, parts)


def of_another_purpose(data: bytes) -> bytes:
    envelope, parts = split(data)
    return join(envelope | {"payloadType": INDEX_TYPE}, parts)


def with_length(data: bytes, length: bytes) -> bytes:
    return data[: len(MAGIC)] + length + data[len(MAGIC) + 4 :]


@pytest.mark.parametrize(
    ("attack", "refusal"),
    [
        (unsigned, errors.BundleUnsigned),
        (edited, errors.BundleUnsigned),
        (signed_twice_by_one, errors.ManifestMalformed),
        (of_another_purpose, errors.ManifestMalformed),
        (lambda data: data[:-1], errors.BundleTruncated),
        (lambda data: data[: len(MAGIC) + 100], errors.BundleTruncated),
        (lambda data: data[:10], errors.BundleForeign),
        (lambda data: b"", errors.BundleForeign),
        (lambda data: b"PK" + data, errors.BundleForeign),
        (lambda data: data + b"\0", errors.BundleTooLong),
        (
            lambda data: data[: len(MAGIC)] + b"\xff" * 4 + data[len(MAGIC) + 4 :],
            errors.ManifestMalformed,
        ),
        (
            lambda data: data[: len(MAGIC)] + b"\0" * 4 + data[len(MAGIC) + 4 :],
            errors.ManifestMalformed,
        ),
    ],
)
def test_bytes_that_were_tampered_with_are_refused(
    tmp_path: Path, attack: Callable[[bytes], bytes], refusal: type[ServiceError]
) -> None:
    with pytest.raises(refusal) as raised:
        read(attack(write_bundle(tmp_path).read_bytes()))
    assert raised.value.remedy


@pytest.mark.parametrize("at", range(4))
def test_an_edited_part_is_refused(tmp_path: Path, at: int) -> None:
    data = write_bundle(tmp_path).read_bytes()
    envelope, parts = split(data)
    ends = [len(part) for part in _stored(data)]
    place = sum(ends[:at]) + ends[at] // 2
    broken = parts[:place] + bytes([parts[place] ^ 1]) + parts[place + 1 :]

    with pytest.raises(errors.PartDamaged):
        read(join(envelope, broken))


def test_a_part_of_another_release_is_refused(tmp_path: Path) -> None:
    ours, theirs = write_bundle(tmp_path, NEW), write_bundle(tmp_path, NEWEST)
    envelope, _ = split(ours.read_bytes())
    mixed = [*_stored(ours.read_bytes())[:3], _stored(theirs.read_bytes())[3]]

    with pytest.raises(errors.PartDamaged, match="uki"):
        read(join(envelope, b"".join(mixed)))


def _stored(data: bytes) -> list[bytes]:
    manifest = read_manifest(io.BytesIO(data), trust())
    _, parts = split(data)
    found = []
    for part in manifest.parts:
        found.append(parts[: part.stored_bytes])
        parts = parts[part.stored_bytes :]
    return found


def test_a_manifest_over_another_releases_parts_is_refused(tmp_path: Path) -> None:
    ours, theirs = write_bundle(tmp_path, NEW), write_bundle(tmp_path, NEWEST)

    with pytest.raises(errors.PartDamaged):
        read(join(split(theirs.read_bytes())[0], split(ours.read_bytes())[1]))


# Attacks by who could have a manifest signed, or by a vendor's mistake: each changes it before.
def _name(manifest: dict[str, Any], name: str) -> None:
    manifest["parts"][2]["name"] = name


def _twice(manifest: dict[str, Any]) -> None:
    manifest["parts"][1] = manifest["parts"][2]


def _resize(manifest: dict[str, Any], **sizes: int) -> None:
    manifest["parts"][2].update(sizes)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: _name(said, "../../../etc/passwd"),
        lambda said: _name(said, "/dev/vda"),
        lambda said: _name(said, "usr\0"),
        lambda said: said["parts"][2].update(partition_id="../" * 10 + "ab"),
        lambda said: said["parts"][2].update(partition_id=""),
        lambda said: said["parts"][3].update(partition_id="0" * 32),
        lambda said: said.update(version="../../boot/coffer"),
        lambda said: said.update(version=NEW + "\n"),
        _twice,
        lambda said: said["parts"].append(said["parts"][2]),
        lambda said: said["parts"].reverse(),
        lambda said: said["parts"].pop(),
        lambda said: _resize(said, size_bytes=(768 << 20) + 1),
        lambda said: _resize(said, size_bytes=1 << 62),
        lambda said: _resize(said, size_bytes=100, stored_bytes=101),
        lambda said: _resize(said, stored_bytes=0),
        lambda said: _resize(said, size_bytes=-1),
        lambda said: said["parts"][2].update(compression="zstd"),
        lambda said: said.update(format=2),
        lambda said: said.update(expires=1 << 60),
        lambda said: said.update(expires=said["created"]),
        lambda said: said.update(schemas=[]),
        lambda said: said.update(run="/bin/sh"),
    ],
)
def test_a_signed_manifest_that_breaks_the_rules_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    with pytest.raises(errors.ManifestMalformed) as raised:
        read(write_bundle(tmp_path, change=change).read_bytes())
    assert "passwd" not in raised.value.what


@pytest.mark.parametrize(
    ("change", "of_here", "refusal"),
    [
        (lambda said: said.update(image="other-os"), {}, errors.BundleForOther),
        (lambda said: said.update(architecture="arm64"), {}, errors.BundleForMachine),
        (lambda said: None, {"now": MADE + 2 * YEAR}, errors.BundleExpired),
        (lambda said: None, {"now": MADE - 48 * 3600}, errors.BundleUnripe),
        (lambda said: None, {"version": NEW}, errors.BundleRunning),
        (lambda said: None, {"version": NEWEST}, errors.BundleOlder),
        # It ran here, and was gone back from: what lies between stays refused.
        (lambda said: None, {"floor": NEWEST}, errors.BundleOlder),
        (lambda said: said.update(oldest_replaced=NEW), {}, errors.BundleSkips),
        (lambda said: said.update(schemas=["0000"]), {}, errors.StateUnreadable),
    ],
)
def test_a_release_that_does_not_fit_is_refused(
    tmp_path: Path,
    change: Callable[[dict[str, Any]], None],
    of_here: dict[str, Any],
    refusal: type[ServiceError],
) -> None:
    with pytest.raises(refusal) as raised:
        read(write_bundle(tmp_path, change=change).read_bytes(), **of_here)
    assert raised.value.remedy


def test_a_release_that_fell_back_may_be_tried_again(tmp_path: Path) -> None:
    assert read(write_bundle(tmp_path).read_bytes(), floor=RUNNING)


@pytest.mark.parametrize(
    ("names", "keys", "threshold"),
    [
        (("stranger",), ("update",), 1),
        (("one",), ("one", "two", "three"), 2),
        (("one", "stranger"), ("one", "two", "three"), 2),
    ],
)
def test_too_few_trusted_signatures_are_refused(
    tmp_path: Path, names: tuple[str, ...], keys: tuple[str, ...], threshold: int
) -> None:
    data = write_bundle(tmp_path, names=names).read_bytes()

    with pytest.raises(errors.BundleUnsigned):
        read(data, trust(*keys, threshold=threshold))


def test_a_strangers_signature_under_a_trusted_keys_name_is_refused(tmp_path: Path) -> None:
    envelope, parts = split(write_bundle(tmp_path, names=("stranger",)).read_bytes())
    envelope["signatures"][0]["keyid"] = trust().keys[0].keyid

    with pytest.raises(errors.BundleUnsigned):
        read(join(envelope, parts))


@pytest.mark.parametrize(
    "keys",
    [
        b"",
        b"{}",
        b'{"threshold": 0, "keys": ["x"]}',
        trusted("update", threshold=2),
        trusted("update", "update", threshold=2),
        trusted("update").replace(b"BEGIN", b"BEGUN"),
    ],
)
def test_keys_that_cannot_be_relied_upon_are_refused(keys: bytes) -> None:
    with pytest.raises(errors.TrustMissing):
        Trust.parse(keys)


def test_what_runs_is_known_by_the_writer_too() -> None:
    from appliance.store.migrate import known_revisions

    assert known_revisions() == SCHEMAS
    assert OLD < RUNNING < NEW
    assert MADE < NOW < time.time()
    assert signer("update") is signer("update")


def test_nothing_of_a_part_is_read_before_the_manifest_is_verified(tmp_path: Path) -> None:
    class Counted(io.BytesIO):
        taken = 0

        def read(self, count: int | None = -1, /) -> bytes:
            piece = super().read(count)
            self.taken += len(piece)
            return piece

    data = write_bundle(tmp_path, names=("stranger",)).read_bytes()
    source = Counted(data)

    with pytest.raises(errors.BundleUnsigned):
        read_manifest(source, trust())
    assert source.taken == len(data) - len(split(data)[1])


def test_the_manifest_cannot_be_changed_once_it_is_read(tmp_path: Path) -> None:
    manifest = read_manifest(io.BytesIO(write_bundle(tmp_path).read_bytes()), trust())

    assert isinstance(manifest, Manifest)
    with pytest.raises(ValueError, match="frozen"):
        manifest.version = OLD
