"""The vendor's keys sign update bundles, and machines believe just those."""

import datetime
from pathlib import Path

import pytest

from appliance.updates.trust import BUNDLE_TYPE, Trust
from image import bundle, keys
from image.errors import KeyRefused
from image.keys import Keys
from image.signing import Signer
from image.toolchain import Toolchain


@pytest.fixture
def vendor(tmp_path: Path) -> Keys:
    keys.make(tmp_path / "keys", datetime.datetime.now(datetime.UTC))
    return keys.read(tmp_path / "keys")


def test_a_machine_of_the_vendor_believes_what_its_key_signs(vendor: Keys) -> None:
    signers = bundle.signers(Signer(keys=vendor, tools=Toolchain(root=Path("/"))))

    envelope = bundle.sign({"format": 1}, BUNDLE_TYPE, signers)

    assert Trust.parse(bundle.trusted(vendor)).verified(envelope, BUNDLE_TYPE) == b'{"format":1}'


def test_a_second_key_of_the_vendor_signs_too(vendor: Keys, tmp_path: Path) -> None:
    keys.make(tmp_path / "more", datetime.datetime.now(datetime.UTC))
    for ending in ("key", "crt"):
        more = (tmp_path / "more" / f"update.{ending}").read_bytes()
        (vendor.folder / f"update-two.{ending}").write_bytes(more)
    signers = bundle.signers(Signer(keys=vendor, tools=Toolchain(root=Path("/"))))

    envelope = bundle.sign({"format": 1}, BUNDLE_TYPE, signers)

    assert len(signers) == 2
    assert Trust.parse(bundle.trusted(vendor, threshold=2)).verified(envelope, BUNDLE_TYPE)


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    nobody = Signer(keys=Keys(folder=tmp_path), tools=Toolchain(root=Path("/")))

    with pytest.raises(KeyRefused):
        bundle.signers(nobody)
