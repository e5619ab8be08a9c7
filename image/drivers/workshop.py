"""Build the modules of recipes in the toolchain, and sign them with the image's own key."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509

from image import places
from image.drivers.module_file import append_signature, read_module
from image.drivers.recipes import FOLDER, PATCHES, Recipe, find_kernel, header_packages
from image.errors import ImageError
from image.lock import Lock
from image.repository import place_of
from image.signing import Signer
from image.toolchain import TOP, Place, Toolchain

KEY: Final = "modules"
_SCRIPT: Final = Path(__file__).with_name("build.sh")
_INSIDE: Final = TOP / "drivers"
_REMEDY: Final = "the sources may have changed: look at image/drivers/recipes.toml and its patches"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where drivers are built.

    kernel:   the release that they are for
    packages: the folder of Debian packages with the kernel's headers and the sources
    files:    of each package's name, its file there
    """

    kernel: str
    packages: Path
    files: Mapping[str, str]
    toolchain: Toolchain
    log: Path

    @classmethod
    def of_lock(cls, lock: Lock, archive: Path, toolchain: Toolchain, log: Path) -> "Workshop":
        """Return the workshop for the kernel of a lock's image.

        archive: has the packages of the lock's set ``drivers``
        Raises: ImageError if the image has not one kernel.
        """
        return cls(
            kernel=find_kernel(one.name for one in lock.of("image")),
            packages=archive,
            files={one.name: place_of(one) for one in lock.of("drivers")},
            toolchain=toolchain,
            log=log,
        )

    def build(self, recipe: Recipe) -> Path:
        """Return the folder of a recipe's modules, unsigned; built unless the cache has it.

        Cost: of processor time 10 s (qat-gen4) to 3 min (nvidia-open), and the unpacking.
        Raises: CommandFailed, which names what the kernel does not export; ImageError if a package
                is missing or what was built is for another kernel.
        """
        headers = tuple(self._file(name) for name in header_packages(self.kernel))
        source = self._file(recipe.package)
        built = places.cache() / "drivers" / f"{recipe.name}-{self._digest(recipe, source)}"
        if not built.exists():
            work = built.with_name(f"{built.name}.unfinished")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            self.toolchain.run_logged(
                ["bash", str(_INSIDE / "build.sh")],
                remedy=_REMEDY,
                log=self.log,
                seen=(
                    Place(outside=work, inside=_INSIDE / "work"),
                    Place(outside=self.packages, inside=_INSIDE / "packages"),
                    Place(outside=PATCHES, inside=_INSIDE / "patches"),
                    Place(outside=_SCRIPT, inside=_INSIDE / "build.sh"),
                ),
                environment={
                    "KERNEL": self.kernel,
                    "PACKAGE": source,
                    "SOURCE": recipe.source,
                    "HEADERS": " ".join(headers),
                    "PATCHES": " ".join(recipe.patches),
                    "FOLDERS": "\n".join(recipe.folders),
                    "BUILDS": "\n".join(recipe.builds),
                    "SETTINGS": "\n".join(recipe.settings).replace("{kernel}", self.kernel),
                    "MODULES": "\n".join(recipe.modules),
                },
            )
            for name in recipe.modules:
                require_kernel(work / "made" / f"{name}.ko", self.kernel)
            (work / "made").rename(built)
            shutil.rmtree(work)
        return built

    def install(
        self, recipes: Iterable[Recipe], root: Path, signer: Signer | None
    ) -> tuple[Path, ...]:
        """Put the modules of recipes into a tree, each signed if there is a signer; return files.

        Raises: what :meth:`build` and :func:`sign` raise.
        """
        folder = root / "usr/lib/modules" / self.kernel / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        placed = []
        for recipe in recipes:
            built = self.build(recipe)
            for name in recipe.modules:
                placed.append(Path(shutil.copyfile(built / f"{name}.ko", folder / f"{name}.ko")))
                if signer:
                    sign(placed[-1], signer)
        return tuple(placed)

    def _file(self, package: str) -> str:
        if package not in self.files:
            raise ImageError(
                f"there is no package {package} to build drivers with",
                "it is of another kernel than the image's, perhaps: make image-lock",
            )
        return self.files[package]

    def _digest(self, recipe: Recipe, source: str) -> str:
        """Return what names the result of a build: whatever it is made of, hashed."""
        total = hashlib.sha256(msgspec.json.encode((recipe, self.kernel, self.toolchain.root.name)))
        packages = [self._file(name) for name in header_packages(self.kernel)]
        files = [self.packages / name for name in (*packages, source)]
        for file in (*files, *(PATCHES / name for name in recipe.patches), _SCRIPT):
            with file.open("rb") as opened:
                total.update(hashlib.file_digest(opened, "sha256").digest())
        return total.hexdigest()[:16]


def sign(module: Path, signer: Signer) -> None:
    """Append a signature by the key of modules to a module's file, as the kernel reads it.

    The kernel knows that key's certificate, so the signature does not repeat it.
    Raises: KeyRefused, CommandFailed if the key cannot sign; ImageError if the module is signed
            already, or the certificate is another key's.
    """
    content = module.read_bytes()
    signed = append_signature(content, signer.detached(KEY, content, has_certificate=False))
    # The kernel would say so too, but on the box.
    certificate = signer.keys.named(KEY).certificate.read_bytes()
    read_module(signed).require_signed_by(x509.load_pem_x509_certificate(certificate))
    module.write_bytes(signed)


def require_kernel(file: Path, kernel: str) -> None:
    """Refuse a module that another kernel would load.

    Raises: ImageError
    """
    built_for = read_module(file.read_bytes()).kernel
    if built_for != kernel:
        raise ImageError(
            f"{file.name} is for kernel {built_for or 'unknown'}, not {kernel}",
            "remove the folder drivers from the cache and build again",
        )
