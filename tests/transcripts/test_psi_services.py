"""The bytes of whole services under a seed. If they change, raise a message's or their version.

Between them they run every message of the family psi, the OPRF, the OT extension and the base OTs.
"""

from pathlib import Path
from typing import Any

import pytest

from services.psi import cardinality, intersect, sums
from services.psi.parameters import IntersectParameters
from services.transport.loopback import pair
from tests.conversation import Recorded, both
from tests.protocol import test_psi_joins as joins
from tests.protocol.counting import Table, keys, run

FOLDER = Path(__file__).parent
OURS = Table(keys=keys(*range(40)))
THEIRS = Table(keys=keys(*range(25, 60)), columns={"sugar": [str(n) for n in range(35)]})


def intersected(**asked: Any) -> list[Recorded]:
    sides = (
        joins.distinct(40),
        joins.distinct(40, 20, receives=asked.pop("is_shared")),
    )
    terms = joins.terms_of(sides, IntersectParameters.model_validate(asked))
    intersect.SERVICE.require(terms)
    ends = [Recorded(end) for end in pair()]
    tasks = [joins.task_of(ends[rank], rank, sides[rank], terms) for rank in (0, 1)]
    both(*(joins._run(task) for task in tasks))
    return ends


RUNS = {
    "psi_cardinality": lambda: run(cardinality.SERVICE, (OURS, THEIRS), (0, 1))[1],
    "psi_sum": lambda: run(sums.SERVICE, (OURS, THEIRS), (0, 1), columns=["sugar"])[1],
    "psi_rr22_labels": lambda: intersected(
        is_shared=False, protocol="rr22", right_columns=("ward",), duplicates="first"
    ),
    "psi_rr22_malicious": lambda: intersected(
        is_shared=True, protocol="rr22", security="malicious", partitions=2
    ),
    "psi_join": lambda: intersected(
        is_shared=True,
        protocol="rr22",
        join="full",
        duplicates="all",
        left_columns=("age",),
        right_columns=("ward",),
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_bytes_on_the_wire_are_unchanged(name: str) -> None:
    ends = RUNS[name]()

    transcript = "".join(f"party {rank} {end.digest()}\n" for rank, end in enumerate(ends))
    expected = (FOLDER / f"{name}.txt").read_text()
    assert transcript == expected, "the wire changed: raise the message's version"
