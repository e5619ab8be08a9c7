"""Two machines keep what their operators set, pair over a wire, and compute on both tables."""

import csv
import random
from pathlib import Path
from typing import Final

from tests.vm.pairs.sites import Answer, Site, pair

PEOPLE: Final = [f"person-{number:05d}" for number in range(900)]
JOB_SECONDS: Final = 1200.0
POLICY: Final = """
type = "coffer.policy/1"
peers = ["{peer}"]
services = ["psi.intersect"]
valid_until = 2100-01-01T00:00:00Z
uses = 1
smallest_group = 1
smallest_intersection = 0
largest_result = 1000000
[security]
adversary = "semi-honest"
[columns]
id = "join-key"
"""


def table(path: Path, seed: int) -> set[str]:
    """Write a table of some people, in no order, with a column beside; return who is in it."""
    people = random.Random(seed).sample(PEOPLE, 600)  # noqa: S311
    lines = [f"{person},{place}\n" for place, person in enumerate(people)]
    path.write_text("".join(["id,place\n", *lines]))
    return set(people)


def test_each_machine_has_its_name_and_its_address_after_a_restart(
    sites: tuple[Site, Site],
) -> None:
    for site in sites:
        network = site.ask("machine", "network")
        shown = site.ask("machine", "show")

        assert site.ask("node", "show")["name"] == site.name
        assert network["kept"]["node_name"] == site.name
        assert not network.get("trial")
        (set_here,) = network["kept"]["interfaces"]
        assert set_here["addresses"] == [f"{site.address}/24"]
        assert {"interface": set_here["name"], "address": site.address} in shown["addresses"]
        assert not shown.get("problems")


def test_they_pair_by_an_invitation_and_intersect_their_tables(
    sites: tuple[Site, Site], tmp_path: Path
) -> None:
    hospital, laboratory = sites
    pair(hospital, laboratory)

    patients, samples = tmp_path / "patients.csv", tmp_path / "samples.csv"
    plain = table(patients, seed=1) & table(samples, seed=2)
    hospital.ask("datasets", "add", "patients", str(patients), "--key", "id")
    laboratory.ask("datasets", "add", "samples", str(samples), "--key", "id")
    hospital.ask("datasets", "publish", "patients", "laboratory")
    laboratory.ask("datasets", "publish", "samples", "hospital")
    hospital.wait_for(is_published, "datasets", "list")
    laboratory.wait_for(is_published, "datasets", "list")

    ours = ("--ours", "patients", "--theirs", "laboratory/samples", "--to", "me,laboratory")
    allow(hospital, "patients", laboratory, tmp_path)
    early = hospital.ask("jobs", "submit", "psi.intersect", *ours)["id"]
    refused = hospital.wait_for(has_ended, "jobs", "show", early)
    assert refused["state"] == "rejected", refused
    assert 'the policy of its dataset does not allow it: "no-policy"' in refused["cause"], refused

    allow(laboratory, "samples", hospital, tmp_path)
    job = hospital.ask("jobs", "submit", "psi.intersect", *ours)["id"]
    laboratory.wait_for(lambda said: bool(said.get("jobs")), "jobs", "list", "--waiting")
    laboratory.ask("jobs", "approve", job, "--yes")
    ends = [
        site.wait_for(has_record, "jobs", "show", job, seconds=JOB_SECONDS)
        for site in (hospital, laboratory)
    ]

    assert [end["state"] for end in ends] == ["succeeded", "succeeded"], ends
    assert ends[0]["record"] == ends[1]["record"]
    assert ends[0]["digest"] == ends[1]["digest"]
    for site in (hospital, laboratory):
        copied = tmp_path / f"{site.name}.csv"
        site.ask("jobs", "result", job, "--copy-to", str(copied))
        with copied.open(newline="") as file:
            found = [row["id"] for row in csv.DictReader(file)]
        assert sorted(found) == sorted(plain)


def allow(site: Site, name: str, peer: Site, folder: Path) -> None:
    """Have a site's data owner let the peer match keys with a table, once."""
    policy = folder / "policy.toml"
    policy.write_text(POLICY.format(peer=peer.name))
    site.ask("policies", "set", name, str(policy), "--yes")


def has_ended(said: Answer) -> bool:
    """Tell whether a job has ended."""
    return bool(said.get("ended"))


def is_published(said: Answer) -> bool:
    """Tell whether the peer's table is on the list."""
    return any(one.get("peer_name") for one in said.get("datasets", []))


def has_record(said: Answer) -> bool:
    """Tell whether a job has ended, and both parties' verdicts are here."""
    return bool(said.get("ended") and said.get("record"))
