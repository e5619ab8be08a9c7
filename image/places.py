"""Where things lie that are no part of the tree: downloads, the toolchain, keys."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

TREE: Final = Path(__file__).resolve().parents[1]
DEFINITION: Final = Path(__file__).resolve().with_name("definition")
PROFILES: Final = DEFINITION / "mkosi.profiles"
OUT: Final = Path(__file__).resolve().with_name("out")
UNSIGNED: Final = OUT / "unsigned"
TIMES: Final = OUT / "times.json"


def own_trees(profiles: Iterable[str]) -> tuple[Path, ...]:
    """Return the folders of the tree that are laid over Debian's files, of an image's profiles."""
    folders = (DEFINITION, *(PROFILES / name for name in profiles))
    return tuple(folder / "mkosi.extra" for folder in folders)


def cache() -> Path:
    """Return the folder of all that can be fetched or made again; it may be deleted at any time."""
    return _below("XDG_CACHE_HOME", ".cache") / "coffer-image"


def keys() -> Path:
    """Return the folder of the development keys."""
    return _below("XDG_CONFIG_HOME", ".config") / "coffer" / "image-keys"


def _below(variable: str, otherwise: str) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if named.startswith("/") else Path.home() / otherwise
