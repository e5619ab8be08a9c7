"""The bytes that each role sends under a seed. If they change, raise the message's version."""

from pathlib import Path

from services.channel import Channel
from services.primitives import silent_vole
from services.service import Adversary
from tests.conversation import both, ends
from tests.doubles import Seeded

BASELINE = Path(__file__).with_name("silent_vole.txt")


def test_bytes_on_the_wire_are_unchanged() -> None:
    left, right = ends()
    role = {"domain": b"transcript", "adversary": Adversary.MALICIOUS}

    ours, _ = both(
        silent_vole.receiver(Channel(left), 100, rng=Seeded(7), **role),  # type: ignore[arg-type]
        silent_vole.sender(Channel(right), 100, rng=Seeded(8), **role),  # type: ignore[arg-type]
    )

    got = "".join(f"{number:016x}" for number in ours.a[99])
    transcript = f"receiver {left.digest()}\nsender {right.digest()}\nlast {got}\n"
    assert transcript == BASELINE.read_text(), "the wire changed: raise the message's version"
