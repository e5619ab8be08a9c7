"""What the benchmarks rely on: the tables they make, and how they judge and read figures."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench import policy_decisions
from bench.asked import Asked
from bench.bars import Bar, ratio_bars
from bench.parties import Measured, medians
from bench.processes import MIB, sent_mib
from bench.psi import CASES, chosen
from bench.psi.protocols import protocol_seconds
from bench.psi.setting import WrongResult, require_right
from bench.psi.tables import common_of, held_by, write_csv, write_parquet
from bench.report import markdown

RUN = Measured(
    system="theirs",
    keys=8,
    wall_seconds=4.0,
    cpu_seconds=8.0,
    sent_mib=(1.0, 3.0),
    peak_mib=(10.0, 11.0),
    held_mib=(10.0, 11.0),
    result_rows=4,
)
SPU_LOG = (
    "[2026-11-24 03:26:23.749] [info] [receiver.cc:89] [Rr22PsiReceiver::Online] start",
    "[2026-11-24 03:26:25.074] [info] [rr22_psi.cc:130] mask size: 10",
    "[2026-11-24 03:26:26.996] [info] [rr22_psi.cc:164] get intersection begin",
    "[2026-11-24 03:26:28.417] [info] [rr22_psi.cc:170] get intersection end",
    "[2026-11-24 03:26:29.664] [info] [rr22_psi.cc:172] get intersection post f",
)


def ids(rank: int, count: int) -> list[str]:
    text = held_by(rank, count).data.tobytes().decode()
    return [text[start : start + 16] for start in range(0, len(text), 16)]


def test_half_of_the_keys_are_common_and_no_party_has_one_twice() -> None:
    ours, theirs = set(ids(0, 1001)), set(ids(1, 1001))

    assert len(ours) == len(theirs) == 1001
    assert len(ours & theirs) == common_of(1001) == 500
    assert all(one.isdigit() for one in ours)


def test_keys_are_in_no_order() -> None:
    first, second = ids(0, 1000), ids(1, 1000)

    for one in (first, second):
        rising = np.count_nonzero(np.array(one[1:]) > np.array(one[:-1]))
        assert 400 < rising < 600


@pytest.mark.parametrize("rank", [0, 1])
def test_files_hold_the_same_keys_as_memory(rank: int, tmp_path: Path) -> None:
    table = pq.read_table(write_parquet(tmp_path / "a.parquet", rank, 777))
    lines = write_csv(tmp_path / "a.csv", rank, 777).read_text().split()

    assert table.column("id").to_pylist() == ids(rank, 777) == lines[1:]
    assert set(table.column("value").to_pylist()) <= set(range(8))


def test_a_bar_is_missed_only_at_the_size_that_it_is_for() -> None:
    bar = Bar(what="wall", figure=2.0, limit=1.0)

    assert bar.as_dict()["met"] == "no"
    assert replace(bar, figure=1.0).as_dict()["met"] == "yes"
    assert replace(bar, is_judged=False).as_dict()["met"] == "not judged"
    assert replace(bar, limit=None).as_dict()["met"] is None


def test_ratios_are_ours_to_theirs() -> None:
    ours = replace(RUN, wall_seconds=1.0, cpu_seconds=4.0, sent_mib=(1.0, 1.0))

    wall, cpu, sent = ratio_bars(ours, RUN, {"cpu": 0.4}, is_judged=True)

    assert (wall.figure, cpu.figure, sent.figure) == (0.25, 0.5, 0.5)
    assert (wall.is_missed, cpu.is_missed, sent.is_missed) == (False, True, False)


def test_several_runs_are_told_by_their_medians() -> None:
    walls = (5.0, 1.0, 3.0)

    middle = medians([replace(RUN, wall_seconds=wall, said=(str(wall),)) for wall in walls])

    assert (middle.runs, middle.wall_seconds, middle.said) == (3, 3.0, ("3.0",))


def test_a_result_of_another_size_is_no_result() -> None:
    assert require_right(RUN) is RUN
    with pytest.raises(WrongResult, match="3 rows instead of 4"):
        require_right(replace(RUN, result_rows=3))


def test_the_protocol_part_of_spu_is_read_from_its_log() -> None:
    assert protocol_seconds(SPU_LOG) == pytest.approx(3.343)
    assert protocol_seconds(SPU_LOG * 2) == pytest.approx(6.686)


@pytest.mark.parametrize("said", [(), SPU_LOG[:3], SPU_LOG[3:]])
def test_a_log_that_is_not_as_known_gives_no_figure(said: tuple[str, ...]) -> None:
    with pytest.raises(RuntimeError, match="not as known"):
        protocol_seconds(said)


def test_what_a_process_has_sent_over_tcp_is_seen_from_outside() -> None:
    before = sent_mib(os.getpid())
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as near,
        server.accept()[0] as far,
        far.makefile("rb") as source,
    ):
        near.sendall(bytes(3 * MIB // 100))
        source.read(3 * MIB // 100)
        sent = sent_mib(os.getpid()) - before

    assert sent == pytest.approx(0.03, abs=1e-3)


def test_cases_are_chosen_by_name_and_huge_ones_only_if_asked_for() -> None:
    huge = {case.name for case in CASES if case.is_huge}

    assert huge == {"hundred-million"}
    assert {case.name for case in chosen(Asked())} == {case.name for case in CASES} - huge
    assert len(chosen(Asked(is_huge=True))) == len(CASES)
    assert [case.name for case in chosen(Asked(cases=("hundred-million",)))] == ["hundred-million"]


def test_an_entry_for_the_results_has_date_command_machine_and_tables() -> None:
    where = {
        "cpu": "CPU",
        "cores": 2,
        "memory_gib": 24,
        "kernel": "6.1",
        "python": "3.11",
        "load_before": 0.1,
        "at": "2026-11-24T03:36:30+00:00",
    }
    command = f"python -m bench NAME{Asked(has_peers=True, cases=('rr22',)).words}"
    figures = {"runs": [RUN.as_dict()], "bars": [], "passed": True}

    lines = markdown(command, where, {"psi": figures}).splitlines()

    assert lines[0] == "## 2026-11-24, `python -m bench psi --peers --case rr22`"
    assert lines[2].startswith("Machine: 2 cores of CPU, 24 GiB; Linux 6.1, Python 3.11")
    assert "| theirs | 8 | 1 | 4.00 | 8.00 | 1.0 / 3.0 | 10 / 11 | 10 / 11 | 4 |" in lines
    assert "| passed | True |" in lines


def test_decisions_are_measured_against_their_bar() -> None:
    found = policy_decisions.run(Asked(is_quick=True))

    judged = [line["decisions"] for line in found["decisions"]]
    assert judged == ["allowed", "refused", "the first of each dataset"]
    assert {bar["at_most"] for bar in found["bars"]} == {policy_decisions.MOST_P99_MILLISECONDS}
    assert all(line["cpu_p99_ms"] > 0 for line in found["decisions"])
