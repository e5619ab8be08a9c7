"""What two real nodes record of a job that real workers ran fits together."""

import json
from typing import Any

from appliance.api import agent_pb2 as pb
from tests.fleet.nodes import Node, approve, ended, submit
from tests.fleet.test_ledger import ledger_of


def entries(node: Node, job: pb.Job, kind: str) -> list[dict[str, Any]]:
    """Return the facts of a node's entries of a kind about a job."""
    request = pb.ListEntriesRequest(job=job.id, kinds=[kind])
    return [json.loads(one.facts) for one in ledger_of(node).ListEntries(request).entries]


def test_what_one_sent_is_what_the_other_received(paired: list[Node]) -> None:
    hospital, laboratory = paired
    job = submit(hospital, "patients", laboratory, "samples", hospital)
    approve(laboratory, job)
    assert [ended(node, job).state for node in paired] == ["succeeded", "succeeded"]

    ((ours,), (theirs,)) = [entries(node, job, "job.metered") for node in paired]

    # Whatever the protocol, each of the 300 keys is told in more than 8 bytes.
    assert 300 * 8 < ours["bytes_sent"] == theirs["bytes_received"] < 10 << 20
    assert 300 * 8 < theirs["bytes_sent"] == ours["bytes_received"] < 10 << 20
    for facts, dataset in ((ours, "patients"), (theirs, "samples")):
        assert facts["dataset"] == dataset
        # The sender receives nothing, and its rows were used all the same.
        assert (facts["rows_offered"], facts["rows_used"], facts["uses"]) == (300, 300, 1)
        assert facts["rounds"] > 0
        assert facts["cpu_milliseconds"] > 0
        assert 0 < facts["wall_milliseconds"] < 90_000
