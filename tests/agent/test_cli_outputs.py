"""What a job gave: shown if it is small, and copied in the format that was meant."""

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance.api import agent_pb2 as pb
from tests.agent.cli_sides import JOB_ID, a_job, coffer
from tests.doubles import FakeAgent

SUMS = {
    "column": ["visits", "spent"],
    "matches": [30, 30],
    "sum": pa.array([Decimal("7300.32"), None], pa.decimal128(38, 2)),
}


@pytest.fixture
def laid(agent: FakeAgent, tmp_path: Path) -> Path:
    """Lay a job of psi.sum that succeeded, with two rows; return its result file."""
    path = tmp_path / "sums.parquet"
    lay(agent, path, SUMS)
    return path


def lay(agent: FakeAgent, path: Path, rows: dict[str, object], service: str = "psi.sum") -> None:
    table = pa.table(rows)
    pq.write_table(table, path)
    job = a_job("succeeded", ended=True)
    job.service = service
    job.parties[1].receives.append("sums")
    agent.lay("Jobs/GetJob", job)
    agent.lay("Jobs/WatchJob", job)
    files, counts = {"sums": str(path)}, {"sums": table.num_rows}
    agent.lay("Jobs/GetResult", pb.JobResult(files=files, row_counts=counts))


def lines_of(text: str) -> set[str]:
    return {" ".join(line.split()) for line in text.splitlines()}


@pytest.mark.parametrize("verb", ["result", "watch"])
def test_figures_are_shown(
    agent: FakeAgent, laid: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    code = coffer(agent, "jobs", verb, JOB_ID)

    assert code == 0
    assert {"column matches sum", "visits 30 7300.32", "spent 30 null"} <= lines_of(
        capsys.readouterr().out
    )


def test_a_job_that_gave_something_is_shown_with_where_to_see_it(
    agent: FakeAgent, laid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coffer(agent, "jobs", "show", JOB_ID)

    assert f'result here see "coffer jobs result {JOB_ID[:10]}"' in lines_of(
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"id": list(range(41))}, "sums: 41 rows are too many to be shown here"),
        ({name: [1] for name in "abcdefghi"}, "sums: 9 columns are too many to be shown here"),
    ],
)
def test_of_a_larger_output_its_size_is_told_instead(
    agent: FakeAgent,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rows: dict[str, object],
    words: str,
) -> None:
    lay(agent, tmp_path / "x.parquet", rows)

    coffer(agent, "jobs", "result", JOB_ID)

    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("psi.sum", "nothing is released: fewer rows match than the contract's minimum"),
        ("psi.intersect", "sums: there are no rows"),
    ],
)
def test_an_output_without_rows_is_told_in_words(
    agent: FakeAgent, tmp_path: Path, capsys: pytest.CaptureFixture[str], service: str, words: str
) -> None:
    lay(agent, tmp_path / "x.parquet", {"id": pa.array([], pa.int64())}, service)

    coffer(agent, "jobs", "result", JOB_ID)

    assert words in capsys.readouterr().out


def test_a_value_in_an_output_cannot_steer_the_terminal(
    agent: FakeAgent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(agent, tmp_path / "x.parquet", {"#\x1b[2J": ["\x1b[3J[red]"]})

    coffer(agent, "jobs", "result", JOB_ID)

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "#\ufffd[2J" in out
    assert "\ufffd[3J[red]" in out


def test_a_file_that_is_not_there_is_named_without_being_shown(
    agent: FakeAgent, laid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    laid.unlink()

    code = coffer(agent, "jobs", "result", JOB_ID)

    assert code == 0
    assert str(laid) in capsys.readouterr().out


def test_json_holds_no_table(
    agent: FakeAgent, laid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coffer(agent, "jobs", "result", JOB_ID, "--json")

    assert json.loads(capsys.readouterr().out)["files"] == {"sums": str(laid)}


@pytest.mark.parametrize(
    ("name", "options", "begins"),
    [
        ("x.csv", (), b"column,"),
        ("x.CSV", (), b"column,"),
        ("x.parquet", (), b"PAR1"),
        ("x", (), b"PAR1"),
        ("x.txt", ("--format", "csv"), b"column,"),
    ],
)
def test_a_copy_is_written_as_its_suffix_says_if_nothing_else_is_asked(
    agent: FakeAgent,
    laid: Path,
    tmp_path: Path,
    name: str,
    options: tuple[str, ...],
    begins: bytes,
) -> None:
    target = tmp_path / "copies" / name

    code = coffer(agent, "jobs", "result", JOB_ID, "--copy-to", str(target), *options)

    assert code == 0
    assert target.read_bytes().startswith(begins)
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("name", "form"), [("x.csv", "parquet"), ("x.parquet", "csv")])
def test_a_format_that_the_suffix_contradicts_is_wrong_usage(
    agent: FakeAgent,
    laid: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    form: str,
) -> None:
    target = tmp_path / name

    code = coffer(agent, "jobs", "result", JOB_ID, "--copy-to", str(target), "--format", form)

    assert code == 2
    assert f"{name} and --format {form} contradict" in capsys.readouterr().err
    assert not target.exists()


def test_a_folder_whose_name_has_a_suffix_takes_either_format(
    agent: FakeAgent, laid: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "all.parquet"
    folder.mkdir()

    code = coffer(agent, "jobs", "result", JOB_ID, "--copy-to", str(folder), "--format", "csv")

    assert code == 0
    assert (folder / "sums.csv").is_file()
