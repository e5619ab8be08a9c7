"""Whose keys sign: files on this machine, or objects in a PKCS #11 token that never leave it."""

import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

from image import keys
from image.errors import KeyRefused
from image.keys import Key, Keys
from image.toolchain import TOP, Place, Toolchain

_KEYS: Final = TOP / "keys"
_TOKEN: Final = TOP / "token"
_REMEDY: Final = "see that the token is there, its PIN is right, and its objects have their names"
_OPENSSL: Final = """openssl_conf = settings
[settings]
providers = providers
[providers]
default = builtin
pkcs11 = pkcs11
[builtin]
activate = 1
[pkcs11]
module = /usr/lib/x86_64-linux-gnu/ossl-modules/pkcs11.so
pkcs11-module-path = {module}
pkcs11-module-token-pin = file:{pin}
activate = 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A PKCS #11 token, and which of the keys lie in it, each as the object of its name.

    module: the token's library, inside the toolchain; pin: a file with the PIN and nothing else
    seen: what else of this machine the library reads; environment: what it must find set
    """

    label: str
    module: Path
    pin: Path
    holds: frozenset[str]
    seen: tuple[Path, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


def read_token(file: Path) -> Token:
    """Return the token that a file describes.

    Raises: KeyRefused if the file cannot be read or describes none.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise KeyRefused(
            f"{file} cannot be read: {error.strerror}", "name the token's file"
        ) from None
    return parse_token(text)


def parse_token(text: str) -> Token:
    """Return the token that a TOML file describes: label, module, pin, holds; seen, environment.

    Raises: KeyRefused if it describes none.
    """
    try:
        held = tomllib.loads(text)
        token = Token(
            label=str(held["label"]),
            module=Path(held["module"]),
            pin=Path(held["pin"]),
            holds=frozenset(map(str, held["holds"])),
            seen=tuple(map(Path, held.get("seen", ()))),
            environment=tuple((str(k), str(v)) for k, v in held.get("environment", {}).items()),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise KeyRefused(
            f"the token's file cannot be read: {error!r}",
            "give it label, module, pin and holds, as image/signing.py says",
        ) from None
    unknown = sorted(token.holds - set(keys.NAMES))
    if unknown or any(mark in token.label for mark in ";?&%"):
        raise KeyRefused(
            f"the token's file names what is no key: {', '.join(unknown) or token.label}",
            f"keys are {', '.join(keys.NAMES)}",
        )
    return token


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs by the name of a key, with the toolchain's programs."""

    keys: Keys
    tools: Toolchain
    token: Token | None = None

    def has_in_token(self, name: str) -> bool:
        """Tell whether a key lies in the token; else it is a file."""
        return self.token is not None and name in self.token.holds

    def secret(self, name: str) -> list[str]:
        """Return what tells systemd's tools where a private key is."""
        if self.has_in_token(name):
            return [f"--private-key={self._uri(name)}", "--private-key-source=provider:pkcs11"]
        return [f"--private-key={_KEYS / name}.key"]

    def certificate(self, name: str) -> str:
        """Return where in the toolchain a certificate lies."""
        return str(_KEYS / f"{name}.crt")

    def run(self, program: Sequence[str], *, seen: Sequence[Place] = ()) -> str:
        """Run a program that signs; return what it prints.

        Raises: CommandFailed
        """
        places = [*seen, Place(outside=self.keys.folder, inside=_KEYS)]
        if self.token is None:
            return self.tools.run(program, seen=places, remedy="see what it says of the key")
        with tempfile.TemporaryDirectory(prefix="coffer-token-") as name:
            settings = Path(name) / "openssl.cnf"
            pin = _TOKEN / "pin"
            settings.write_text(_OPENSSL.format(module=self.token.module, pin=pin))
            places += [Place(outside=path, inside=path) for path in self.token.seen]
            places += [
                Place(outside=settings, inside=_TOKEN / "openssl.cnf"),
                Place(outside=self.token.pin, inside=pin),
            ]
            environment = dict(self.token.environment)
            environment |= {"OPENSSL_CONF": str(_TOKEN / "openssl.cnf")}
            return self.tools.run(program, seen=places, environment=environment, remedy=_REMEDY)

    def detached(self, name: str, content: bytes, *, has_certificate: bool = True) -> bytes:
        """Return a PKCS #7 signature over content that it does not hold, without attributes.

        has_certificate: the signature brings along who signed; without, it names issuer and serial
        Raises: KeyRefused if the key is none that firmware takes, CommandFailed if the token fails.
        """
        if self.has_in_token(name):
            return self._detached_in_token(name, content, has_certificate=has_certificate)
        return detached(self.keys.named(name), content, has_certificate=has_certificate)

    def _detached_in_token(self, name: str, content: bytes, *, has_certificate: bool) -> bytes:
        with tempfile.TemporaryDirectory(prefix="coffer-sign-") as folder:
            work = Path(folder)
            (work / "content").write_bytes(content)
            inside = TOP / "sign"
            self.run(
                [
                    *("openssl", "cms", "-sign", "-binary", "-noattr", "-md", "sha256"),
                    *(() if has_certificate else ("-nocerts",)),
                    *("-outform", "DER", "-signer", self.certificate(name)),
                    *("-inkey", self._uri(name), "-in", str(inside / "content")),
                    *("-out", str(inside / "signature")),
                ],
                seen=[Place(outside=work, inside=inside)],
            )
            return (work / "signature").read_bytes()

    def _uri(self, name: str) -> str:
        label = self.token.label if self.token else ""
        return f"pkcs11:token={label};object={name};type=private"


def detached(key: Key, content: bytes, *, has_certificate: bool = True) -> bytes:
    """Return a detached PKCS #7 signature without attributes, by a key that is a file.

    has_certificate: as for :meth:`Signer.detached`
    Raises: KeyRefused if it is no RSA key.
    """
    certificate = x509.load_pem_x509_certificate(key.certificate.read_bytes())
    secret = load_pem_private_key(key.secret.read_bytes(), password=None)
    if not isinstance(secret, rsa.RSAPrivateKey):
        raise KeyRefused(f"{key.secret} is no RSA key", "firmware takes RSA alone: make a new key")
    options = [
        pkcs7.PKCS7Options.DetachedSignature,
        pkcs7.PKCS7Options.Binary,
        pkcs7.PKCS7Options.NoAttributes,
        *(() if has_certificate else (pkcs7.PKCS7Options.NoCerts,)),
    ]
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    return builder.add_signer(certificate, secret, hashes.SHA256()).sign(Encoding.DER, options)
