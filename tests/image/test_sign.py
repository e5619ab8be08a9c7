import base64
import datetime
import hashlib
import json
import struct
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from image import keys, pipeline, sign, signing
from image.errors import ImageError, KeyRefused
from image.keys import Keys
from image.sign import Output
from image.signing import Signer, Token
from image.toolchain import Toolchain

ROOT_HASH = "0123456789abcdef" * 4
DESCRIBED = """
label = "vendor"
module = "/usr/lib/token.so"
pin = "/root/pin"
holds = ["boot", "pcr"]
seen = ["/run/pcscd"]
environment = { SETTINGS = "/etc/token.conf" }
"""


def executable(sections: dict[str, bytes]) -> bytes:
    """Return a PE image with these sections, as little of one as its reader takes."""
    optional = struct.pack("<H", 0x20B).ljust(60, b"\0") + struct.pack("<I", 1024)
    optional = optional.ljust(240, b"\0")
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, len(optional), 0)
    table, body = b"", b""
    for name, content in sections.items():
        place = 1024 + len(body)
        table += name.encode().ljust(8, b"\0")
        table += struct.pack("<IIII", len(content), 0, len(content), place).ljust(32, b"\0")
        body += content
    return (head + optional + table).ljust(1024, b"\0") + body


def signer(vendor: Keys, token: Token | None = None) -> Signer:
    return Signer(keys=vendor, tools=Toolchain(root=Path("/nowhere")), token=token)


def test_the_root_hash_is_the_one_that_the_command_line_asks_for() -> None:
    line = f"root=tmpfs usrhash={ROOT_HASH} quiet\0".encode()

    assert sign.root_hash(executable({".cmdline": line})) == ROOT_HASH


@pytest.mark.parametrize(
    "line", ["quiet", "usrhash=12", f"xusrhash={ROOT_HASH}", f"usrhash={ROOT_HASH}0"]
)
def test_a_kernel_image_that_asks_for_no_root_hash_is_refused(line: str) -> None:
    with pytest.raises(ImageError, match="no root hash"):
        sign.root_hash(executable({".cmdline": line.encode()}))


def test_a_signed_root_hash_can_be_verified(vendor_keys: Keys) -> None:
    content = sign.signed_root_hash(ROOT_HASH, signer(vendor_keys))

    assert len(content) == 16384
    held = json.loads(content.rstrip(b"\0"))
    certificate = x509.load_pem_x509_certificate(
        vendor_keys.named("verity").certificate.read_bytes()
    )
    der = certificate.public_bytes(Encoding.DER)
    assert held["rootHash"] == ROOT_HASH
    assert held["certificateFingerprint"] == hashlib.sha256(der).hexdigest()
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    last = base64.b64decode(held["signature"])[-256:]  # the last thing in it, without attributes
    key.verify(last, ROOT_HASH.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_partitions_are_found_by_their_type() -> None:
    table = {
        "partitiontable": {
            "sectorsize": 512,
            "partitions": [{"type": "A", "start": 2048}, {"type": "B", "start": 4096}],
        }
    }

    assert sign.parse_table(json.dumps(table)) == {"A": 2048 * 512, "B": 4096 * 512}


def test_a_part_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    disk, part = tmp_path / "disk", tmp_path / "part"
    disk.write_bytes(b"a" * 10 + bytes(sign._PIECE_BYTES + 5) + b"z" * 10)
    part.write_bytes(b"new" + bytes(sign._PIECE_BYTES + 2))

    sign.replace_part(disk, 10, part)

    assert disk.read_bytes() == b"a" * 10 + part.read_bytes() + b"z" * 10


def test_a_build_is_found_by_its_kernel_image(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="holds no one build"):
        sign.find(tmp_path)
    (tmp_path / "coffer_1.2.efi").touch()
    (tmp_path / f"coffer_1.2.usr-x86-64.{'ab' * 16}.raw").touch()

    found = sign.find(tmp_path)

    assert found == Output(folder=tmp_path, version="1.2")
    assert found.partition("usr").exists()
    with pytest.raises(ImageError, match="no one partition usr-verity"):
        found.partition("usr-verity")


def test_a_token_is_told_to_systemds_tools_without_its_pin(vendor_keys: Keys) -> None:
    token = signing.parse_token(DESCRIBED)

    words = signer(vendor_keys, token).secret("boot")

    assert words == [
        "--private-key=pkcs11:token=vendor;object=boot;type=private",
        "--private-key-source=provider:pkcs11",
    ]
    assert signer(vendor_keys, token).secret("verity") == ["--private-key=/coffer/keys/verity.key"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "label = 1",
        DESCRIBED.replace('"pcr"', '"root"'),
        DESCRIBED.replace('"vendor"', '"vendor;pin-value=1"'),
        DESCRIBED.replace("holds", "has"),
        DESCRIBED.replace('{ SETTINGS = "/etc/token.conf" }', "3"),
    ],
)
def test_a_damaged_description_of_a_token_is_refused(text: str) -> None:
    with pytest.raises(KeyRefused):
        signing.parse_token(text)


def test_keys_in_a_token_need_no_file(vendor_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    for file in vendor_folder.iterdir():
        if file.name != "boot.key":
            (folder / file.name).write_bytes(file.read_bytes())
            (folder / file.name).chmod(0o600)

    assert keys.read(folder, sign=set(keys.NAMES) - {"boot"}).folder == folder
    with pytest.raises(KeyRefused, match="no key boot"):
        keys.read(folder)


def test_what_signs_nothing_needs_certificates_alone(vendor_folder: Path, tmp_path: Path) -> None:
    for file in vendor_folder.glob("*.crt"):
        (tmp_path / file.name).write_bytes(file.read_bytes())

    assert keys.read(tmp_path, sign=()).folder == tmp_path
    (tmp_path / "verity.crt").unlink()
    with pytest.raises(KeyRefused, match="no certificate verity"):
        keys.read(tmp_path, sign=())


def test_a_version_tells_its_time() -> None:
    at = datetime.datetime(2026, 11, 29, 10, 40, 37, tzinfo=datetime.UTC)

    assert pipeline.epoch_of(pipeline.version_at(int(at.timestamp()))) == int(at.timestamp())
    with pytest.raises(ImageError, match="no version"):
        pipeline.epoch_of("latest")
