"""Real signatures and the real sbverify: which kernel images an update may bring to a machine.

No machine is started: its firmware's variables are files. That firmware itself decides so is seen
by ``tests/vm/attacks``, of a kernel image without our signature and with another's.
"""

import datetime
import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from appliance.updates.errors import KernelRevoked, KernelUntrusted
from appliance.updates.install import Installation
from appliance.updates.programs import run_program
from appliance.updates.startable import SBVERIFY, require_startable
from firmware.boot.banks import Bank
from firmware.boot.pe import parse_image
from firmware.boot.secure_boot import ENABLED, SecureBootVariable
from firmware.boot.signature_lists import Signature, SignatureType, build_signature_lists
from image import enrolment, keys
from image.keys import Key, Keys
from image.signing import Signer
from image.toolchain import Place, Toolchain
from tests.unit.update_doubles import NEW, RUNNING, Disk, set_variable, write_bundle

STUB: Final = "usr/lib/systemd/boot/efi/linuxx64.efi.stub"
INSIDE: Final = Path("/machine-of-test")
NOW: Final = datetime.datetime.now(datetime.UTC)
DAY: Final = datetime.timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A machine's folder with the vendor's keys in its firmware, and a kernel image in it."""

    root: Path
    tools: Toolchain
    vendor: Keys

    @property
    def kernel(self) -> Path:
        return self.root / "kernel.efi"

    def run(self, *words: str, seconds: float) -> str:
        """Run a program of the toolchain, which sees the folder elsewhere."""
        seen = [word.replace(str(self.root), str(INSIDE)) for word in words]
        place = Place(outside=self.root, inside=INSIDE)
        return run_program(*self.tools.command(seen, [place], {}), seconds=seconds)

    def sign(self, name: str) -> None:
        """Sign the kernel image with a key of the vendor's, as a build does."""
        signer = Signer(keys=self.vendor, tools=self.tools)
        signer.run(
            [
                *("/usr/lib/systemd/systemd-sbsign", "sign", str(INSIDE / "kernel.efi")),
                *(*signer.secret(name), f"--certificate={signer.certificate(name)}"),
                f"--output={INSIDE / 'kernel.signed'}",
            ],
            seen=(Place(outside=self.root, inside=INSIDE),),
        )
        (self.root / "kernel.signed").rename(self.kernel)

    def sign_with(self, key: Key) -> None:
        """Sign it with a key of anybody's; a signature that it has stays."""
        words = ("--key", str(key.secret), "--cert", str(key.certificate))
        self.run("sbsign", *words, "--output", str(self.kernel), str(self.kernel), seconds=60)

    def trust(self, *entries: Signature) -> None:
        set_variable(self.root, SecureBootVariable.DB, build_signature_lists(entries))

    def revoke(self, *entries: Signature) -> None:
        set_variable(self.root, SecureBootVariable.DBX, build_signature_lists(entries))

    def require(self) -> None:
        require_startable(self.kernel, self.root, self.run)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("vendor") / "keys"
    keys.make(folder, NOW)
    return keys.read(folder)


@pytest.fixture
def box(tools: Toolchain, vendor: Keys, tmp_path: Path) -> Box:
    made = Box(root=tmp_path / "machine", tools=tools, vendor=vendor)
    made.root.mkdir()
    made.kernel.write_bytes((tools.root / STUB).read_bytes())
    set_variable(made.root, SecureBootVariable.SECURE_BOOT, ENABLED)
    db = SecureBootVariable.DB
    set_variable(made.root, db, enrolment.values(vendor)[db])
    return made


