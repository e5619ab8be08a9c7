"""Identity keys on disk, the certificates under them, and their renewal."""

import asyncio
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from appliance.identity import certificates
from appliance.identity.certificates import (
    LeafKeeper,
    identity_of,
    make_identity_certificate,
    read_leaf,
    verify_leaf,
    verify_signature,
)
from appliance.identity.errors import CertificateInvalid, IdentityUnusable, SignatureInvalid
from appliance.identity.keys import FileKey
from appliance.identity.node_id import NodeId

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


CLOCK = Clock()


def test_a_key_is_made_once_and_then_read(tmp_path: Path) -> None:
    made = FileKey.open_or_make(tmp_path, now=CLOCK)
    read = FileKey.open_or_make(tmp_path, now=CLOCK)

    assert read.node_id == made.node_id
    assert read.certificate_der == made.certificate_der
    assert made.node_id == NodeId.from_public_der(made.public_der)


def test_only_the_owner_may_read_the_key(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        FileKey.open_or_make(tmp_path, now=CLOCK)
    finally:
        os.umask(old)

    assert stat.S_IMODE((tmp_path / "identity" / "identity.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "identity").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    FileKey.open_or_make(tmp_path, now=CLOCK)
    (tmp_path / "identity" / "identity.key").chmod(mode)

    with pytest.raises(IdentityUnusable, match="can be used by others") as raised:
        FileKey.open_or_make(tmp_path, now=CLOCK)
    assert "chmod 600" in raised.value.remedy


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    FileKey.open_or_make(tmp_path, now=CLOCK)
    (tmp_path / "identity").chmod(0o755)

    with pytest.raises(IdentityUnusable, match="can be used by others"):
        FileKey.open_or_make(tmp_path, now=CLOCK)


def test_a_key_behind_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    FileKey.open_or_make(tmp_path, now=CLOCK)
    key = tmp_path / "identity" / "identity.key"
    key.rename(tmp_path / "elsewhere")
    key.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(IdentityUnusable, match="symbolic link"):
        FileKey.open_or_make(tmp_path, now=CLOCK)


def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:  # who cannot give files away checks a file that is not theirs
        from appliance.identity.keys import _require_private

        with pytest.raises(IdentityUnusable, match="belongs to user"):
            _require_private(Path("/etc/passwd"), 0o600)
        return
    FileKey.open_or_make(tmp_path, now=CLOCK)
    os.chown(tmp_path / "identity" / "identity.key", 12345, 12345)

    with pytest.raises(IdentityUnusable, match="belongs to user 12345"):
        FileKey.open_or_make(tmp_path, now=CLOCK)


@pytest.mark.parametrize("name", ["identity.key", "identity.crt"])
@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_file_is_refused_with_the_remedy(
    tmp_path: Path, name: str, content: bytes
) -> None:
    FileKey.open_or_make(tmp_path, now=CLOCK)
    (tmp_path / "identity" / name).write_bytes(content)

    with pytest.raises(IdentityUnusable, match="damaged") as raised:
        FileKey.open_or_make(tmp_path, now=CLOCK)
    assert "restore" in raised.value.remedy


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    FileKey.open_or_make(tmp_path, now=CLOCK)
    other = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "identity" / "identity.key").write_bytes(other)

    with pytest.raises(IdentityUnusable, match="not a P-256 key"):
        FileKey.open_or_make(tmp_path, now=CLOCK)


def test_a_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    FileKey.open_or_make(tmp_path / "a", now=CLOCK)
    FileKey.open_or_make(tmp_path / "b", now=CLOCK)
    other = (tmp_path / "b" / "identity" / "identity.crt").read_bytes()
    (tmp_path / "a" / "identity" / "identity.crt").write_bytes(other)

    with pytest.raises(IdentityUnusable, match="belongs to another key"):
        FileKey.open_or_make(tmp_path / "a", now=CLOCK)


def test_a_lost_key_makes_no_new_node_by_itself(tmp_path: Path) -> None:
    FileKey.open_or_make(tmp_path, now=CLOCK)
    (tmp_path / "identity" / "identity.key").unlink()

    with pytest.raises(IdentityUnusable, match="is gone"):
        FileKey.open_or_make(tmp_path, now=CLOCK)


def test_a_first_start_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    made = FileKey.open_or_make(tmp_path, now=CLOCK)
    (tmp_path / "identity" / "identity.crt").unlink()
    (tmp_path / "identity" / "identity.crt.new").write_bytes(b"half a certif")

    assert FileKey.open_or_make(tmp_path, now=CLOCK).node_id == made.node_id


def test_no_key_shows_in_a_repr(tmp_path: Path) -> None:
    key = FileKey.open_or_make(tmp_path, now=CLOCK)
    leaf = LeafKeeper(key, now=CLOCK).current()

    assert repr(key) == f"FileKey({key.node_id.short})"
    assert "PRIVATE" not in repr(leaf)
    assert repr(leaf.private_key_pem)[2:-1] not in repr(leaf)


def test_a_signature_verifies_under_its_key_and_its_data_alone(tmp_path: Path) -> None:
    key, other = (
        FileKey.open_or_make(tmp_path / "a", now=CLOCK),
        FileKey.open_or_make(tmp_path / "b", now=CLOCK),
    )
    signature = key.sign(b"data")

    verify_signature(key.public_der, b"data", signature)
    for public, data, made in (
        (key.public_der, b"date", signature),
        (other.public_der, b"data", signature),
        (key.public_der, b"data", b""),
        (key.public_der, b"data", signature[:-1]),
    ):
        with pytest.raises(SignatureInvalid):
            verify_signature(public, data, made)


@pytest.mark.parametrize("public", [b"", b"junk", bytes(91)])
def test_a_key_that_is_none_verifies_nothing(public: bytes) -> None:
    with pytest.raises(CertificateInvalid):
        verify_signature(public, b"data", b"")


def test_an_identity_certificate_is_for_ever_and_names_its_key(tmp_path: Path) -> None:
    key = FileKey.open_or_make(tmp_path, now=CLOCK)
    certificate = x509.load_der_x509_certificate(key.certificate_der)

    assert certificate.not_valid_after_utc.year == 9999
    assert identity_of(key.certificate_der) == (key.node_id, key.public_der)


def forged(tmp_path: Path, **changes: object) -> bytes:
    """Return an identity certificate with one thing wrong."""
    key = ec.generate_private_key(ec.SECP256R1())
    honest = x509.load_der_x509_certificate(make_identity_certificate(key, NOON))
    victim = x509.load_der_x509_certificate(
        FileKey.open_or_make(tmp_path, now=CLOCK).certificate_der
    )
    name = victim.subject if "name" in changes else honest.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(victim.public_key() if "key" in changes else key.public_key())
        .serial_number(1)
        .not_valid_before(honest.not_valid_before_utc)
        .not_valid_after(honest.not_valid_after_utc)
    )
    if "no constraints" not in changes:
        constraints = x509.BasicConstraints(ca="leaf" not in changes, path_length=None)
        if "leaf" not in changes and "deep" not in changes:
            constraints = x509.BasicConstraints(ca=True, path_length=0)
        builder = builder.add_extension(constraints, critical=True)
    digest = hashes.SHA384() if "digest" in changes else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(serialization.Encoding.DER)


def test_a_certificate_is_an_identity_only_if_all_of_it_is(tmp_path: Path) -> None:
    identity_of(forged(tmp_path))
    for change in ("name", "leaf", "deep", "no constraints", "digest"):
        with pytest.raises(CertificateInvalid):
            identity_of(forged(tmp_path, **{change: True}))
    with pytest.raises(SignatureInvalid):
        identity_of(forged(tmp_path, key=True, name=True))


@pytest.mark.parametrize("junk", [b"", b"junk", bytes(5000)])
def test_a_certificate_that_is_none_is_refused(junk: bytes) -> None:
    with pytest.raises(CertificateInvalid):
        identity_of(junk)
    with pytest.raises(CertificateInvalid):
        read_leaf(junk)


def test_a_leaf_lives_a_day_and_began_a_little_ago(tmp_path: Path) -> None:
    key = FileKey.open_or_make(tmp_path, now=CLOCK)
    leaf = LeafKeeper(key, now=CLOCK).current()

    assert leaf.not_before == NOON - timedelta(minutes=10)
    assert leaf.not_after - leaf.not_before == timedelta(hours=24)
    assert leaf.renew_at == leaf.not_before + timedelta(hours=16)
    assert read_leaf(leaf.certificate_der).claimed == key.node_id
    verify_leaf(leaf.certificate_der, key.public_der)


def test_a_leaf_of_another_identity_does_not_verify(tmp_path: Path) -> None:
    key, other = (
        FileKey.open_or_make(tmp_path / "a", now=CLOCK),
        FileKey.open_or_make(tmp_path / "b", now=CLOCK),
    )
    leaf = LeafKeeper(key, now=CLOCK).current()

    with pytest.raises(SignatureInvalid):
        verify_leaf(leaf.certificate_der, other.public_der)


def test_a_leaf_is_renewed_at_two_thirds_with_a_new_key(tmp_path: Path) -> None:
    clock = Clock()
    keeper = LeafKeeper(FileKey.open_or_make(tmp_path, now=CLOCK), now=clock)
    first = keeper.current()

    clock.now = first.renew_at - timedelta(seconds=1)
    assert keeper.current() is first
    clock.now = first.renew_at
    second = keeper.current()

    assert keeper.current() is second
    assert second.private_key_pem != first.private_key_pem
    assert second.not_after > first.not_after


def test_a_clock_that_is_set_back_renews_the_leaf(tmp_path: Path) -> None:
    clock = Clock()
    keeper = LeafKeeper(FileKey.open_or_make(tmp_path, now=CLOCK), now=clock)
    first = keeper.current()

    clock.now = NOON - timedelta(days=1)

    assert keeper.current() is not first
    assert keeper.current().not_before < clock.now


class Issuer:
    """An identity key that notes when it issues its second leaf."""

    def __init__(self, key: FileKey) -> None:
        self.certificate_der = key.certificate_der
        self.has_issued_again = asyncio.Event()
        self._key = key
        self._count = 0

    def issue_leaf(
        self, public: ec.EllipticCurvePublicKey, not_before: datetime, not_after: datetime
    ) -> bytes:
        self._count += 1
        if self._count > 1:
            self.has_issued_again.set()
        return self._key.issue_leaf(public, not_before, not_after)


def test_the_keeper_renews_by_itself(tmp_path: Path) -> None:
    def clock() -> datetime:
        return datetime.now(UTC)

    async def run() -> None:
        key = FileKey.open_or_make(tmp_path, now=clock)
        issuer = Issuer(key)
        keeper = LeafKeeper(issuer, now=clock, life=timedelta(seconds=3))
        task = asyncio.create_task(keeper.run())
        async with asyncio.timeout(5):
            await issuer.has_issued_again.wait()
        task.cancel()

    asyncio.run(run())


def test_the_leafs_key_is_not_the_identitys(tmp_path: Path) -> None:
    key = FileKey.open_or_make(tmp_path, now=CLOCK)
    leaf = x509.load_der_x509_certificate(LeafKeeper(key, now=CLOCK).current().certificate_der)
    public = leaf.public_key()

    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert certificates.public_der_of(public) != key.public_der


def test_a_node_that_was_somebody_does_not_become_another(tmp_path: Path) -> None:
    with pytest.raises(IdentityUnusable, match="is gone") as raised:
        FileKey.open_or_make(tmp_path, now=CLOCK, may_make=False)
    assert "restore" in raised.value.remedy
