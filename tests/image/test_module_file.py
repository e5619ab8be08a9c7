import shutil
import struct
from pathlib import Path

import pytest
from cryptography import x509

from image.drivers.module_file import append_signature, read_module
from image.drivers.workshop import sign
from image.errors import ImageError
from image.keys import Keys
from image.signing import Signer, detached
from image.toolchain import Toolchain

TEXTS = (
    b"vermagic=6.12.118+deb13-amd64 SMP preempt mod_unload modversions \0"
    b"name=one\0depends=two,three\0license=GPL\0"
    b"alias=pci:v00008086d00004944sv*sd*bc*sc*i*\0parm=x:a name=other (int)\0"
)
MARK = b"~Module signature appended~\n"


def module(texts: bytes = TEXTS, section: bytes = b".modinfo") -> bytes:
    """Return an ELF file with one section of texts, and nothing to run."""
    names = b"\0" + section + b"\0.shstrtab\0"
    headers_at = 64 + len(texts) + len(names)
    head = b"\x7fELF\x02\x01".ljust(40, b"\0") + struct.pack("<Q", headers_at)
    head += bytes(10) + struct.pack("<HHH", 64, 3, 2)

    def header(name: int, at: int, length: int) -> bytes:
        return struct.pack("<I20xQQ24x", name, at, length)

    headers = bytes(64) + header(1, 64, len(texts))
    headers += header(2 + len(section), 64 + len(texts), len(names))
    return head + texts + names + headers


def certificate(keys: Keys, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(keys.named(name).certificate.read_bytes())


def signed(content: bytes, keys: Keys, name: str = "modules") -> bytes:
    return append_signature(content, detached(keys.named(name), content, has_certificate=False))


def test_a_module_says_its_kernel_its_needs_and_its_devices() -> None:
    read = read_module(module())

    assert (read.name, read.kernel, read.licence) == ("one", "6.12.118+deb13-amd64", "GPL")
    assert read.needs == ("two", "three")
    assert read.aliases == ("pci:v00008086d00004944sv*sd*bc*sc*i*",)
    assert read.signature is None


def test_a_module_signed_with_our_key_is_accepted(vendor_keys: Keys) -> None:
    read = read_module(signed(module(), vendor_keys))

    assert read.content == module()
    read.require_signed_by(certificate(vendor_keys, "modules"))


def test_a_signature_is_appended_as_the_kernels_own_tool_does(vendor_keys: Keys) -> None:
    file = signed(module(), vendor_keys)

    # scripts/sign-file.c: struct module_signature with its length big-endian, then these words.
    length = int.from_bytes(file[-len(MARK) - 4 : -len(MARK)], "big")
    trailer = file[-len(MARK) - 12 : -len(MARK) - 4]
    assert file.endswith(MARK)
    assert trailer == bytes((0, 0, 2, 0, 0, 0, 0, 0))
    assert len(file) == len(module()) + length + 12 + len(MARK)


def test_a_signed_module_is_not_signed_again(vendor_keys: Keys) -> None:
    with pytest.raises(ImageError, match="signed already"):
        signed(signed(module(), vendor_keys), vendor_keys)


def test_a_key_that_is_not_the_certificates_own_signs_no_module(
    vendor_keys: Keys, tmp_path: Path
) -> None:
    other = tmp_path / "keys"
    shutil.copytree(vendor_keys.folder, other)
    shutil.copy2(other / "boot.key", other / "modules.key")
    file = tmp_path / "one.ko"
    file.write_bytes(module())

    sign(file, Signer(keys=vendor_keys, tools=Toolchain(root=tmp_path)))
    read_module(file.read_bytes()).require_signed_by(certificate(vendor_keys, "modules"))
    file.write_bytes(module())
    with pytest.raises(ImageError, match="module one is not signed by CN="):
        sign(file, Signer(keys=Keys(folder=other), tools=Toolchain(root=tmp_path)))
    assert file.read_bytes() == module()


def test_a_module_without_signature_is_refused(vendor_keys: Keys) -> None:
    with pytest.raises(ImageError, match="module one is not signed"):
        read_module(module()).require_signed_by(certificate(vendor_keys, "modules"))


def test_a_module_signed_with_another_key_is_refused(vendor_keys: Keys) -> None:
    read = read_module(signed(module(), vendor_keys, "boot"))

    with pytest.raises(ImageError, match="not signed by CN=Coffer development modules"):
        read.require_signed_by(certificate(vendor_keys, "modules"))


def test_a_module_changed_after_it_was_signed_is_refused(vendor_keys: Keys) -> None:
    changed = signed(module(), vendor_keys).replace(b"depends=two,three", b"depends=two,threE")

    with pytest.raises(ImageError, match="not signed by"):
        read_module(changed).require_signed_by(certificate(vendor_keys, "modules"))


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\xfd7zXZ\0" + module(),
        module()[:100],
        module(section=b".rodata_"),
        b"\x7fELF\x02\x01".ljust(64, b"\xff"),
    ],
)
def test_what_is_no_module_is_refused(file: bytes) -> None:
    with pytest.raises(ImageError, match="no kernel module"):
        read_module(file)


@pytest.mark.parametrize(
    "trailer",
    [
        bytes(12),
        bytes((0, 0, 2, 0, 0, 0, 0, 0)) + bytes(4),
        bytes((0, 0, 2, 0, 0, 0, 0, 0)) + b"\xff\xff\xff\xff",
        bytes((0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 9)),
        b"",
    ],
)
def test_what_is_appended_and_no_signature_is_refused(trailer: bytes) -> None:
    with pytest.raises(ImageError, match=r"no signature of its kind|no kernel module"):
        read_module(module() + trailer + MARK)
