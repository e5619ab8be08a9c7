"""The support bundle: files that a vendor needs to find a fault, and a manifest of what they are.

Nothing goes in as it was found but numbers, choices, and words of a list (see ``redaction``); there
is no file in it that was copied from the machine. It is not encrypted: who gets it can read it.
"""

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from appliance.machine.ask import Facts, Helper
from appliance.machine.disks import Disk, Filesystem
from appliance.machine.errors import OrderRefused
from appliance.machine.load import Load
from appliance.machine.orders import CollectSupport
from appliance.machine.posture import Posture
from firmware.cards.found import FoundCard

MOST_BYTES: Final = 20 << 20
MOST_COLLECTED: Final = 64 << 20
LEFT_OUT: Final = (
    "rows, keys and results of datasets and jobs",
    "the identity key, certificates, invitations, set-up codes and recovery keys",
    "names of nodes, peers, datasets, operators and servers",
    "texts of what Coffer's own programs logged: only where in its code",
    "words of other logs that are not on the list in appliance/machine/vocabulary.txt",
)

_VERSION: Final = re.compile(r"[0-9]+(\.[0-9]+)*(-[0-9]+)?(\+deb[0-9u]+)?(-amd64)?")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_LOCKDOWNS: Final = frozenset({"", "none", "integrity", "confidentiality"})
_PLACES: Final = frozenset({"/", "/usr", "/var", "/srv", "/efi", "/boot"})


def collect(helper: Helper, own: Mapping[str, Any]) -> bytes:
    """Return the bundle, a .tar.gz: ``own`` facts, and what the helper tells.

    Raises: OutsideAppliance; OrderRefused if it would be too large.
    """
    pieces: dict[str, list[str]] = {}
    collected_bytes = 0

    def hear(told: Facts) -> None:
        nonlocal collected_bytes
        name, text = str(told["file"]), str(told["text"])
        collected_bytes += len(text)
        if collected_bytes > MOST_COLLECTED:
            raise _too_large()
        pieces.setdefault(name, []).append(text)

    done = helper(CollectSupport(), tell=hear)
    files = {name: "".join(texts).encode() for name, texts in pieces.items()}
    files |= {f"{name}.json": _json(facts) for name, facts in own.items()}
    manifest = {
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in sorted(files.items())
        },
        "words_taken_out": done["taken_out"],
        "left_out": LEFT_OUT,
    }
    packed = _packed({"MANIFEST.json": _json(manifest)} | files)
    if len(packed) > MOST_BYTES:
        raise _too_large()
    return packed


def machine_facts(
    posture: Posture,
    load: Load,
    cards: Sequence[FoundCard],
    disks: Sequence[Disk],
    filesystems: Sequence[Filesystem],
) -> Mapping[str, Any]:
    """Return what a bundle tells of the machine: numbers, choices and what the catalogue names."""
    return {
        "is_appliance": posture.is_appliance,
        "image_version": _fitting(_VERSION, posture.image_version),
        "kernel": _fitting(_VERSION, posture.kernel),
        "secure_boot": posture.secure_boot,
        "lockdown": posture.lockdown if posture.lockdown in _LOCKDOWNS else "‹?›",
        "requires_signed_modules": posture.requires_signed_modules,
        "usr_root_hash": _fitting(_HASH, posture.usr_root_hash),
        "usr_is_read_only": posture.usr_is_read_only,
        "var_is_encrypted": posture.var_is_encrypted,
        "pcrs": {number: _fitting(_HASH, value) for number, value in posture.pcrs.items()},
        "taint": posture.taint,
        "problems": len(posture.problems()),
        "cores": load.cores,
        "busy_fraction": round(load.busy_fraction, 2),
        "memory_bytes": load.memory_bytes,
        "memory_free_bytes": load.memory_free_bytes,
        "disk_bytes": load.disk_bytes,
        "disk_free_bytes": load.disk_free_bytes,
        "up_seconds": round(load.up_seconds),
        "cards": [
            {
                "family": card.family.name if card.family else "",
                "vendor": card.pci.vendor,
                "device": card.pci.device,
                "has_driver": card.pci.driver is not None,
                "problems": len(card.problems),
            }
            for card in cards
        ],
        "disks": [{"size_bytes": one.size_bytes, "rotates": one.rotates} for one in disks],
        "filesystems": [
            {
                "place": one.place if one.place in _PLACES else "‹?›",
                "size_bytes": one.size_bytes,
                "free_bytes": one.free_bytes,
                "is_read_only": one.is_read_only,
            }
            for one in filesystems
        ],
    }


def settings_facts(settings: BaseModel) -> Mapping[str, Any]:
    """Return of settings the numbers and switches, of all else whether it is set."""
    return {
        name: value if isinstance(value, bool | int) else bool(value) for name, value in settings
    }


def _fitting(pattern: re.Pattern[str], text: str) -> str:
    return text if not text or pattern.fullmatch(text) else "‹?›"


def _json(facts: Any) -> bytes:
    return json.dumps(facts, indent=1, ensure_ascii=False).encode() + b"\n"


def _packed(files: Mapping[str, bytes]) -> bytes:
    """Return an archive without times, owners or anything else of this machine."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"coffer-support/{Path(name).name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def _too_large() -> OrderRefused:
    return OrderRefused(
        "the support bundle would be too large", remedy="send the vendor single logs instead"
    )
