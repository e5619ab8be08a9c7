"""Keys in a PKCS #11 token sign as keys in files do; a token in software stands in."""

import datetime
import json
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from image import keys, toolchain
from image.errors import CommandFailed
from image.keys import Keys
from image.signing import Signer, Token
from image.toolchain import Place

HOLDS: Final = ("boot", "modules", "pcr", "verity")
SETTINGS: Final = "directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n"
IMPORT: Final = """
softhsm2-util --init-token --free --label vendor --so-pin 123456 --pin 123456
for key in boot modules pcr verity; do
  id=$(printf %s "$key" | od -An -tx1 | tr -d ' ')
  softhsm2-util --import "/vendor/$key.key" --token vendor --label "$key" --id "$id" --pin 123456
done
"""
STUB: Final = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """All keys of a vendor, as files."""
    folder = tmp_path_factory.mktemp("vendor") / "keys"
    keys.make(folder, datetime.datetime.now(datetime.UTC))
    return keys.read(folder)


@pytest.fixture(scope="module")
def by_token(vendor: Keys, tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Signs with keys that lie in a token; of their files only the certificates are left."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "pin").write_text("123456")
    settings = folder / "softhsm2.conf"
    settings.write_text(SETTINGS.format(folder=folder))
    environment = {"SOFTHSM2_CONF": str(settings)}
    tools = toolchain.find()
    tools.run(
        ["bash", "-euc", IMPORT],
        seen=(
            Place(outside=folder, inside=folder),
            Place(outside=vendor.folder, inside=Path("/vendor")),
        ),
        environment=environment,
        remedy="look at what softhsm2-util says",
    )
    left = tmp_path_factory.mktemp("left") / "keys"
    left.mkdir(mode=0o700)
    for file in vendor.folder.iterdir():
        if file.suffix == ".crt" or file.stem not in HOLDS:
            (left / file.name).write_bytes(file.read_bytes())
            (left / file.name).chmod(0o600)
    token = Token(
        label="vendor",
        module=Path("/usr/lib/softhsm/libsofthsm2.so"),
        pin=folder / "pin",
        holds=frozenset(HOLDS),
        seen=(folder,),
        environment=tuple(environment.items()),
    )
    return Signer(keys=keys.read(left, sign=set(keys.NAMES) - set(HOLDS)), tools=tools, token=token)


@pytest.mark.parametrize(("name", "has_certificate"), [("verity", True), ("modules", False)])
def test_a_token_signs_content_as_a_file_does(
    vendor: Keys, by_token: Signer, name: str, has_certificate: bool
) -> None:
    content = b"a root hash, or a module"

    signature = by_token.detached(name, content, has_certificate=has_certificate)

    signed = vendor.named(name).certificate
    certificate = x509.load_pem_x509_certificate(signed.read_bytes())
    assert (certificate.public_bytes(Encoding.DER) in signature) is has_certificate
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature[-256:], content, padding.PKCS1v15(), hashes.SHA256())


def test_a_token_signs_programs_of_the_boot(by_token: Signer, tmp_path: Path) -> None:
    seen = (Place(outside=tmp_path, inside=Path("/signed")),)
    by_token.run(
        [
            *("/usr/lib/systemd/systemd-sbsign", "sign", STUB, *by_token.secret("boot")),
            *(f"--certificate={by_token.certificate('boot')}", "--output=/signed/stub"),
        ],
        seen=seen,
    )

    by_token.run(["sbverify", "--cert", by_token.certificate("boot"), "/signed/stub"], seen=seen)
    with pytest.raises(CommandFailed):
        by_token.run(["sbverify", "--cert", by_token.certificate("pcr"), "/signed/stub"], seen=seen)


def test_a_token_and_a_file_sign_the_same_policies(vendor: Keys, by_token: Signer) -> None:
    by_file = Signer(keys=vendor, tools=by_token.tools)

    policies = [
        json.loads(
            signer.run(
                [
                    *("/usr/lib/systemd/systemd-measure", "sign", "--json=short"),
                    *("--bank=sha256", f"--linux={STUB}", *signer.secret("pcr")),
                    f"--certificate={signer.certificate('pcr')}",
                ]
            )
        )
        for signer in (by_file, by_token)
    ]

    assert policies[0] == policies[1]
    assert len(policies[0]["sha256"]) == 4


def test_a_wrong_pin_signs_nothing(by_token: Signer, tmp_path: Path) -> None:
    assert by_token.token is not None
    (tmp_path / "pin").write_text("000000")
    held = by_token.token
    token = Token(
        label=held.label,
        module=held.module,
        pin=tmp_path / "pin",
        holds=held.holds,
        seen=held.seen,
        environment=held.environment,
    )
    wrong = Signer(keys=by_token.keys, tools=by_token.tools, token=token)

    with pytest.raises(CommandFailed) as refused:
        wrong.detached("verity", b"content")
    assert "000000" not in str(refused.value)
