"""What drivers are built of, and which image has them. The recipes are ``recipes.toml``."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec

from firmware.cards.catalogue import Profile
from image.errors import ImageError

FILE: Final = Path(__file__).with_name("recipes.toml")
# Where the image has our modules: depmod looks there first, and the definition's exclusions do not.
FOLDER: Final = "updates/coffer"
PATCHES: Final = Path(__file__).with_name("patches")

_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][A-Za-z0-9_+.-]{0,63}\Z")]
_Path = Annotated[str, msgspec.Meta(pattern=r"^(?:\.|\w[\w+.-]*(?:/\w[\w+.-]*)*)\Z")]
# Make's variables only: no target, no option.
_Setting = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Za-z0-9_]*=[ -~]*\Z")]
_Words = Annotated[tuple[_Word, ...], msgspec.Meta(min_length=1)]
_Paths = Annotated[tuple[_Path, ...], msgspec.Meta(min_length=1)]


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Modules that are built together.

    why:      Debian's kernel does not have them
    package:  of Debian, that has the source
    source:   in the package: a folder, or an archive of one
    folders:  of the source, that are unpacked; ``.`` is all of it
    builds:   folders of the source, that are built in this order
    settings: variables of make; ``{kernel}`` stands for the kernel's release
    modules:  that come of it, in files of these names and ``.ko``
    patches:  files of ``patches``, that are applied to the source; each says why at its beginning
    """

    name: _Word
    profile: Profile
    why: Annotated[str, msgspec.Meta(min_length=1)]
    package: _Word
    source: _Path
    folders: _Paths
    builds: _Paths
    settings: tuple[_Setting, ...]
    modules: _Words
    patches: tuple[_Word, ...] = ()


class _Recipes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    recipe: tuple[Recipe, ...]


def read() -> tuple[Recipe, ...]:
    """Return the recipes of the tree.

    Raises: ImageError if one is malformed.
    """
    return parse(FILE.read_text(encoding="utf-8"))


def parse(text: str) -> tuple[Recipe, ...]:
    """Return the recipes that a TOML text holds.

    Raises: ImageError, which names what in it is wrong.
    """
    try:
        recipes = msgspec.convert(tomllib.loads(text), _Recipes).recipe
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ImageError(f"recipes of drivers: {error}", f"correct {FILE.name}") from None
    for fault in _faults(recipes):
        raise ImageError(f"recipes of drivers: {fault}", f"correct {FILE.name}")
    return recipes


def _faults(recipes: Iterable[Recipe]) -> Iterator[str]:
    names = Counter(one.name for one in recipes)
    modules = Counter(name for one in recipes for name in one.modules)
    counted = (*names.items(), *modules.items())
    yield from (f"{name} stands there twice" for name, count in counted if count > 1)


def packages(kernel: str) -> tuple[str, ...]:
    """Return the packages that all recipes are built of, for one kernel."""
    return (*header_packages(kernel), *sorted({one.package for one in read()}))


def of_profiles(recipes: Iterable[Recipe], profiles: Iterable[str]) -> tuple[Recipe, ...]:
    """Return the recipes of an image with these profiles; some profiles have none."""
    wanted = frozenset(profiles)
    return tuple(one for one in recipes if one.profile.value in wanted)


def owners(recipes: Iterable[Recipe], kernel: str) -> dict[str, str]:
    """Return of each module's path in the image the component that it is compiled from."""
    return {
        f"usr/lib/modules/{kernel}/{FOLDER}/{name}.ko": f"deb:{one.package}"
        for one in recipes
        for name in one.modules
    }


_KERNEL: Final = re.compile(r"linux-image-((\d+\.\d+\.\d+\S*?)(?:-cloud|-rt)?-amd64)")


def find_kernel(packages: Iterable[str]) -> str:
    """Return the release of the one kernel among the names of an image's packages.

    Raises: ImageError if there is none, or more than one.
    """
    matches = (_KERNEL.fullmatch(name) for name in packages)
    found = [match.group(1) for match in matches if match]
    if len(found) != 1:
        raise ImageError(
            f"the image has not one kernel, but {len(found)}: {', '.join(found) or 'none'}",
            "drivers are built for one: let image/definition/mkosi.conf name one",
        )
    return found[0]


def header_packages(kernel: str) -> tuple[str, ...]:
    """Return the packages that modules for a kernel are built against.

    Raises: ImageError if this is no release of a kernel of Debian's.
    """
    match = _KERNEL.fullmatch(f"linux-image-{kernel}")
    if not match:
        raise ImageError(f"{kernel} is no kernel of Debian's", "build with a kernel of Debian's")
    common = match.group(2)
    return (f"linux-headers-{kernel}", f"linux-headers-{common}-common", f"linux-kbuild-{common}")
