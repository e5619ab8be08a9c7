"""Whether firmware would start a kernel image: what Secure Boot's lists say, with sbverify played.

``tests/vm/test_firmware_accepts.py`` asks the real one.
"""

import datetime
import hashlib
import io
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.updates import errors
from appliance.updates.programs import run_program
from appliance.updates.record import Record
from appliance.updates.startable import SBVERIFY, require_startable
from appliance.updates.states import UpdateState
from firmware.boot.banks import Bank
from firmware.boot.pe import parse_image
from firmware.boot.secure_boot import DISABLED, ENABLED, SecureBootVariable
from firmware.boot.signature_lists import Signature, SignatureType, build_signature_lists
from tests.unit.update_doubles import RUNNING, Disk, set_variable, write_bundle
from tests.vectors.firmware_builders import image, number

UNKNOWN_LIST = bytes(range(16)) + number(28 + 20, 4) + number(0, 4) + number(20, 4) + bytes(20)


@cache
def certificate(name: str) -> x509.Certificate:
    """Return a vendor's certificate, always the same of a name."""
    secret = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(title).issuer_name(title)
    made = made.public_key(secret.public_key()).serial_number(1)
    made = made.not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=1))
    return made.sign(secret, hashes.SHA256())


def key(name: str) -> Signature:
    return entry(SignatureType.X509, Signature.of_certificate(certificate(name), owner=OWNER).data)


def entry(kind: SignatureType, data: bytes) -> Signature:
    return Signature(owner=OWNER, kind=kind, data=data)


OWNER = SecureBootVariable.DB.namespace


@dataclass
class Box:
    """A machine with Secure Boot and a staged kernel image. signers: as sbverify would find."""

    root: Path
    kernel: Path
    signers: set[str] = field(default_factory=lambda: {"boot"})
    asked: list[str] = field(default_factory=list)

    def run(self, *words: str, seconds: float) -> str:
        assert words[0] == SBVERIFY
        assert words[-1] == str(self.kernel)
        self.asked.append(words[1])
        if words[1] == "--cert":
            given = ssl.PEM_cert_to_DER_cert(Path(words[2]).read_text())
            if given not in {key(name).data for name in self.signers}:
                raise errors.ProgramFailed("Signature verification failed")
        return ""

    def hash(self, kind: SignatureType, bank: Bank) -> Signature:
        return entry(kind, parse_image(self.kernel.read_bytes()).authenticode(bank))

    def trust(self, *entries: Signature) -> None:
        set_variable(self.root, SecureBootVariable.DB, build_signature_lists(entries))

    def revoke(self, *entries: Signature) -> None:
        set_variable(self.root, SecureBootVariable.DBX, build_signature_lists(entries))

    def require(self) -> None:
        require_startable(self.kernel, self.root, self.run)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    kernel = tmp_path / "kernel.efi"
    kernel.write_bytes(image([(".linux", b"kernel"), (".cmdline", b"quiet")]))
    made = Box(root=tmp_path / "machine", kernel=kernel)
    set_variable(made.root, SecureBootVariable.SECURE_BOOT, ENABLED)
    made.trust(key("boot"), key("modules"))
    return made


@pytest.mark.parametrize("signer", ["boot", "modules"])
def test_any_key_of_db_may_have_signed(box: Box, signer: str) -> None:
    box.signers = {signer}

    box.require()

    assert box.asked == ["--list", "--cert", "--cert"]


@pytest.mark.parametrize("signers", [set(), {"stranger"}])
def test_an_image_that_no_key_of_db_has_signed_is_refused(box: Box, signers: set[str]) -> None:
    box.signers = signers

    with pytest.raises(errors.KernelUntrusted, match="vendor has not signed it with any of the 2"):
        box.require()


def test_it_is_told_how_many_keys_there_are(box: Box) -> None:
    box.trust(key("other"))

    with pytest.raises(errors.KernelUntrusted, match="with the one key in the machine's") as caught:
        box.require()
    assert "brings the new keys first" in caught.value.remedy


@pytest.mark.parametrize("value", [None, DISABLED])
def test_where_firmware_starts_anything_nothing_is_checked(box: Box, value: bytes | None) -> None:
    box.signers = set()
    place = set_variable(box.root, SecureBootVariable.SECURE_BOOT, value or b"")
    if value is None:
        place.unlink()

    box.require()

    assert box.asked == []


KINDS = [
    (SignatureType.SHA256, Bank.SHA256),
    (SignatureType.SHA384, Bank.SHA384),
    (SignatureType.SHA512, Bank.SHA512),
]


@pytest.mark.parametrize(("kind", "bank"), KINDS)
def test_an_unsigned_image_starts_if_db_has_its_hash(
    box: Box, kind: SignatureType, bank: Bank
) -> None:
    box.signers = set()
    box.trust(key("boot"), box.hash(kind, bank))

    box.require()


@pytest.mark.parametrize(("kind", "bank"), KINDS)
def test_an_image_whose_hash_is_in_dbx_is_refused(
    box: Box, kind: SignatureType, bank: Bank
) -> None:
    box.revoke(entry(kind, bytes(bank.size)), box.hash(kind, bank))

    with pytest.raises(errors.KernelRevoked, match="its hash is in"):
        box.require()


