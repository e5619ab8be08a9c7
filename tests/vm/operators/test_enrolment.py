"""Whoever reads the console becomes the operator, and then needs the console no more."""

from pathlib import Path

from firmware.boot.accepted import parse_accepted
from tests.vm import screen
from tests.vm.operators.operator import Box

ORDER_SECONDS = 420.0


def test_an_operator_sees_from_afar_how_the_machine_was_started(box: Box, image: Path) -> None:
    shown = box.operator.ask("box", "machine", "show")

    accepted = parse_accepted(image.with_suffix(".pcrs.json").read_bytes())
    pcrs = shown["pcrs"]
    assert isinstance(pcrs, dict)
    assert shown["secure_boot"] is True
    assert {pcr: pcrs[str(pcr)] for pcr in accepted.pcrs} == accepted.pcrs
    assert shown.get("taint", 0) == 0  # no module of this image is from outside the kernel's tree
    assert not shown.get("problems")
    assert box.operator.ask("box", "node", "show").get("is_key_sealed") is True


def test_the_console_makes_no_key_to_the_disk_once_there_is_an_operator(box: Box) -> None:
    before = box.operator.ask("box", "machine", "disk-keys")["kinds"]

    box.machine.type("51make\r")
    shown = screen.seen(box.machine, "error: ", ORDER_SECONDS)
    box.machine.type("\r")

    assert "operator already" in " ".join(shown)
    assert box.operator.ask("box", "machine", "disk-keys")["kinds"] == before
