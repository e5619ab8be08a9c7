"""Write what a build is made of beside its disk: inventory of files, and bills of materials."""

import datetime
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from image import components, inventory, ownership, places, sbom
from image.build import Build
from image.drivers import recipes
from image.drivers.recipes import Recipe
from image.inventory import Inventory
from image.lock import Package
from image.sign import Output
from image.wheels import Wheels


def write(build: Build, output: Output, wheels: Wheels) -> Inventory:
    """Write inventory, CycloneDX and SPDX of a build that has its manifest; some seconds.

    Raises: ImageError if too many files belong to no component.
    """
    installed = tuple(read_installed(build, output))
    initrd = tuple(one for one in build.lock.of("initrd") if one not in installed)
    compiled = recipes.of_profiles(recipes.read(), build.profiles)
    sources = tuple(read_sources(build, compiled))
    contents = ownership.read_contents((*installed, *initrd, *sources), build.archive)
    own = {name: one for name, one in contents.items() if name in {p.name for p in installed}}
    known = ownership.owners(own, wheels, (*places.own_trees(build.profiles), build.staged))
    if compiled:
        kernel = recipes.find_kernel(one.name for one in installed)
        known |= recipes.owners(compiled, kernel)
    found = inventory.take(output, build.toolchain, known)
    output.file("files.json").write_text(inventory.format_inventory(found), encoding="utf-8")
    inventory.require_covered(found)
    made_of = components.of_packages((*installed, *initrd, *sources), contents)
    made_of += components.of_wheels(wheels, build.version)
    made_at = datetime.datetime.fromtimestamp(build.epoch_seconds, datetime.UTC)
    for ending, form in (("cdx.json", sbom.cyclonedx), ("spdx.json", sbom.spdx_json)):
        text = form(build.version, made_at, made_of)
        output.file(ending).write_text(text, encoding="utf-8")
    return found


def read_sources(build: Build, compiled: Iterable[Recipe]) -> Iterable[Package]:
    """Return the packages that the image's own modules are compiled from."""
    wanted = {one.package for one in compiled}
    for package in build.lock.of("drivers"):
        if package.name in wanted:
            yield replace(package, sets=("image",))


def read_installed(build: Build, output: Output) -> Iterable[Package]:
    """Return the packages of the lock that a build's manifest says it has.

    Raises: LockError if it has others.
    """
    manifest = json.loads(output.file("manifest.json").read_text(encoding="utf-8"))
    for part in manifest["parts"]:
        if part["kind"] == "deb":
            yield build.lock.get(part["name"], part["version"])


def status_of(packages: Iterable[Package], archive: Path) -> str:
    """Return packages as dpkg's status file has them when they are installed."""
    index = next((archive / "dists").glob("*/main/binary-amd64/Packages"))
    wanted = {f"Filename: pool/{one.sha256}.deb" for one in packages}
    paragraphs = index.read_text(encoding="utf-8").split("\n\n")
    return "\n\n".join(
        f"{paragraph.strip()}\nStatus: install ok installed"
        for paragraph in paragraphs
        if wanted & set(paragraph.splitlines())
    )
