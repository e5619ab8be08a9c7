"""Whoever reads the console becomes the operator, and then needs the console no more."""

from pathlib import Path

from firmware.boot.accepted import parse_accepted
from image.vm import Machine
from tests.vm.operators.operator import Operator, read_code


def test_an_operator_sees_from_afar_how_the_machine_was_started(
    started: Machine, image: Path, tmp_path: Path
) -> None:
    operator = Operator(home=tmp_path)
    operator.enrol("box", port=17445, enrolment_port=17446, code=read_code(started))

    shown = operator.ask("box", "machine", "show")

    accepted = parse_accepted(image.with_suffix(".pcrs.json").read_bytes())
    pcrs = shown["pcrs"]
    assert isinstance(pcrs, dict)
    assert shown["secure_boot"] is True
    assert {pcr: pcrs[str(pcr)] for pcr in accepted.pcrs} == accepted.pcrs
    assert not shown.get("problems")
    assert operator.ask("box", "node", "show").get("is_key_sealed") is True
