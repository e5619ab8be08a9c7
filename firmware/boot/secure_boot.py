"""The variables of UEFI Secure Boot: their names, and how firmware measures them.

Source: UEFI 2.10 §3.3 (globally defined variables), §32.4.1 and §32.6 (image security database);
TCG PFP 1.06 §3.3.4.8 (PCR 7).
"""

from enum import Enum
from typing import Final
from uuid import UUID

from firmware.boot.event_data import VariableData
from firmware.boot.signature_lists import Signature

GLOBAL_VARIABLE: Final = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
IMAGE_SECURITY_DATABASE: Final = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")

ENABLED: Final = b"\x01"
DISABLED: Final = b"\x00"


class SecureBootVariable(Enum):
    """A variable that decides what the firmware loads, in the order of measurement."""

    SECURE_BOOT = ("SecureBoot", GLOBAL_VARIABLE, True)
    PK = ("PK", GLOBAL_VARIABLE, True)
    KEK = ("KEK", GLOBAL_VARIABLE, True)
    DB = ("db", IMAGE_SECURITY_DATABASE, True)
    DBX = ("dbx", IMAGE_SECURITY_DATABASE, True)
    DBT = ("dbt", IMAGE_SECURITY_DATABASE, False)
    DBR = ("dbr", IMAGE_SECURITY_DATABASE, False)

    def __init__(self, label: str, namespace: UUID, is_always_measured: bool) -> None:
        self.label = label
        self.namespace = namespace
        self.is_always_measured = is_always_measured


def measured(variable: SecureBootVariable, value: bytes) -> VariableData:
    """Return a variable as an EV_EFI_VARIABLE_DRIVER_CONFIG holds it; no bytes if it is absent."""
    return VariableData(namespace=variable.namespace, name=variable.label, value=value)


def authority(signature: Signature) -> VariableData:
    """Return the entry of ``db`` that verified an image, as an EV_EFI_VARIABLE_AUTHORITY."""
    database = SecureBootVariable.DB
    return VariableData(
        namespace=database.namespace, name=database.label, value=signature.encoded()
    )
