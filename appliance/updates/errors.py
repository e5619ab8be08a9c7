"""Why an update is refused or fails; one class for each cause, so that each can be told apart."""

from services.errors import ConfigError, ServiceError

_ASK_VENDOR = "fetch the bundle again from the vendor"


class UpdateRefused(ConfigError):
    """The bundle may not be installed here; nothing of it was written to a slot."""


class BundleForeign(UpdateRefused):
    """The file is no update bundle."""

    def __init__(self) -> None:
        super().__init__(
            "this is no update bundle of coffer", remedy="name a file that ends in .bundle"
        )


class BundleTruncated(UpdateRefused):
    """The file ends before the bundle does."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the bundle ends within its {what}", remedy=_ASK_VENDOR)


class BundleTooLong(UpdateRefused):
    """The file goes on after the bundle's end."""

    def __init__(self) -> None:
        super().__init__("the file goes on after the bundle's end", remedy=_ASK_VENDOR)


class ManifestMalformed(UpdateRefused):
    """The manifest breaks the format's rules."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the bundle's manifest is malformed: {what}", remedy=_ASK_VENDOR)


class BundleUnsigned(UpdateRefused):
    """Too few of the keys that this image trusts have signed the manifest."""

    def __init__(self, threshold: int) -> None:
        keys = "a key" if threshold == 1 else f"{threshold} of the keys"
        super().__init__(
            f"the bundle is not signed by {keys} that this appliance trusts",
            remedy="take no other than the vendor's own bundle; tell the vendor if it is",
        )


class PartDamaged(UpdateRefused):
    """A part is not the one that the signed manifest names."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the part {name} of the bundle is not the one that was signed", remedy=_ASK_VENDOR
        )


class BundleForOther(UpdateRefused):
    """The bundle is of another product."""

    def __init__(self, image: str) -> None:
        super().__init__(
            f"the bundle holds the image {image}, not this one's", remedy="take the one for this"
        )


class BundleForMachine(UpdateRefused):
    """The bundle is for machines of another kind."""

    def __init__(self, architecture: str, ours: str) -> None:
        super().__init__(
            f"the bundle is for {architecture}, this machine is {ours}",
            remedy=f"take the one for {ours}",
        )


class BundleExpired(UpdateRefused):
    """The bundle may no longer be installed: newer ones mend what it has."""

    def __init__(self, version: str, when: str) -> None:
        super().__init__(
            f"the bundle of {version} has expired on {when}", remedy="fetch a newer bundle"
        )


class BundleUnripe(UpdateRefused):
    """The bundle was signed later than it is now."""

    def __init__(self, when: str) -> None:
        super().__init__(
            f"the bundle was made on {when}, which this machine thinks is yet to come",
            remedy="see that the machine's clock is right",
        )


class BundleOlder(UpdateRefused):
    """The bundle is older than what has run here: old faults would come back."""

    def __init__(self, version: str, floor: str) -> None:
        super().__init__(
            f"the bundle holds {version}, older than {floor}, which has run here",
            remedy="fetch a newer bundle; to go back to the other slot: coffer updates rollback",
        )


class BundleRunning(UpdateRefused):
    """The bundle holds what already runs."""

    def __init__(self, version: str) -> None:
        super().__init__(f"{version} is running already", remedy="there is nothing to do")


class BundleSkips(UpdateRefused):
    """The bundle cannot replace what runs; another must come between."""

    def __init__(self, version: str, oldest: str) -> None:
        super().__init__(
            f"{version} replaces only {oldest} and newer", remedy=f"install {oldest} before"
        )


class StateUnreadable(UpdateRefused):
    """The release in question cannot read the node's present database."""

    def __init__(self, version: str, revision: str) -> None:
        super().__init__(
            f"{version} cannot read this node's database (revision {revision})",
            remedy="take a newer bundle, or restore a backup that it can read",
        )


class KernelUntrusted(UpdateRefused):
    """No key that the machine's firmware trusts has signed the kernel image."""

    def __init__(self, count: int) -> None:
        keys = "the one key" if count == 1 else f"any of the {count} keys"
        super().__init__(
            "this machine's firmware would not start the kernel image: its vendor has not signed "
            f"it with {keys} in the machine's Secure Boot db",
            remedy="ask the vendor for an update that is signed with this machine's keys, or for "
            "one that brings the new keys first",
        )


class KernelRevoked(UpdateRefused):
    """The machine's firmware lists the kernel image, or who signed it, as revoked."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"this machine's firmware would not start the kernel image: {what} is in its Secure "
            "Boot dbx, the list of what was revoked",
            remedy="ask the vendor for a newer update",
        )


class KernelMalformed(UpdateRefused):
    """The kernel image is none that firmware could start."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"this machine's firmware would not start the kernel image: {what}",
            remedy="tell the vendor, who has signed the bundle all the same",
        )


class FirmwareKeysUnreadable(UpdateRefused):
    """What the machine's firmware starts cannot be told, so nothing is left to chance."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(
            f"the firmware's variable {name}, which says what it starts, cannot be read ({cause})",
            remedy="restart the machine and try again; if it stays so, send the vendor a support "
            "bundle",
        )


class IndexStale(UpdateRefused):
    """The server's index of updates is one that was replaced, or has expired: it is withheld."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the server's index of updates {what}",
            remedy="somebody may be hiding newer updates: try another network, or tell the vendor",
        )


class SourceUnusable(ConfigError):
    """The server of updates cannot be reached, or answers what nobody asked for."""


class TrustMissing(ConfigError):
    """The image does not say which keys sign its updates."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"the keys of updates cannot be read ({cause})", remedy="is this the appliance?"
        )


class NothingToStart(ConfigError):
    """The other slot holds nothing that could be started."""


class NothingToCancel(ConfigError):
    """No update is being installed, and none waits for a restart."""


class InstallFailed(ServiceError):
    """A verified update could not be written; what runs stays as it is."""


class ProgramFailed(InstallFailed):
    """A program of the operating system ran to its end and said that it failed."""


class Cancelled(Exception):
    """Somebody asked to stop an installation; that is no fault."""