def test_an_image_that_a_key_in_dbx_has_signed_too_is_refused(box: Box) -> None:
    box.signers = {"boot", "old"}
    box.revoke(key("old"))

    with pytest.raises(errors.KernelRevoked, match="the key that signed it is in"):
        box.require()


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (SignatureType.X509_SHA256, hashlib.sha256),
        (SignatureType.X509_SHA384, hashlib.sha384),
        (SignatureType.X509_SHA512, hashlib.sha512),
    ],
)
def test_dbx_may_name_a_signer_by_the_hash_of_its_certificate(
    box: Box, kind: SignatureType, make: Callable[[bytes], "hashlib._Hash"]
) -> None:
    named = make(certificate("boot").tbs_certificate_bytes).digest()
    when = bytes(16)
    box.revoke(entry(kind, bytes(len(named)) + when), entry(kind, named + when))

    with pytest.raises(errors.KernelRevoked, match="the key that signed it is in"):
        box.require()
    box.signers = {"modules"}
    box.require()


def test_what_dbx_has_of_others_is_no_matter(box: Box) -> None:
    hash_of_another = entry(SignatureType.SHA256, hashlib.sha256(b"another").digest())
    box.revoke(hash_of_another, key("old"))

    box.require()


def test_lists_of_a_kind_that_nobody_here_knows_are_passed_over(box: Box) -> None:
    known = build_signature_lists([key("boot")])
    set_variable(box.root, SecureBootVariable.DB, UNKNOWN_LIST + known + UNKNOWN_LIST)
    set_variable(box.root, SecureBootVariable.DBX, UNKNOWN_LIST)

    box.require()


def test_a_key_of_db_that_no_library_reads_vouches_for_nothing_and_harms_nothing(box: Box) -> None:
    box.trust(entry(SignatureType.X509, b"junk"), key("boot"))

    box.require()


@pytest.mark.parametrize("variable", [SecureBootVariable.DB, SecureBootVariable.DBX])
def test_lists_that_cannot_be_read_are_no_consent(box: Box, variable: SecureBootVariable) -> None:
    set_variable(box.root, variable, build_signature_lists([key("boot")])[:-1])

    with pytest.raises(errors.FirmwareKeysUnreadable, match=rf"variable {variable.label}, .*trunc"):
        box.require()


def test_a_variable_that_may_not_be_read_is_no_consent(box: Box) -> None:
    place = set_variable(box.root, SecureBootVariable.SECURE_BOOT, ENABLED)
    place.unlink()
    place.mkdir()

    with pytest.raises(errors.FirmwareKeysUnreadable, match="variable SecureBoot"):
        box.require()


def test_what_is_no_program_of_firmware_is_refused(box: Box) -> None:
    box.kernel.write_bytes(b"kernel")

    with pytest.raises(errors.KernelMalformed, match="PE image"):
        box.require()


@pytest.mark.parametrize("at", ["--list", "--cert"])
def test_a_program_that_cannot_say_has_not_said_no(box: Box, at: str) -> None:
    def broken(*words: str, seconds: float) -> str:
        if words[1] == at:
            raise errors.InstallFailed("it could not be run to its end")
        return ""

    with pytest.raises(errors.InstallFailed, match="to its end"):
        require_startable(box.kernel, box.root, broken)


def test_a_program_that_does_not_end_by_itself_has_not_said_no() -> None:
    with pytest.raises(errors.ProgramFailed, match="false failed"):
        run_program("false", seconds=10)
    for words in (("/nowhere/sbverify",), ("/",), ("sh", "-c", "kill -KILL $$")):
        with pytest.raises(errors.InstallFailed) as caught:
            run_program(*words, seconds=10)
        assert not isinstance(caught.value, errors.ProgramFailed)


# Where it stands in an installation.
@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    disk = Disk(tmp_path / "disk").make()
    set_variable(disk.root, SecureBootVariable.SECURE_BOOT, ENABLED)
    set_variable(disk.root, SecureBootVariable.DB, build_signature_lists([key("boot")]))
    return disk


def test_an_update_that_firmware_would_not_start_changes_nothing(
    disk: Disk, tmp_path: Path
) -> None:
    kernel = image([(".linux", b"kernel")])
    disk.is_kernel_signed = False

    with pytest.raises(errors.KernelUntrusted) as refused:
        disk.installation().install(io.BytesIO(write_bundle(tmp_path, kernel=kernel).read_bytes()))

    assert disk.steps == []
    assert disk.listed() == [f"coffer_{RUNNING}.efi"]
    update = Record.read(disk.root).update
    assert update is not None
    assert (update.state, update.reason) == (UpdateState.FAILED, refused.value.what)
    assert update.remedy == refused.value.remedy
    kept = disk.root / "var/lib/coffer-updates"
    assert [path.name for path in kept.iterdir()] == ["record.json"]


def test_an_update_that_firmware_would_start_is_installed(disk: Disk, tmp_path: Path) -> None:
    kernel = image([(".linux", b"kernel")])

    disk.installation().install(io.BytesIO(write_bundle(tmp_path, kernel=kernel).read_bytes()))

    update = Record.read(disk.root).update
    assert update is not None
    assert update.state is UpdateState.READY
