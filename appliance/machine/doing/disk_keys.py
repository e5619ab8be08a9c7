"""What opens /var: its LUKS2 volume is bound to the TPM, and to a recovery key once one is made.

systemd-cryptenroll does the work: keys come out on its standard output and go in by a file that
exists while it runs, in the helper's own /run; neither is ever among its words.
"""

import re
from typing import Final

from pydantic import JsonValue

from appliance.machine.ask import Facts
from appliance.machine.doing import sealing, wrapping
from appliance.machine.errors import OrderRefused, ProgramFailed
from appliance.machine.orders import AddRecoveryKey, BindDisk, ShowDiskKeys
from appliance.machine.posture import read_posture
from appliance.machine.tools import Tools

VOLUME: Final = "dev/disk/by-partlabel/coffer-var"
KEY_FILE: Final = "run/coffer-machine/recovery-key"
PCRS: Final = "7+12:sha256=" + "0" * 64
"""As the image binds it on first boot: Secure Boot and its keys as they are, and nothing added.

PCR 12, what was added to the kernel image, is named by its value: a start with additions must not
bind the volume to them.
"""

ENROLL: Final = "systemd-cryptenroll"
ENROLL_SECONDS: Final = 120.0
BY_TPM: Final = "--unlock-tpm2-device=auto"
_TO_TPM: Final = ("--tpm2-device=auto", f"--tpm2-pcrs={PCRS}")
_DOES_NOT_OPEN: Final = "Unlocking via keyfile failed: Operation not permitted"
_NEXT_START: Final = "coffer-start-again.timer"
_VAR: Final = "var.mount"
_OPEN_SECONDS: Final = 300.0
_SLOT: Final = re.compile(r"^\s*(\d+)\s+(password|recovery|pkcs11|fido2|tpm2|other)\s*$", re.M)
_RECOVERY_KEY: Final = re.compile(r"\b[cbdefghijklnrtuv]{8}(?:-[cbdefghijklnrtuv]{8}){7}\b")


def show_disk_keys(order: ShowDiskKeys, tools: Tools) -> Facts:
    """Tell the kinds of keys, in the order of their slots."""
    return {"kinds": _kinds(tools)}


def add_recovery_key(order: AddRecoveryKey, tools: Tools) -> Facts:
    """Make a recovery key, take older ones away, and tell the new one.

    It recovers the sealing key of the identity too, which must be at hand before anything ends.
    """
    if _is_var_closed(tools):
        raise OrderRefused(
            "a recovery key is made for the identity key too, which cannot be reached",
            remedy="open /var first: bind the disk by the recovery key that there is, and restart",
        )
    sealing_key = sealing.unseal(tools)
    said = _enroll(tools, BY_TPM, "--recovery-key", "--wipe-slot=recovery")
    found = _RECOVERY_KEY.search(said)
    if found is None:
        raise ProgramFailed(
            "no recovery key came out of systemd-cryptenroll", remedy="make one again"
        )
    if sealing_key is not None:
        wrapping.wrap(sealing_key, found.group(), tools)
    return {"recovery_key": found.group(), "kinds": _kinds(tools)}


def bind_disk(order: BindDisk, tools: Tools) -> Facts:
    """Bind the volume to the TPM as it is now, if the start was as it should be.

    Else a start with Secure Boot off, or of another's kernel, would be let in from then on.
    """
    if read_posture(tools.root).secure_boot is not True:
        raise OrderRefused(
            "the disk is not bound to a start without Secure Boot",
            remedy="switch Secure Boot on in the firmware's set-up and start again",
        )
    if order.recovery_key is None:
        _enroll(tools, BY_TPM, "--wipe-slot=tpm2", *_TO_TPM)
    else:
        if _is_var_closed(tools):
            tools.run("systemctl", "restart", _NEXT_START)  # it waits anew, lest it come between
        with tools.lent(KEY_FILE, order.recovery_key) as path:
            _bind_by_key(f"--unlock-key-file={path}", tools)
        _open_var(tools)
        wrapping.recover(order.recovery_key, tools)
    return {"kinds": _kinds(tools)}


def _bind_by_key(by_key: str, tools: Tools) -> None:
    """Bind the volume to a TPM that may be another one.

    What is bound to the same values of registers counts as bound already, whatever TPM it was, so
    that the old binding must go first: but not before the key is known to open the volume, which
    only making a key with it proves. So one is made, known to nobody, and goes again.
    """
    before = _slots(tools)
    try:
        _enroll(tools, by_key, "--recovery-key", "--wipe-slot=tpm2")
    except ProgramFailed as error:
        if _DOES_NOT_OPEN not in error.what:
            raise
        raise OrderRefused(
            "this recovery key does not open the disk",
            remedy="type the one that was made last; it ended those before",
        ) from error
    made = _slots(tools).keys() - before.keys()
    try:
        _enroll(tools, by_key, *_TO_TPM)
    finally:
        for slot in sorted(made):
            _enroll(tools, f"--wipe-slot={slot}")


def _is_var_closed(tools: Tools) -> bool:
    return read_posture(tools.root).is_appliance and not (tools.root / "var").is_mount()


def _open_var(tools: Tools) -> None:
    """Have systemd open /var where the start could not: what else the key recovers lies there."""
    if not _is_var_closed(tools):
        return
    try:
        tools.run("systemctl", "start", _VAR, seconds=_OPEN_SECONDS)
    except ProgramFailed as error:
        raise OrderRefused(
            f"the disk is bound, but /var does not open: {error.what}",
            remedy="restart, and bind it once more",
        ) from error


def _kinds(tools: Tools) -> list[JsonValue]:
    return [*_slots(tools).values()]


def _slots(tools: Tools) -> dict[str, str]:
    return dict(_SLOT.findall(_enroll(tools)))


def _enroll(tools: Tools, *words: str) -> str:
    return tools.run(ENROLL, *words, str(tools.root / VOLUME), seconds=ENROLL_SECONDS)
