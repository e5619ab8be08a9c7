"""What the file of a kernel module says of itself: its kernel, what it needs, and who signed it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from image.errors import ImageError

# As the kernel has it (include/linux/module_signature.h): algorithm, hash, kind, two lengths and
# three bytes that are 0, the length of the signature that stands before; then these words.
_MARK: Final = b"~Module signature appended~\n"
_TRAILER_BYTES: Final = 12
_PKCS7_TRAILER: Final = bytes((0, 0, 2, 0, 0, 0, 0, 0))
# Of ELF for 64 bits, little-endian: where the section headers are, and one header.
_ELF: Final = b"\x7fELF\x02\x01"
_HEADERS: Final = struct.Struct("<40xQ10xHHH")
_SECTION: Final = struct.Struct("<I20xQQ24x")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A kernel module.

    kernel:    the release that it was built for; empty if it does not say
    needs:     other modules, by name
    licence:   as it tells the kernel
    aliases:   of the devices that it is for
    content:   what is signed
    signature: PKCS #7, DER; None if it has none
    """

    name: str
    kernel: str
    needs: tuple[str, ...]
    licence: str
    aliases: tuple[str, ...]
    content: bytes
    signature: bytes | None

    def require_signed_by(self, certificate: x509.Certificate) -> None:
        """Refuse the module unless the key of a certificate has signed it, with SHA-256 and RSA.

        Raises: ImageError
        """
        key = certificate.public_key()
        if self.signature is None:
            raise ImageError(f"module {self.name} is not signed", _REMEDY)
        if not isinstance(key, rsa.RSAPublicKey):
            raise ImageError("the key of modules is no RSA key", "make another: make image-keys")
        # There are no attributes, so the signature ends with the number over the content.
        number = self.signature[-key.key_size // 8 :]
        try:
            key.verify(number, self.content, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            who = certificate.subject.rfc4514_string()
            raise ImageError(f"module {self.name} is not signed by {who}", _REMEDY) from None


_REMEDY: Final = (
    "see that the key modules is its certificate's own; then remove the folder drivers from the"
    " cache and build again"
)


def read_module(file: bytes) -> Module:
    """Return what the content of a ``.ko`` file says.

    Raises: ImageError if it is no module, or what is appended to it is no signature.
    """
    content, signature = _split(file)
    try:
        sections = dict(_sections(content))
    except (struct.error, IndexError):
        sections = {}
    if b".modinfo" not in sections:
        raise ImageError("this is no kernel module", "give the content of a .ko file, unpacked")
    texts: dict[str, list[str]] = {}
    for text in sections[b".modinfo"].decode("utf-8", errors="replace").split("\0"):
        name, _, value = text.partition("=")
        texts.setdefault(name, []).append(value)

    def first(name: str) -> str:
        return texts.get(name, [""])[0]

    return Module(
        name=first("name"),
        kernel=first("vermagic").partition(" ")[0],
        needs=tuple(word for word in first("depends").split(",") if word),
        licence=first("license"),
        aliases=tuple(texts.get("alias", ())),
        content=content,
        signature=signature,
    )


def append_signature(content: bytes, signature: bytes) -> bytes:
    """Return the file of a module that has none yet, with its signature, which is PKCS #7 in DER.

    Raises: ImageError if it has one, by which alone the kernel would go.
    """
    if content.endswith(_MARK):
        raise ImageError("this module is signed already", _REMEDY)
    trailer = _PKCS7_TRAILER + len(signature).to_bytes(_TRAILER_BYTES - len(_PKCS7_TRAILER), "big")
    return content + signature + trailer + _MARK


def _split(file: bytes) -> tuple[bytes, bytes | None]:
    """Return a module's file in two: what is signed, and the signature."""
    if not file.endswith(_MARK):
        return file, None
    end = len(file) - len(_MARK) - _TRAILER_BYTES
    trailer = file[end : end + _TRAILER_BYTES]
    length = int.from_bytes(trailer[8:], "big")
    if end < 0 or trailer[:8] != _PKCS7_TRAILER or not 0 < length < end:
        raise ImageError("what is appended to a module is no signature of its kind", _REMEDY)
    return file[: end - length], file[end - length : end]


def _sections(elf: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each section; struct.error or IndexError if there are none."""
    if not elf.startswith(_ELF):
        return
    start, size, count, names = _HEADERS.unpack_from(elf)
    if start + size * count > len(elf):
        return
    entries = [_SECTION.unpack_from(elf, start + size * number) for number in range(count)]
    _, at, length = entries[names]
    texts = elf[at : at + length]
    for name, at, length in entries:
        yield texts[name:].partition(b"\0")[0], elf[at : at + length]
