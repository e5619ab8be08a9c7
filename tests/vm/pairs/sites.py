"""Two organisations: a machine each, a wire between both, and an operator of each at this host."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from image.hardware import Router, Wire
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm import screen
from tests.vm.conftest import PORTS, FirstStart
from tests.vm.operators.operator import Operator, read_code

# Two machines share the host's cores.
START_SECONDS: Final = 1800.0
PATIENCE_SECONDS: Final = 600.0
_POLL_SECONDS: Final = 5.0
_LOG_LINES: Final = "60"
_OTHER_PORTS: Final = Router(forwards={17453: 7443, 17454: 7444, 17455: 7445, 17456: 7446})
_UNTOLD: Final = (AssertionError, subprocess.TimeoutExpired)

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A machine, and whoever administers it from afar.

    name: what it is to be called, and what its operator calls it
    address: on the wire to the other site
    port: of this host's, which leads to the machine's port for operators
    """

    name: str
    address: str
    port: int
    machine: Machine
    operator: Operator

    def ask(self, *words: str, given: str = "") -> Answer:
        """Ask the machine something; return its answer."""
        try:
            return self.operator.ask(self.name, *words, given=given)
        except _UNTOLD as error:
            raise AssertionError(f"{self.name}: {error}\n{self.tell()}") from None

    def wait_for(
        self,
        is_there: Callable[[Answer], bool],
        *words: str,
        seconds: float = PATIENCE_SECONDS,
    ) -> Answer:
        """Ask again, also after a refusal, until the answer is as it should be; return it."""
        end = time.monotonic() + seconds
        said: object = None
        while time.monotonic() < end:
            try:
                said = found = self.operator.ask(self.name, *words)
            except _UNTOLD as error:
                said = error
            else:
                if is_there(found):
                    return found
            time.sleep(_POLL_SECONDS)
        asked = " ".join(words)
        raise AssertionError(
            f"{self.name}: for {seconds:.0f} s coffer {asked} said:\n{said}\n{self.tell()}"
        )

    def tell(self) -> str:
        """Return what explains a failure: the machine's screen, and its agent's last words."""
        shown = "\n  ".join(line for line in screen.lines(self.machine.console()) if line)
        words = ("machine", "logs", "--unit", "coffer.service", "--lines", _LOG_LINES)
        try:
            log = self.operator.run("--at", self.name, *words)
        except _UNTOLD as error:
            log = f"not to be had: {error}"
        kept = self.machine.console_log
        return f"the screen of {self.name}:\n  {shown}\nits agent's log:\n{log}\nall of it: {kept}"

    def set_up(self) -> None:
        """Become its operator, and give the card on the wire its address, and it its name."""
        code = read_code(self.machine)
        self.operator.enrol(self.name, port=self.port, enrolment_port=self.port + 1, code=code)
        self.operator.keep_recovery_key(self.name)
        cards = self.ask("machine", "network")["interfaces"]
        shown = self.ask("machine", "show").get("addresses", [])
        free = sorted(set(cards) - {one["interface"] for one in shown})
        assert len(free) == 1, f"{self.name} has the cards {cards} and the addresses {shown}"
        named = ("--address", f"{self.address}/24", "--node-name", self.name)
        self.ask("machine", "set-network", free[0], *named)
        self.ask("machine", "confirm-network")

    def restart(self) -> Callable[[], None]:
        """Order a restart; return what waits for its end."""
        seen = len(self.machine.console())
        self.operator.run("--at", self.name, "machine", "restart", "--yes")

        def wait() -> None:
            self.machine.wait_for(
                lambda said: screen.is_settled_again(said, seen), "agent again", START_SECONDS
            )

        return wait


@contextmanager
def two_sites(
    first_start: FirstStart, tools: Toolchain, image: Path, folder: Path
) -> Iterator[tuple[Site, Site]]:
    """Start two machines; each has its name and its address on the wire from its operator.

    One is that of the first start; the other is new, as a copy would be the same node.
    """
    first_start.copy(folder / "hospital", with_tpm=True)
    (folder / "wire").mkdir()

    def site(name: str, address: str, ports: Router, *, listens: bool) -> Site:
        (folder / f"home-of-{name}").mkdir()
        wire = Wire(socket=folder / "wire/cable", listens=listens)
        hardware = replace(first_start.machine.hardware, networks=(ports, wire))
        (port,) = (here for here, there in ports.forwards.items() if there == 7445)
        return Site(
            name=name,
            address=address,
            port=port,
            machine=Machine(tools, image, folder / name, hardware),
            operator=Operator(home=folder / f"home-of-{name}"),
        )

    hospital = site("hospital", "10.77.0.1", PORTS, listens=True)
    laboratory = site("laboratory", "10.77.0.2", _OTHER_PORTS, listens=False)
    with ExitStack() as stack:
        for one in (hospital, laboratory):
            stack.enter_context(one.machine)
        for one in (hospital, laboratory):
            one.machine.wait_for(screen.is_settled, f"agent of {one.name}", START_SECONDS)
        for one in (hospital, laboratory):
            one.set_up()
        for wait in [one.restart() for one in (hospital, laboratory)]:
            wait()
        yield hospital, laboratory


def pair(inviter: Site, invitee: Site) -> None:
    """Pair by invitation over the wire; both operators compare the words and confirm."""
    text = inviter.ask("peers", "invite", "--address", inviter.address)["text"]
    met = invitee.ask("peers", "accept", given=f"{text}\n")
    seen = inviter.wait_for(lambda _: True, "peers", "show", invitee.name)

    assert seen["authentication_string"] == met["authentication_string"]
    inviter.ask("peers", "confirm", invitee.name, "--yes")
    invitee.ask("peers", "confirm", inviter.name, "--yes")
    wait_until_paired(inviter, invitee)


def wait_until_paired(one: Site, other: Site) -> None:
    """Wait until each knows the other as paired, and reaches it over the wire."""
    for here, there in ((one, other), (other, one)):
        found = here.wait_for(
            lambda said: said["state"] == "paired" and bool(said.get("reachable")),
            *("peers", "show", there.name),
        )
        assert found["address"] == f"{there.address}:7443"
