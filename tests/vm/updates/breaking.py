"""Updates that their vendor signed and that do not work: parts of a good one, broken, signed anew.

What is broken lies behind every signature that is checked before an update is written, so that
only the start itself can find it. But for a kernel image without its signature: that is refused.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image import bundle, keys, places, sign
from image.signing import Signer
from image.toolchain import Toolchain
from tests.vm.updates.manifests import manifest_of

_EXPENDABLE: Final = (
    b"slab_nomerge init_on_alloc=1 init_on_free=1 page_alloc.shuffle=1 randomize_kstack_offset=on"
)
"""Words of the command line that a start does without; what breaks it is put in their place."""
_FLIPPED_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of an update in a folder of their own, and who signs.

    unsigned: its kernel image as it was before it was signed
    """

    files: Mapping[str, Path]
    unsigned: Path
    signer: Signer

    def spoil(self, name: str) -> None:
        """Change every bit of a part's first MiB."""
        with self.files[name].open("r+b") as file:
            start = file.read(_FLIPPED_BYTES)
            file.seek(0)
            file.write(bytes(byte ^ 0xFF for byte in start))

    def say_to_kernel(self, words: str) -> None:
        """Put words into the kernel's command line, and sign all of it as it should be."""
        kernel = self.unsigned.read_bytes()
        assert kernel.count(_EXPENDABLE) == 1
        kernel = kernel.replace(_EXPENDABLE, words.encode().ljust(len(_EXPENDABLE)))
        work = self.unsigned.parent / "signing"
        work.mkdir()
        self.files["uki"].write_bytes(sign.sign_kernel(kernel, self.signer, work))


def broken(good: Path, change: Callable[[Parts], None], folder: Path, tools: Toolchain) -> Path:
    """Return the bundle of a good one's parts after a change; its build lies beside the good one.

    good: a bundle as the build leaves it
    """
    manifest = manifest_of(good)
    folder.mkdir()
    copied = {
        name: Path(shutil.copy2(file, folder / file.name))
        for name, file in bundle.find_parts(good.parent, manifest.version).items()
    }
    before = good.parent / "unsigned" / copied["uki"].name
    unsigned = Path(shutil.copy2(before, folder / "unsigned.efi"))
    signer = Signer(keys=keys.read(places.keys()), tools=tools)
    change(Parts(files=copied, unsigned=unsigned, signer=signer))
    made = folder / "broken.bundle"
    bundle.write_bundle(
        copied,
        made,
        version=manifest.version,
        created=manifest.created,
        signers=bundle.signers(signer),
        image=manifest.image,
    )
    return made
