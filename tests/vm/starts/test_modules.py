"""Which modules the kernel loads with Secure Boot on, in a system that asks for each by name."""

import lzma
import re
from pathlib import Path
from typing import Final

import pytest

from firmware.boot.pe import parse_image
from image import keys, places
from image.drivers.module_file import append_signature, read_module
from image.keys import Key
from image.signing import detached
from image.toolchain import Place, Toolchain
from image.vm import Machine
from tests.vm.disks import Forgery

START_SECONDS: Final = 400.0
SCRIPT: Final = Path(__file__).with_name("modules.sh")
# A driver of Debian's that needs no other module and no hardware.
MODULE: Final = "kernel/drivers/net/dummy.ko.xz"
KEY_REFUSED: Final = "Key was rejected by service"


@pytest.fixture(scope="module")
def said(tools: Toolchain, image: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a machine said that started from the image's disk, with our key, to load modules."""
    folder = tmp_path_factory.mktemp("modules")
    forgery = Forgery.of(image, folder / "disk", tools)
    forgery.take_kernel_image()
    modules = write_modules(forgery)
    boot = keys.read(places.keys()).named("boot")
    seen = tuple(
        Place(outside=outside, inside=Path("/coffer") / name)
        for name, outside in (
            ("modules.sh", SCRIPT),
            ("key", boot.secret),
            ("certificate", boot.certificate),
        )
    )
    forgery.run("bash", "/coffer/modules.sh", *modules, seen=seen)
    signed = ("--key", "/coffer/key", "--cert", "/coffer/certificate", "--output", "kernel.efi")
    forgery.run("sbsign", *signed, "kernel.efi", seen=seen)
    forgery.put_kernel_image(folder / "disk" / "kernel.efi")
    with Machine(tools, forgery.disk, folder / "machine") as machine:
        return machine.wait_for(
            lambda text: "modules: done" in text, "end of the modules", START_SECONDS
        )


def write_modules(forgery: Forgery) -> list[str]:
    """Write the same module in several ways beside a disk; return the files' names."""
    folder = forgery.disk.parent
    image = parse_image((folder / "kernel.efi").read_bytes())
    sections = {section.name: image.contents(section) for section in image.sections}
    (folder / "vmlinuz").write_bytes(sections[".linux"])
    (folder / "release").write_bytes(sections[".uname"])
    kernel = sections[".uname"].decode("ascii").rstrip("\0")
    taken = 'dump.erofs --offset="$1" --cat --path="$2" "$3" >stock.xz'
    path = f"/lib/modules/{kernel}/{MODULE}"
    forgery.run("bash", "-euc", taken, "take", str(forgery.usr.start), path, forgery.disk.name)
    stock = lzma.decompress((folder / "stock.xz").read_bytes())
    content = read_module(stock).content
    named = ("-subj", "/CN=somebody else", "-days", "30")
    made = ("-newkey", "rsa:2048", "-noenc", "-keyout", "other.key", "-out", "other.crt")
    forgery.run("openssl", "req", "-x509", *made, *named)
    other = Key(secret=folder / "other.key", certificate=folder / "other.crt")
    ours = keys.read(places.keys()).named("modules")
    signers: dict[str, Key] = {"2-by-another.ko": other, "3-changed.ko": ours, "4-ours.ko": ours}
    files = {"1-unsigned.ko": content, "5-stock.ko": stock} | dict.fromkeys(signers, content)
    for name, body in files.items():
        (folder / name).write_bytes(body)
    for name, key in signers.items():
        signature = detached(key, content, has_certificate=False)
        (folder / name).write_bytes(append_signature(content, signature))
    changed = folder / "3-changed.ko"
    changed.write_bytes(changed.read_bytes().replace(b"description=", b"descriptioN=", 1))
    return sorted(files)


@pytest.mark.parametrize(
    ("module", "outcome"),
    [
        ("1-unsigned.ko", KEY_REFUSED),
        ("2-by-another.ko", KEY_REFUSED),
        ("3-changed.ko", KEY_REFUSED),
        ("4-ours.ko", "loaded"),
        ("5-stock.ko", "loaded"),
    ],
)
def test_a_module_is_loaded_if_our_key_or_debians_signed_it_as_it_is(
    said: str, module: str, outcome: str
) -> None:
    assert re.findall(rf"module {re.escape(module)}: (.*)", said.replace("\r", "")) == [outcome]


def test_that_was_with_the_kernel_locked_down(said: str) -> None:
    assert "lockdown: none [integrity] confidentiality" in said
    assert "enforced: Y" in said
