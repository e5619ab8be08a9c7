"""The hashes of all that a build hands out, signed: one file that vouches for the others."""

import hashlib
from pathlib import Path
from typing import Final

from image.signing import Signer

KEY: Final = "update"


def write(folder: Path, version: str, signer: Signer) -> Path:
    """Write hashes of a build's files, as ``sha256sum -c`` reads them, and who vouches for them.

    The signature beside it is a detached CMS one (RFC 5652), in DER. Return the file of hashes.
    Raises: KeyRefused, CommandFailed if the key fails.
    """
    sums = folder / f"coffer_{version}.sha256"
    lines = []
    for file in sorted(folder.glob(f"coffer_{version}.*")):
        if file.is_file() and not file.is_symlink() and not file.name.startswith(sums.name):
            with file.open("rb") as content:
                lines.append(f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {file.name}\n")
    sums.write_text("".join(lines), encoding="ascii")
    signature = signer.detached(KEY, sums.read_bytes())
    sums.with_name(f"{sums.name}.p7s").write_bytes(signature)
    return sums
