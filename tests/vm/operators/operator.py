"""An operator at this host: reads a set-up code on a console, then asks the machine from afar."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm import screen
from tests.vm.conftest import FirstStart, start_anew

_NO_KEY: Final = "no recovery key is known of"
_ASKING_SECONDS: Final = 600.0
_CODE_SECONDS: Final = 600.0  # while the start goes on, and another machine's, the console is last
_TRIES: Final = 5
_COFFER: Final = (sys.executable, "-m", "appliance.cli")
_CODE: Final = re.compile(r"^ {4}([a-z]+(?:[ -][a-z]+){4})$")


def read_code(machine: Machine) -> str:
    """Have the console show the set-up code, and read it off the screen."""
    for _ in range(_TRIES):
        machine.type("2")
        screen.seen(machine, 'type "show"')
        machine.type("show\r")
        told = screen.seen(machine, "Enter: back", _CODE_SECONDS)
        machine.type("\r")
        if not any("does not answer" in line for line in told):
            break
        screen.seen(machine, "2 show set-up code")  # beside another machine's start; once more
    found = [match[1] for line in told if (match := _CODE.match(line))]
    assert len(found) == 1, told
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Somebody with the command line and a home of his own."""

    home: Path

    def enrol(self, name: str, *, port: int, enrolment_port: int, code: str) -> None:
        """Become an operator of the machine behind two ports of this host."""
        here = "127.0.0.1"
        way = (f"{here}:{port}", "--enrolment", f"{here}:{enrolment_port}", "--as", "tester")
        self.run("remote", "add", name, *way, given=code + "\n")

    def keep_recovery_key(self, name: str) -> None:
        """Have a recovery key of a machine made, as it says is missing until somebody does."""
        shown = self.ask(name, "machine", "show")
        problems: Any = shown.get("problems", [])
        assert [one["what"].partition(":")[0] for one in problems] == [
            "no recovery key is known of"
        ]
        self.run("--at", name, "machine", "add-recovery-key", "--yes")

    def ask(self, name: str, *words: str, given: str = "") -> dict[str, object]:
        """Ask a machine something; return its answer."""
        said: dict[str, object] = json.loads(self.run("--at", name, *words, "--json", given=given))
        return said

    def run(self, *words: str, given: str = "") -> str:
        """Run the command line; return what it prints."""
        ran = subprocess.run(
            [*_COFFER, *words],
            input=given,
            capture_output=True,
            text=True,
            env=self._settings,
            timeout=_ASKING_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, f"coffer {' '.join(words)}: {ran.stderr}"
        return ran.stdout

    @contextmanager
    def running(self, *words: str) -> Iterator[None]:
        """Run the command line beside what follows, after which it is ended."""
        ran = subprocess.Popen(
            [*_COFFER, *words], stdin=subprocess.DEVNULL, env=self._settings, text=True
        )
        try:
            yield
        finally:
            ran.kill()
            ran.wait()

    @property
    def _settings(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


def enrolled(machine: Machine, home: Path) -> Operator:
    """Return somebody new who has read the console of a machine and become its operator."""
    home.mkdir()
    operator = Operator(home=home)
    operator.enrol("box", port=17445, enrolment_port=17446, code=read_code(machine))
    return operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A machine that runs, and somebody who has become its operator by its console."""

    machine: Machine
    operator: Operator


def administered(
    first_start: FirstStart, tools: Toolchain, image: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Box]:
    """A machine and its operator: what the first start left; it keeps what the tests before did."""
    folder = tmp_path_factory.mktemp("box")
    with start_anew(first_start, tools, image, folder / "machine") as machine:
        operator = enrolled(machine, folder / "home")
        operator.keep_recovery_key("box")
        yield Box(machine=machine, operator=operator)
