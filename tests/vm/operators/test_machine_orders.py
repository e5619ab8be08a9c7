"""The machine ordered about from afar: operator, agent, helper and systemd all take part."""

import tarfile
from pathlib import Path
from typing import Any

from tests.vm import screen
from tests.vm.operators.operator import Box, Operator, enrolled

RESTART_SECONDS = 900.0


def order(operator: Operator, *words: str, given: str = "") -> dict[str, Any]:
    return dict(operator.ask("box", "machine", *words, given=given))


def test_an_operator_sets_the_machine_up_and_looks_after_it(box: Box, tmp_path: Path) -> None:
    operator = box.operator

    (card,) = order(operator, "network")["interfaces"]
    trial = order(operator, "set-network", card, "--dhcp", "yes", "--node-name", "ward-7")
    kept = order(operator, "confirm-network")
    clock = order(operator, "set-time-servers", "192.0.2.5", "--insecure-ntp")
    first = order(operator, "add-recovery-key", "--yes")["recovery_key"]
    bound = order(operator, "bind-disk", "--by-recovery-key", given=f"{first}\n")
    second = order(operator, "add-recovery-key", "--yes")["recovery_key"]
    log = order(operator, "logs", "--unit", "coffer.service")
    order(operator, "support-bundle", str(tmp_path / "fault.tar.gz"))

    assert trial["trial"]["node_name"] == kept["kept"]["node_name"] == "ward-7"
    assert kept["trial"] is None
    assert clock["servers"] == [{"name": "192.0.2.5", "nts": False}]
    assert sorted(bound["kinds"]) == ["recovery", "tpm2"]
    assert first != second
    assert log["entries"]
    with tarfile.open(tmp_path / "fault.tar.gz") as bundle:
        assert "coffer-support/MANIFEST.json" in bundle.getnames()
        files = [bundle.extractfile(name) for name in bundle.getnames()]
        told = b"".join(file.read() for file in files if file)
    assert not [key for key in (first, second, "ward-7") if key.encode() in told]


def test_a_factory_reset_gives_the_machine_a_first_day_again(box: Box, tmp_path: Path) -> None:
    machine, operator = box.machine, box.operator
    before = operator.ask("box", "node", "show")["node_id"]
    serial_number = order(operator, "hardware")["serial_number"]

    seen = len(machine.console())
    done = order(operator, "factory-reset", "--serial-number", serial_number)

    assert done["tpm_cleared"] is True
    machine.wait_for(
        lambda said: screen.is_settled_again(said, seen), "first day", 2 * RESTART_SECONDS
    )
    again = enrolled(machine, tmp_path / "another")  # by a set-up code: there is no operator
    assert again.ask("box", "node", "show")["node_id"] != before
    assert order(again, "disk-keys")["kinds"] == ["tpm2"]
