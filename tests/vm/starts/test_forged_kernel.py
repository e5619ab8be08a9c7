"""A kernel image that our key did not sign, as it is, never runs: the firmware refuses it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.disks import Forgery

REFUSED_SECONDS = 300.0


def flip_a_bit(forgery: Forgery) -> None:
    """Change one bit in the middle of the kernel image, in its initrd."""
    kernel = forgery.take_kernel_image()
    content = bytearray(kernel.read_bytes())
    content[len(content) // 2] ^= 1
    kernel.write_bytes(content)


def take_the_signature_away(forgery: Forgery) -> None:
    """Leave the kernel image as the build made it before it was signed."""
    forgery.run("sbattach", "--remove", forgery.take_kernel_image().name)


def sign_with_another_key(forgery: Forgery) -> None:
    """Sign it anew with a key that the firmware does not know."""
    take_the_signature_away(forgery)
    named = ("-subj", "/CN=somebody else", "-days", "30")
    made = ("-newkey", "rsa:2048", "-noenc", "-keyout", "key.pem", "-out", "certificate.pem")
    forgery.run("openssl", "req", "-x509", *made, *named)
    signed = ("--key", "key.pem", "--cert", "certificate.pem", "--output", "kernel.efi")
    forgery.run("sbsign", *signed, "kernel.efi")


def edit_the_command_line(forgery: Forgery) -> None:
    """Take the lockdown out of the kernel's command line, in place."""
    kernel = forgery.take_kernel_image()
    content = kernel.read_bytes()
    assert content.count(b"lockdown=integrity") == 1
    kernel.write_bytes(content.replace(b"lockdown=integrity", b"lockdown=none     "))


@pytest.mark.parametrize(
    "forge", [flip_a_bit, take_the_signature_away, sign_with_another_key, edit_the_command_line]
)
def test_it_is_refused(
    forge: Callable[[Forgery], None], image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    forgery = Forgery.of(image, tmp_path / "forgery", tools)
    forge(forgery)
    forgery.put_kernel_image(tmp_path / "forgery" / "kernel.efi")

    with Machine(tools, forgery.disk, tmp_path / "machine") as machine:
        said = machine.wait_for(lambda text: "denied" in text.lower(), "refusal", REFUSED_SECONDS)

    assert "successfully enrolled" in said
    assert "Booting initrd" not in said
