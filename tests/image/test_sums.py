"""The hashes of a build's files vouch for each, and the vendor's certificate for them."""

import subprocess
from pathlib import Path

import pytest

from image import sums
from image.keys import Keys
from image.signing import Signer
from image.toolchain import Toolchain


@pytest.fixture
def handed_out(vendor_keys: Keys, tmp_path: Path) -> Path:
    for name in ("coffer_1.raw", "coffer_1.cdx.json", "coffer_1.esp.raw"):
        (tmp_path / name).write_text(name)
    (tmp_path / "build.log").write_text("not handed out")
    signer = Signer(keys=vendor_keys, tools=Toolchain(root=Path("/nowhere")))
    assert sums.write(tmp_path, "1", signer) == tmp_path / "coffer_1.sha256"
    return tmp_path


def verifies(folder: Path, certificate: Path) -> bool:
    """Tell what OpenSSL says of the signature, as README has it called."""
    words = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any"]
    words += ["-in", "coffer_1.sha256.p7s", "-content", "coffer_1.sha256"]
    words += ["-CAfile", str(certificate), "-out", "/dev/null"]
    return subprocess.run(words, cwd=folder, capture_output=True, check=False).returncode == 0


def checks(folder: Path) -> bool:
    words = ["sha256sum", "--check", "--strict", "--quiet", "coffer_1.sha256"]
    return subprocess.run(words, cwd=folder, capture_output=True, check=False).returncode == 0


def test_others_tools_find_all_files_as_they_were_signed(
    handed_out: Path, vendor_keys: Keys
) -> None:
    listed = (handed_out / "coffer_1.sha256").read_text().splitlines()

    assert [line.split()[1] for line in listed] == [
        "coffer_1.cdx.json",
        "coffer_1.esp.raw",
        "coffer_1.raw",
    ]
    assert checks(handed_out)
    assert verifies(handed_out, vendor_keys.named("update").certificate)


def test_a_changed_file_and_changed_hashes_are_found_out(
    handed_out: Path, vendor_keys: Keys
) -> None:
    (handed_out / "coffer_1.raw").write_text("another")
    assert not checks(handed_out)

    sums_file = handed_out / "coffer_1.sha256"
    sums_file.write_text(sums_file.read_text().replace("a", "b"))
    assert not verifies(handed_out, vendor_keys.named("update").certificate)


def test_another_key_vouches_for_nothing(handed_out: Path, vendor_keys: Keys) -> None:
    assert not verifies(handed_out, vendor_keys.named("boot").certificate)
