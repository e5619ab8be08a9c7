import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509

from image import keys, places
from image.errors import KeyRefused

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def test_each_use_has_a_key_of_its_own_that_only_its_owner_reads(vendor_folder: Path) -> None:
    found = keys.read(vendor_folder)

    numbers = set()
    for name in keys.NAMES:
        key = found.named(name)
        certificate = x509.load_pem_x509_certificate(key.certificate.read_bytes())
        numbers.add(certificate.serial_number)
        assert name in certificate.subject.rfc4514_string()
        assert stat.S_IMODE(key.secret.stat().st_mode) == 0o600
    assert len(numbers) == len(keys.NAMES)
    assert stat.S_IMODE(vendor_folder.stat().st_mode) == 0o700


def test_keys_that_are_there_are_kept(vendor_folder: Path) -> None:
    before = {path: path.read_bytes() for path in vendor_folder.iterdir()}

    assert keys.make(vendor_folder, NOW) == []
    assert {path: path.read_bytes() for path in vendor_folder.iterdir()} == before


@pytest.mark.parametrize("inside", ["image/out/keys", "keys", "image/../keys"])
def test_keys_in_the_tree_are_refused(inside: str) -> None:
    folder = places.TREE / inside

    with pytest.raises(KeyRefused, match="lies in the tree"):
        keys.make(folder, NOW)
    with pytest.raises(KeyRefused, match="lies in the tree"):
        keys.read(folder)
    assert not folder.exists()


def test_keys_behind_a_link_into_the_tree_are_refused(tmp_path: Path) -> None:
    link = tmp_path / "keys"
    link.symlink_to(places.TREE / "image")

    with pytest.raises(KeyRefused, match="lies in the tree"):
        keys.read(link)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="no certificate platform"):
        keys.read(tmp_path)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    keys.make(folder, NOW)
    (folder / "verity.key").chmod(0o640)

    with pytest.raises(KeyRefused, match=r"verity\.key can be read by others"):
        keys.read(folder)
