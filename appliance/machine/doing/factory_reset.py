"""Makes everything the machine keeps unreadable, for good, and starts it as on its first day.

Three things end, in an order in which a power cut at any point leaves a machine that goes on with
it at its next start: the note for the next start, the header of the volume's encryption, without
which its key cannot be known, and the TPM's owner secret, without which no older copy of the header
can be opened by this or any TPM. What the TPM cannot end is a copy of the header together with a
recovery key that was written down.
"""

import hmac
import os
from pathlib import Path
from typing import Final

from appliance.machine.ask import Facts
from appliance.machine.doing import tpm
from appliance.machine.doing.disk_keys import VOLUME
from appliance.machine.doing.hardware import serial_number
from appliance.machine.doing.power import begin_restart
from appliance.machine.errors import OrderRefused
from appliance.machine.orders import FactoryReset
from appliance.machine.tools import Tools

REQUEST: Final = "sys/firmware/efi/efivars/FactoryReset-8cf2644b-4b0b-428f-9387-6d876050dc67"
"""The firmware's variable that systemd-repart knows; coffer-factory-reset.service waits for it."""
# Attributes: kept without power, readable by boot services and by the system; then UTF-16 text.
_REQUESTED: Final = (7).to_bytes(4, "little") + "yes\0".encode("utf-16-le")

HEADER_BYTES: Final = 32 << 20
"""More than LUKS2 keeps of keys: two headers and all key slots lie in the first 16 MiB."""


def factory_reset(order: FactoryReset, tools: Tools) -> Facts:
    """End what is kept and begin to restart. Raises: OrderRefused if the number is another's."""
    own = serial_number(tools.root)
    if not own:
        raise OrderRefused(
            "this machine has no serial number to be typed",
            remedy="write the appliance's image to the disk anew instead",
        )
    if not hmac.compare_digest(order.serial_number.strip().casefold(), own.casefold()):
        raise OrderRefused(
            "this is not the serial number of this machine",
            remedy='it stands on the machine, and "coffer machine hardware" shows it;'
            " where a board has none, its UUID counts, which the firmware's set-up shows",
        )
    _request(tools.root)
    tools.tell({"step": "requested"})
    _erase_header(tools.root / VOLUME)
    tools.tell({"step": "erased"})
    is_cleared = tpm.obeys(tools.root / tpm.DEVICE, tpm.CLEAR)
    tools.tell({"step": "TPM cleared" if is_cleared else "TPM not cleared"})
    begin_restart(tools)
    return {"tpm_cleared": is_cleared}


def _request(root: Path) -> None:
    """Note in the firmware that the next start makes /var anew."""
    path = root / REQUEST
    if path.exists():
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, _REQUESTED)  # the kernel wants the whole variable in one call
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OrderRefused(
            f"the firmware does not take the request: {error.strerror}",
            remedy="nothing was changed; write the appliance's image to the disk anew instead",
        ) from None


def _erase_header(volume: Path) -> None:
    with volume.open("r+b", buffering=0) as device:
        zeros = bytes(1 << 20)
        for _ in range(HEADER_BYTES // len(zeros)):
            device.write(zeros)
        os.fsync(device.fileno())
