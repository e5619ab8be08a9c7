"""Drivers as a build makes them, and what must be true of each."""

import fnmatch
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography import x509

from firmware.cards.catalogue import Device, Family
from image import keys, lock, mirror, places, repository
from image.drivers import recipes
from image.drivers.module_file import Module, read_module
from image.drivers.recipes import Recipe
from image.drivers.support import read_catalogue
from image.drivers.workshop import Workshop
from image.signing import Signer
from image.toolchain import Toolchain

# Classes that cards show themselves as: 3D controllers, co-processors, processing accelerators.
_CLASSES: Final = ("bc03sc02i00", "bc0Bsc40i00", "bc12sc00i00")


def open_workshop(tools: Toolchain, log: Path, *built: Recipe) -> Workshop:
    """Return the workshop of the image's kernel, with the packages to build these."""
    locked = lock.read()
    kernel = recipes.find_kernel(one.name for one in locked.of("image"))
    wanted = {*recipes.header_packages(kernel), *(one.package for one in built)}
    packages = tuple(one for one in locked.of("drivers") if one.name in wanted)
    archive = repository.prepare(replace(locked, packages=packages), mirror.read_mirror().uris)
    return Workshop.of_lock(locked, archive, tools, log)


def recipe_named(name: str) -> Recipe:
    """Return a recipe of the tree."""
    return next(one for one in recipes.read() if one.name == name)


def assert_made(workshop: Workshop, recipe: Recipe, root: Path) -> None:
    """Build a recipe's modules, and hold them to the kernel, the key and the catalogue."""
    ours = keys.read(places.keys())
    signed = ours.named("modules").certificate.read_bytes()
    certificate = x509.load_pem_x509_certificate(signed)

    signer = Signer(keys=ours, tools=workshop.toolchain)
    files = workshop.install([recipe], root, signer)

    assert [file.stem for file in files] == list(recipe.modules)
    made = {file.stem.replace("-", "_"): read_module(file.read_bytes()) for file in files}
    for module in made.values():
        module.require_signed_by(certificate)
        assert module.kernel == workshop.kernel
    for family in read_catalogue().of_profile(recipe.profile):
        if family.module in made:
            unknown = [one.id for one in family.devices if not knows(made[family.module], one)]
            assert unknown == [], f"{family.module} does not take cards of {family.name}"
            assert_licensed(made[family.module], family)


def knows(module: Module, device: Device) -> bool:
    """Return whether the kernel would choose a module for a device of the catalogue."""
    vendor, number = (part.upper() for part in device.id.split(":"))
    for subsystem in device.subsystems or ("0000:0000",):
        maker, model = (part.upper() for part in subsystem.split(":"))
        names = [
            f"pci:v0000{vendor}d0000{number}sv0000{maker}sd0000{model}{kind}" for kind in _CLASSES
        ]
        if not any(fnmatch.fnmatchcase(name, one) for name in names for one in module.aliases):
            return False
    return True


def assert_licensed(module: Module, family: Family) -> None:
    """Hold what a module tells the kernel of its licence to the catalogue's."""
    said = {"GPL": "GPL-2.0", "GPL v2": "GPL-2.0", "Dual BSD/GPL": "BSD", "Dual MIT/GPL": "MIT"}
    assert said[module.licence] in family.licence
