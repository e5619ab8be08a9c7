"""What can go wrong with a node's state folder and its database."""

from pathlib import Path

from services.errors import ServiceError


class StoreError(ServiceError):
    """The node's database cannot do what is asked; what was acknowledged before is still there."""


class StoreFull(StoreError):
    """The disk that holds the node's database is full; the change was undone whole."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the disk that holds {path} is full; the change was not made",
            remedy=f"free space below {path.parent}, then try again",
        )


class StoreGone(StoreError):
    """The node has been somebody already, but its database is not there."""

    def __init__(self, path: Path, identity: Path) -> None:
        super().__init__(
            f"the database {path} is gone, though the node's identity is there",
            remedy="restore the state folder from a backup; or, to become a new node and pair"
            f" again, remove {identity} (as the old one, its letters would be taken for repeated)",
        )


class StoreUnwritable(StoreError):
    """The database file could not be written; the change was undone whole."""

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(
            f"{path} cannot be written ({cause}); the change was not made",
            remedy="check the disk, its quota, and the file's owner and mode, then try again",
        )


class StoreDamaged(StoreError):
    """The database file is not a whole SQLite database."""

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(
            f"{path} is damaged or not a database ({cause})",
            remedy="restore the state folder from a backup",
        )


class StoreNewer(StoreError):
    """A newer version of Coffer has migrated the database."""

    def __init__(self, path: Path, revision: str) -> None:
        super().__init__(
            f"{path} was written by a newer version of coffer (revision {revision})",
            remedy="start that version, or restore a backup that this version made",
        )


class StoreForeign(StoreError):
    """The file in the database's place holds tables, but not ours."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} holds tables that coffer did not make",
            remedy="name another state folder with --state",
        )


class FolderInUse(StoreError):
    """Another agent runs on this state folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        holder = f"the process {pid}" if pid is not None else "another process"
        super().__init__(
            f"the state folder {folder} is already in use by {holder}",
            remedy="stop that process, or name another folder with --state",
        )


class FolderUnsafe(StoreError):
    """Another user could change the node's settings, key or facts."""

    def __init__(self, place: Path, what: str, mend: str) -> None:
        super().__init__(
            f"{place} {what}",
            remedy=f"see who wrote there and what; if all is well: {mend} {place}",
        )


class FolderUnusable(StoreError):
    """The state folder cannot be made, entered or written."""

    def __init__(self, folder: Path, cause: str) -> None:
        super().__init__(
            f"the state folder {folder} cannot be used ({cause})",
            remedy="check its owner and mode, or name another folder with --state",
        )
