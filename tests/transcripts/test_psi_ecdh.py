"""The bytes that each role sends under a seed. If they change, raise the message's version."""

from pathlib import Path

from tests.conversation import converse, real_group

BASELINE = Path(__file__).with_name("psi_ecdh.txt")


def test_bytes_on_the_wire_are_unchanged() -> None:
    ours = [b"patient-%d" % number for number in range(40)]
    theirs = [b"patient-%d" % number for number in range(25, 60)]

    _, _, receiver, sender = converse(ours, theirs, group=real_group(), is_shared=True, seed=7)

    transcript = f"receiver {receiver.digest()}\nsender {sender.digest()}\n"
    assert transcript == BASELINE.read_text(), "the wire changed: raise the message's version"
