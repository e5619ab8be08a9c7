import csv
import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from appliance.api.client import Client
from appliance.demo.__main__ import main, work_folder
from appliance.demo.nodes import DemoFailed, Node, wait_until
from appliance.demo.story import Teller, require_intersection, say_what_is_left
from appliance.demo.tables import KEY, Tables, write_tables


def keys_of(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row[KEY] for row in csv.DictReader(file)]


def a_node(folder: Path, *command: str) -> Node:
    log = folder / "hospital.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    return Node(
        name="hospital", state=folder, log=log, process=process, client=Client(folder)
    )  # fmt: skip


def test_the_tables_overlap_in_part_and_only_in_normal_form(tmp_path: Path) -> None:
    tables = write_tables(tmp_path)

    hospital, laboratory = keys_of(tables.hospital), keys_of(tables.laboratory)
    normal = {key.strip().lower() for key in laboratory}
    assert {key.lower() for key in hospital} & normal == tables.common
    assert len(tables.common) < min(len(hospital), len(laboratory))
    assert len(set(hospital) & set(laboratory)) < len(tables.common) / 2
    assert len(normal) == len(laboratory)


def test_the_tables_are_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    first, second = write_tables(tmp_path / "a"), write_tables(tmp_path / "b")

    assert first.hospital.read_bytes() == second.hospital.read_bytes()
    assert first.laboratory.read_bytes() == second.laboratory.read_bytes()


@pytest.mark.parametrize("found", [["p-1"], ["p-1", "p-2", "p-2"], ["p-1", "p-3"]])
def test_a_result_that_is_not_the_intersection_fails(tmp_path: Path, found: list[str]) -> None:
    tables = Tables(hospital=tmp_path, laboratory=tmp_path, common=frozenset({"p-1", "p-2"}))
    pq.write_table(pa.table({KEY: found}), tmp_path / "result.parquet")

    with pytest.raises(DemoFailed, match="not the 2 that the plain computation gives"):
        require_intersection("hospital", tmp_path / "result.parquet", tables)


def test_the_intersection_in_any_spelling_passes(tmp_path: Path) -> None:
    tables = Tables(hospital=tmp_path, laboratory=tmp_path, common=frozenset({"p-1", "p-2"}))
    pq.write_table(pa.table({KEY: [" P-2", "p-1"]}), tmp_path / "result.parquet")

    require_intersection("hospital", tmp_path / "result.parquet", tables)


def test_waiting_for_a_node_that_dies_ends_with_the_end_of_its_log(tmp_path: Path) -> None:
    node = a_node(tmp_path, sys.executable, "-c", "import sys; sys.exit('the port is taken')")

    with pytest.raises(DemoFailed, match="the port is taken") as caught:
        wait_until("it answers", lambda: None, [node])

    assert "exit code 1" in caught.value.what
    assert str(node.log) in caught.value.remedy


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    code = main(["--exit", "--folder", str(tmp_path)])

    assert code == 1
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_folder_of_an_earlier_demonstration_is_cleared(tmp_path: Path) -> None:
    with work_folder(tmp_path / "demo") as folder:
        (folder / "hospital.log").touch()

    with work_folder(tmp_path / "demo") as folder:
        left = [path.name for path in folder.iterdir()]

    assert left == [".coffer-demo"]


def test_what_the_demonstration_made_is_kept_only_if_it_failed() -> None:
    with work_folder(None) as good:
        pass
    with pytest.raises(DemoFailed), work_folder(None) as bad:
        raise DemoFailed("no")

    assert not good.exists()
    assert bad.is_dir()
    bad.rmdir()


@pytest.mark.parametrize(
    ("kept", "left"),
    [(None, "what they made is deleted"), (Path("/x/y"), "what they made is in /x/y")],
)
def test_a_demonstration_that_ends_tells_what_is_left_of_it(kept: Path | None, left: str) -> None:
    shown = io.StringIO()

    say_what_is_left(Teller(Console(file=shown)), kept)

    assert left in shown.getvalue()
    assert "while the nodes run" not in shown.getvalue()
