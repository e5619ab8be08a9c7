"""Sets up what others made, each in an environment of its own below bench/.peers."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.parties import ROOT

FOLDER: Final = ROOT / "bench/.peers"


class NotToBeHad(RuntimeError):
    """A peer cannot be installed on this machine; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another system: its packages, at exact versions, and our script that runs it."""

    name: str
    packages: tuple[str, ...]
    script: Path

    def python(self) -> Path:
        """Return the Python of the peer's environment, made and filled at first use."""
        environment = FOLDER / self.name
        python, mark = environment / "bin/python", environment / ".ready"
        if not mark.exists() or mark.read_text().split() != list(self.packages):
            print(f"bench: setting up {' '.join(self.packages)}", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
            asked = [str(python), "-m", "pip", "install", "--quiet", *self.packages]
            installed = subprocess.run(asked, capture_output=True, text=True, check=False)
            if installed.returncode:
                why = (installed.stderr.strip().splitlines() or ["pip said nothing"])[-1]
                raise NotToBeHad(f"{self.name} cannot be installed here: {why}")
            mark.write_text(" ".join(self.packages))
        return python

    def command(self, *arguments: object) -> list[str]:
        """Return the command that runs one party of it."""
        return [str(self.python()), str(self.script), *map(str, arguments)]


SPU: Final = Peer(
    name="spu",
    packages=("spu==0.9.5",),
    script=ROOT / "bench/peers_spu.py",
)
OPENMINED: Final = Peer(
    name="openmined",
    packages=("openmined-psi==2.0.6",),
    script=ROOT / "bench/peers_openmined.py",
)
