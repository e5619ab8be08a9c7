"""The errors of ``firmware``, which imports nothing of ours and so has a small tree of its own.

FirmwareError
├── MalformedInput            bytes or texts given to a parser break their format
├── UnpredictableMeasurement  what will be measured depends on what is not known here
├── UnacceptedMeasurements    a machine shows PCRs that no accepted release leads to
└── UnknownBank               a digest algorithm that is absent or that we cannot compute

``image`` shows them as they are; ``appliance`` raises a leaf of its own tree from them.
"""


class FirmwareError(Exception):
    """Something that a person must hear of: ``what`` went wrong and the ``remedy``.

    Both are lower case without a full stop, as printed after ``error:`` and ``hint:``.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class MalformedInput(FirmwareError):
    """Bytes or texts given to a parser break their format; ``what`` names the fault."""


class UnpredictableMeasurement(FirmwareError):
    """What the firmware will measure depends on something that is not known here."""


class UnacceptedMeasurements(FirmwareError):
    """A machine shows PCRs that no accepted release leads to."""


class UnknownBank(FirmwareError):
    """A bank of PCRs is absent, or has an algorithm that cannot be computed here."""
