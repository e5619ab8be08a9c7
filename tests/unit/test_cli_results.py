import csv
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance.api import agent_pb2 as pb
from appliance.api.ways import Refused
from appliance.cli.results import Format, copy_results

ROWS = {
    "id": ["a", "", 'say "b", c', None, "new\nline"],
    "level": [1.5, None, -2.0, 0.1, 3.0],
    "born": pa.array([0, 1, 2, None, 4], pa.date32()),
    "tags": [["x"], [], None, ["y", "z"], ["w"]],
}


@pytest.fixture
def found(tmp_path: Path) -> pb.JobResult:
    folder = tmp_path / "node"
    folder.mkdir()
    files = {}
    for name in ("intersection", "figures"):
        path = folder / f"{name}.parquet"
        pq.write_table(pa.table(ROWS), path)
        files[name] = str(path)
    return pb.JobResult(files=files, row_counts=dict.fromkeys(files, 5))


def one_of(found: pb.JobResult) -> pb.JobResult:
    return pb.JobResult(files={"intersection": found.files["intersection"]})


def test_a_result_is_copied_as_csv_with_nulls_unlike_empty_texts(
    found: pb.JobResult, tmp_path: Path
) -> None:
    goal = tmp_path / "out.csv"

    copied = copy_results(one_of(found), goal, replace=False, form=Format.CSV)

    assert dict(copied.files) == {"intersection": str(goal)}
    with goal.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["a", "", 'say "b", c', "", "new\nline"]
    assert [row["level"] for row in rows] == ["1.5", "", "-2.0", "0.1", "3.0"]
    assert [row["born"] for row in rows][:2] == ["1970-01-01", "1970-01-02"]
    assert [row["tags"] for row in rows][3] == "[y, z]"
    lines = goal.read_text().splitlines()
    assert lines[2].startswith('"",')
    assert lines[4].startswith(",")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_several_results_go_into_a_folder_under_their_names(
    found: pb.JobResult, tmp_path: Path
) -> None:
    copy_results(found, tmp_path / "out", replace=False, form=Format.CSV)
    copy_results(found, tmp_path / "out", replace=False)

    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["figures.csv", "figures.parquet", "intersection.csv", "intersection.parquet"]
    assert pq.read_table(tmp_path / "out" / "figures.parquet").num_rows == 5


def test_a_file_that_exists_is_replaced_only_if_asked(found: pb.JobResult, tmp_path: Path) -> None:
    goal = tmp_path / "out.csv"
    goal.write_text("mine")

    with pytest.raises(Refused, match="exists"):
        copy_results(one_of(found), goal, replace=False, form=Format.CSV)
    assert goal.read_text() == "mine"
    copy_results(one_of(found), goal, replace=True, form=Format.CSV)

    assert goal.read_text().startswith("id,")


def test_a_copy_is_for_its_owner_alone_in_either_format(
    found: pb.JobResult, tmp_path: Path
) -> None:
    former = os.umask(0o022)
    for form in Format:
        copy_results(found, tmp_path / "out", replace=False, form=form)
    os.umask(former)

    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert modes == {0o600}
