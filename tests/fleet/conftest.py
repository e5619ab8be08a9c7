from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.nodes import Node, fleet, pair, publish, write_ids


@pytest.fixture
def paired(tmp_path: Path) -> Iterator[list[Node]]:
    """Two paired nodes, each with a published table; 200 of 300 ids are common."""
    with fleet(tmp_path, "hospital", "laboratory") as (hospital, laboratory):
        pair(hospital, laboratory)
        hospital.add("patients", write_ids(tmp_path / "h.csv", range(300)))
        laboratory.add("samples", write_ids(tmp_path / "l.csv", range(100, 400)))
        publish(hospital, "patients", laboratory)
        publish(laboratory, "samples", hospital)
        yield [hospital, laboratory]
