"""The status screen of the appliance's console: who it is, how it started, what is wrong.

Reads /proc, /sys and what systemd says; prints anew when something has changed.
"""

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

UNITS: Final = ("coffer", "prometheus", "prometheus-node-exporter", "nftables", "chrony")
SECURE_BOOT: Final = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
PCRS: Final = (4, 7, 11)
PERIOD_SECONDS: Final = 5.0
ROOT: Final = Path("/")


def text_of(path: Path) -> str:
    """Return a small file's text, or a note that it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        return f"unreadable ({error.strerror})"


def parse_os_release(text: str) -> dict[str, str]:
    """Return the fields of os-release."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value.strip('"') for name, _, value in pairs}


def secure_boot(root: Path) -> str:
    """Return whether the firmware checked what it started: the variable's fifth byte."""
    try:
        value = (root / SECURE_BOOT).read_bytes()
    except OSError:
        return "unknown"
    return "enabled" if value[4:5] == b"\x01" else "DISABLED"


def lockdown(root: Path) -> str:
    """Return how much the kernel keeps even root from: the word in brackets."""
    words = text_of(root / "sys/kernel/security/lockdown").split()
    return next((word.strip("[]") for word in words if word.startswith("[")), "unknown")


def mount_of(root: Path, where: str) -> str:
    """Return what is mounted somewhere, as ``type on device``."""
    for line in text_of(root / "proc/self/mountinfo").splitlines():
        fields = line.split()
        if len(fields) > 4 and fields[4] == where and "-" in fields:
            kind, device = fields[fields.index("-") + 1 : fields.index("-") + 3]
            number = fields[2]
            return f"{kind} on {device}, {mapping(root, number)}"
    return "not mounted"


def mapping(root: Path, number: str) -> str:
    """Return what stands between a file system and its disk, by its device's number."""
    uuid = text_of(root / f"sys/dev/block/{number}/dm/uuid")
    if uuid.startswith("CRYPT-VERITY"):
        return "verity"
    return "encrypted" if uuid.startswith("CRYPT-LUKS2") else "plain"


def unit_states(units: tuple[str, ...]) -> dict[str, str]:
    """Ask systemd for the state of each unit."""
    asked = subprocess.run(
        ["/usr/bin/systemctl", "is-active", *units], capture_output=True, text=True, check=False
    )
    return dict(zip(units, [*asked.stdout.split(), *(["unknown"] * len(units))], strict=False))


def failed_units() -> list[str]:
    """Ask systemd which units have failed."""
    asked = subprocess.run(
        ["/usr/bin/systemctl", "list-units", "--failed", "--plain", "--no-legend"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line.split()[0] for line in asked.stdout.splitlines() if line.strip()]


def addresses(root: Path) -> list[str]:
    """Return this machine's addresses but for its loopback's, v4 by its table of local routes."""
    found = []
    candidate = ""
    for line in text_of(root / "proc/net/fib_trie").splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            candidate = words[1]
        elif words == ["/32", "host", "LOCAL"] and not candidate.startswith("127."):
            found.append(candidate)
    return sorted(set(found))


def screen(root: Path, states: Mapping[str, str], failed: list[str]) -> Iterator[str]:
    """Yield the lines of the status screen."""
    release = parse_os_release(text_of(root / "usr/lib/os-release"))
    version = release.get("IMAGE_VERSION", "unknown")
    yield f"Coffer {version} on {socket.gethostname()}"
    yield f"addresses    {', '.join(addresses(root)) or 'none'}"
    yield f"secure boot  {secure_boot(root)}; lockdown {lockdown(root)}"
    for pcr in PCRS:
        yield f"PCR {pcr:<8} {text_of(root / f'sys/class/tpm/tpm0/pcr-sha256/{pcr}').lower()}"
    yield f"/usr         {mount_of(root, '/usr')}"
    yield f"/var         {mount_of(root, '/var')}"
    for unit, state in states.items():
        yield f"{unit:<12} {state}"
    yield f"problems     {', '.join(failed) or 'none'}"


def main() -> None:
    """Print the screen whenever it has changed, for ever."""
    shown = ""
    while True:
        lines = list(screen(ROOT, unit_states(UNITS), failed_units()))
        text = "\n".join(["", "-" * 72, *lines, "-" * 72])
        if text != shown:
            print(text, flush=True)
            shown = text
        time.sleep(PERIOD_SECONDS)


if __name__ == "__main__":
    main()