def issue(
    folder: Path, name: str, *, by: Key | None = None, days: int = 10, is_authority: bool = False
) -> Key:
    """Write a key and its certificate, issued by another or by itself; days: that it is good."""
    secret = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing = title, secret
    if by is not None:
        issuer = x509.load_pem_x509_certificate(by.certificate.read_bytes()).subject
        read = serialization.load_pem_private_key(by.secret.read_bytes(), password=None)
        assert isinstance(read, rsa.RSAPrivateKey)
        signing = read
    made = (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(issuer)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 100 * DAY)
        .not_valid_after(NOW + days * DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(signing, hashes.SHA256())
    )
    key = Key(secret=folder / f"{name}.key", certificate=folder / f"{name}.crt")
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    key.secret.write_bytes(secret.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    key.certificate.write_bytes(made.public_bytes(pem))
    return key


@pytest.mark.parametrize("name", ["boot", "modules"])
def test_what_a_key_of_db_has_signed_may_come(box: Box, name: str) -> None:
    box.sign(name)

    box.require()


def test_without_a_signature_it_may_not(box: Box) -> None:
    with pytest.raises(KernelUntrusted, match="any of the 2 keys"):
        box.require()


def test_with_another_key_of_the_vendor_it_may_not(box: Box) -> None:
    box.sign("verity")

    with pytest.raises(KernelUntrusted):
        box.require()


def test_changed_after_it_was_signed_it_may_not(box: Box) -> None:
    box.sign("boot")
    changed = bytearray(box.kernel.read_bytes())
    changed[parse_image(bytes(changed)).sections[0].file_offset] ^= 1
    box.kernel.write_bytes(changed)

    with pytest.raises(KernelUntrusted):
        box.require()


def test_one_good_signature_beside_a_strangers_is_enough(box: Box) -> None:
    stranger = issue(box.root, "stranger")
    box.sign_with(stranger)
    with pytest.raises(KernelUntrusted):
        box.require()
    box.sign("boot")

    box.require()
    box.revoke(enrolment.entry(stranger))
    with pytest.raises(KernelRevoked, match="the key that signed it"):
        box.require()


def test_its_hash_may_be_revoked(box: Box) -> None:
    unsigned = parse_image(box.kernel.read_bytes()).authenticode(Bank.SHA256)
    box.sign("boot")
    signed = parse_image(box.kernel.read_bytes()).authenticode(Bank.SHA256)
    box.revoke(Signature(owner=enrolment.OWNER, kind=SignatureType.SHA256, data=signed))

    assert signed == unsigned
    with pytest.raises(KernelRevoked, match="its hash"):
        box.require()


def test_its_signer_may_be_revoked_by_certificate_or_hash(box: Box) -> None:
    box.sign("boot")
    signer = enrolment.entry(box.vendor.named("boot"))
    named = hashlib.sha256(signer.certificate().tbs_certificate_bytes).digest()
    hash_of_signer = Signature(
        owner=enrolment.OWNER, kind=SignatureType.X509_SHA256, data=named + bytes(16)
    )

    for revoked in (signer, hash_of_signer):
        box.revoke(revoked)
        with pytest.raises(KernelRevoked, match="the key that signed it"):
            box.require()
    box.revoke(enrolment.entry(box.vendor.named("modules")))
    box.require()


def test_db_may_hold_whoever_issued_the_signers_certificate(box: Box) -> None:
    root = issue(box.root, "root", is_authority=True)
    authority = issue(box.root, "authority", by=root, is_authority=True)
    box.sign_with(issue(box.root, "leaf", by=authority))
    with pytest.raises(KernelUntrusted):
        box.require()
    box.trust(enrolment.entry(authority))

    box.require()
    box.revoke(enrolment.entry(authority))
    with pytest.raises(KernelRevoked, match="the key that signed it"):
        box.require()


def test_firmware_has_no_calendar_so_certificates_do_not_expire(box: Box) -> None:
    old = issue(box.root, "old", days=-1)
    box.sign_with(old)
    box.trust(enrolment.entry(old))

    box.require()


def installation(box: Box, disk: Disk) -> Installation:
    """Return an installation on a disk that is played, with the real sbverify."""

    def run(*words: str, seconds: float) -> str:
        return (box if words[0] == SBVERIFY else disk).run(*words, seconds=seconds)

    return replace(disk.installation(), run=run)


def test_a_signed_update_is_installed(box: Box, tmp_path: Path) -> None:
    box.sign("boot")
    bundle = write_bundle(tmp_path, kernel=box.kernel.read_bytes()).read_bytes()
    disk = Disk(box.root).make()

    installation(box, disk).install(io.BytesIO(bundle))

    assert disk.listed() == [f"coffer_{RUNNING}.efi", f"coffer_{NEW}+3-0.efi"]


def test_an_update_whose_kernel_image_nobody_signed_changes_nothing(
    box: Box, tmp_path: Path
) -> None:
    bundle = write_bundle(tmp_path, kernel=box.kernel.read_bytes()).read_bytes()
    disk = Disk(box.root).make()

    with pytest.raises(KernelUntrusted):
        installation(box, disk).install(io.BytesIO(bundle))

    assert disk.steps == []
    assert disk.listed() == [f"coffer_{RUNNING}.efi"]
