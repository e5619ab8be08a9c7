"""The identity key sealed: made so, made so later, and refused with the cause and a remedy."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.identity.errors import IdentityUnusable
from appliance.identity.keys import FileKey
from appliance.identity.sealing import CREDENTIAL, read_sealing_key

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEALING_KEY = bytes(range(32))
SEALED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


def opened(state: Path, sealing_key: bytes | None = SEALING_KEY) -> FileKey:
    return FileKey.open_or_make(state, now=lambda: NOON, sealing_key=sealing_key)


def file_of(state: Path) -> Path:
    return state / "identity/identity.key"


def test_a_sealed_key_is_made_once_and_then_read(tmp_path: Path) -> None:
    made = opened(tmp_path)
    before = file_of(tmp_path).read_bytes()
    read = opened(tmp_path)

    assert read.node_id == made.node_id
    assert made.is_sealed
    assert read.is_sealed
    assert before.startswith(SEALED)
    assert file_of(tmp_path).read_bytes() == before
    assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600


def test_without_a_sealing_key_the_file_is_plain(tmp_path: Path) -> None:
    assert not opened(tmp_path, None).is_sealed
    assert file_of(tmp_path).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_plain_key_from_before_is_sealed_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = opened(tmp_path, None)
    with caplog.at_level(logging.INFO):
        after = opened(tmp_path)
        opened(tmp_path)

    assert after.node_id == before.node_id
    assert after.certificate_der == before.certificate_der
    assert file_of(tmp_path).read_bytes().startswith(SEALED)
    assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in file_of(tmp_path).parent.iterdir()) == [
        "identity.crt",
        "identity.key",
    ]
    assert [one.getMessage() for one in caplog.records] == [
        "the identity key was a plain file; from now on it is sealed"
    ]


def test_a_sealed_key_without_the_sealing_key_is_refused(tmp_path: Path) -> None:
    opened(tmp_path)

    with pytest.raises(IdentityUnusable, match="the TPM did not give out") as raised:
        opened(tmp_path, None)
    assert "recovery key" in raised.value.remedy
    assert "factory reset" in raised.value.remedy


def test_another_machines_sealing_key_is_refused(tmp_path: Path) -> None:
    opened(tmp_path)
    before = file_of(tmp_path).read_bytes()

    with pytest.raises(IdentityUnusable, match="another key than this machine's") as raised:
        opened(tmp_path, bytes(32))
    assert "recovery key" in raised.value.remedy
    assert file_of(tmp_path).read_bytes() == before


def test_a_plain_key_that_is_damaged_is_not_sealed(tmp_path: Path) -> None:
    opened(tmp_path, None)
    file_of(tmp_path).write_bytes(b"nothing")

    with pytest.raises(IdentityUnusable, match="is damaged"):
        opened(tmp_path)
    assert file_of(tmp_path).read_bytes() == b"nothing"


@settings(max_examples=30, deadline=None)
@given(torn=st.floats(min_value=0, max_value=1), was_plain=st.booleans())
def test_a_write_that_was_torn_leaves_the_key_that_was(
    tmp_path_factory: pytest.TempPathFactory, torn: float, was_plain: bool
) -> None:
    state = tmp_path_factory.mktemp("torn")
    before = opened(state, None if was_plain else SEALING_KEY)
    whole = file_of(state).read_bytes()
    file_of(state).with_name("identity.key.new").write_bytes(whole[: int(torn * len(whole))])

    assert opened(state).node_id == before.node_id
    assert file_of(state).read_bytes().startswith(SEALED)


@settings(max_examples=40, deadline=None)
@given(place=st.integers(min_value=0), mask=st.integers(min_value=1, max_value=255))
def test_a_sealed_key_with_a_changed_byte_is_the_same_key_or_refused(
    sealed: Path, place: int, mask: int
) -> None:
    whole = bytearray(file_of(sealed).read_bytes())
    expected = opened(sealed).node_id
    changed = bytearray(whole)
    changed[place % len(whole)] ^= mask
    file_of(sealed).write_bytes(changed)
    try:
        assert opened(sealed).node_id == expected  # as a byte that base64 skips
    except IdentityUnusable as error:
        assert error.remedy
    finally:
        file_of(sealed).write_bytes(whole)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a node whose key is sealed."""
    state = tmp_path_factory.mktemp("sealed")
    opened(state)
    return state


def test_the_sealing_key_is_read_where_systemd_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_sealing_key() is None

    (tmp_path / CREDENTIAL).write_text(SEALING_KEY.hex())
    assert read_sealing_key() == SEALING_KEY


def test_without_systemd_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    assert read_sealing_key() is None


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"zz" * 32, b"\xff" * 64])
def test_a_credential_that_is_no_key_is_refused_and_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / CREDENTIAL).write_bytes(content)

    with pytest.raises(IdentityUnusable, match="cannot be read") as raised:
        read_sealing_key()
    assert not content or content.decode("latin-1") not in raised.value.what
