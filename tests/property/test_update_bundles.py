"""Whatever is done to a bundle's bytes, a machine reads the release that was signed, or none."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.updates.bundle import copy_parts, read_manifest
from appliance.updates.errors import UpdateRefused
from appliance.updates.manifest import Part
from appliance.updates.rules import Here, require_fit
from appliance.updates.slots import find_kernels
from tests.unit.update_doubles import NEW, RUNNING, here, trust, write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_bundle(tmp_path_factory.mktemp("release")).read_bytes()


def read(data: bytes) -> dict[str, bytes] | None:
    """Return the parts, None if the bundle was refused."""
    source = io.BytesIO(data)
    parts: dict[str, bytes] = {}

    @contextmanager
    def sink(part: Part) -> Iterator[BinaryIO]:
        file = io.BytesIO()
        yield file
        parts[part.name] = file.getvalue()

    try:
        copy_parts(source, read_manifest(source, trust()), sink, lambda done, total: None)
    except UpdateRefused:
        return None
    return parts


@given(data=st.data())
def test_a_bundle_with_one_changed_stretch_is_refused(bundle: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(bundle) - 1))
    end = data.draw(st.integers(place, min(len(bundle), place + 64)))
    stretch = data.draw(st.binary(max_size=80))
    changed = bundle[:place] + stretch + bundle[end:]

    if changed != bundle:
        assert read(changed) in (None, read(bundle))


@given(end=st.integers(0, 20_000))
def test_a_bundle_that_ends_early_is_refused(bundle: bytes, end: int) -> None:
    assert (read(bundle[:end]) is None) == (end < len(bundle))


@given(junk=st.binary(min_size=1, max_size=2000))
def test_a_bundle_with_more_behind_it_is_refused(bundle: bytes, junk: bytes) -> None:
    assert read(bundle + junk) is None
    assert read(junk) is None


VERSIONS = st.from_regex(r"\A2026[0-9]{4}\.[0-9]{6}\Z", fullmatch=True)


@given(running=VERSIONS, floor=st.one_of(st.just(""), VERSIONS))
def test_nothing_older_than_what_was_good_here_is_ever_fit(
    bundle: bytes, running: str, floor: str
) -> None:
    manifest = read_manifest(io.BytesIO(bundle), trust())
    at = here(version=running, floor=floor)

    try:
        require_fit(manifest, at)
    except UpdateRefused:
        return
    assert isinstance(at, Here)
    assert running < NEW
    assert floor <= NEW


NAMES = st.binary(min_size=1, max_size=200).filter(lambda name: not {0, ord("/")} & set(name))


@given(names=st.lists(NAMES))
def test_any_names_in_the_boot_partition_are_borne(
    tmp_path_factory: pytest.TempPathFactory, names: list[bytes]
) -> None:
    root = tmp_path_factory.mktemp("machine")
    folder = root / "boot/EFI/Linux"
    folder.mkdir(parents=True)
    (folder / f"coffer_{RUNNING}+2-1.efi").touch()
    for name in names:
        if name not in (b".", b".."):
            (folder / os.fsdecode(name)).touch()

    found = [one for one in find_kernels(root) if one.version == RUNNING]
    assert [one.tries_left for one in found] == [2]
