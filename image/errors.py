"""What goes wrong while an image is made or booted, in words for whoever asked for it."""


class ImageError(Exception):
    """The image cannot be made, signed or booted as asked.

    cause: what happened, lower case, no full stop; remedy: what to do about it.
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


class CommandFailed(ImageError):
    """A program that we called reported a failure; the cause holds the end of what it said."""


class LockError(ImageError):
    """A package is not the one that the lock names, or the lock cannot be read."""


class KeyRefused(ImageError):
    """A signing key lies where it must not, is readable by others, or is missing."""


class MachineError(ImageError):
    """A virtual machine did not do what was waited for; the cause holds its console's end."""
