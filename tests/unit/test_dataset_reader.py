import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from appliance.datasets.errors import (
    BadKey,
    BadRow,
    DatasetChanged,
    DiskFull,
    FileVanished,
)
from appliance.datasets.fingerprint import commitment, hash_content, require_unchanged
from appliance.datasets.inspect import inspect
from appliance.datasets.keys import BATCH_ROWS
from appliance.datasets.outputs import write_rows
from appliance.datasets.reader import TableInputs
from appliance.datasets.result_file import GROUP_ROWS
from appliance.datasets.source import Kind, Source
from appliance.datasets.table import Reading
from services.errors import LocalProtocolError
from services.service import Keys
from tests.unit.dataset_doubles import csv_file, inspected, parquet_file, wanted_query


def as_texts(keys: Keys) -> list[str]:
    data, ends = keys.data.tobytes(), keys.offsets.tolist()
    return [data[start:end].decode() for start, end in pairwise(ends)]


def read_keys(source: Source, scratch: Path) -> list[Keys]:
    return list(TableInputs(source, Reading(scratch=scratch), source.key).read_keys())


def keys_in(source: Source, scratch: Path) -> list[str]:
    return [key for batch in read_keys(source, scratch) for key in as_texts(batch)]


def rows(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(numbers, np.int64)


def test_keys_come_row_by_row_in_normal_form(tmp_path: Path) -> None:
    path = csv_file(tmp_path, 'id,x\n  007,1\nÄrger,2\n"a, b",3\n')
    source = inspected(path, normal_form=("trim", "lower")).source

    [keys] = read_keys(source, tmp_path)

    assert as_texts(keys) == ["007", "ärger", "a, b"]
    assert keys.offsets.dtype == np.int64
    assert keys.data.dtype == np.uint8
    assert keys.offsets.flags.c_contiguous
    assert len(keys.data) == keys.offsets[-1]


@pytest.mark.parametrize("count", [0, 1, 5, 131_072, 300_001])
def test_keys_of_any_number_keep_their_order(tmp_path: Path, count: int) -> None:
    ids = [f"k{'x' * (n % 40)}{n}" for n in range(count)]
    source = inspected(parquet_file(tmp_path, {"id": ids or [""][:0]})).source

    assert keys_in(source, tmp_path) == ids


def test_numbers_dates_and_two_columns_are_keys_too(tmp_path: Path) -> None:
    day = np.array(["2024-01-01", "2024-01-02"], "datetime64[D]")
    path = parquet_file(tmp_path, {"id": [7, -8], "day": day, "x": [1.0, 2.5]})

    numbers = keys_in(inspected(path).source, tmp_path)
    pairs = keys_in(inspected(path, "day", "id").source, tmp_path)
    floats = inspected(path, "x", normal_form=("numeric",)).source

    assert numbers == ["7", "-8"]
    assert pairs == ["2024-01-01\x1f7", "2024-01-02\x1f-8"]
    assert keys_in(floats, tmp_path) == ["1", "2.5"]


def test_one_source_gives_the_same_keys_from_csv_parquet_and_query(tmp_path: Path) -> None:
    ids = [f"{n:06d}" for n in range(40_000)]
    as_csv = csv_file(tmp_path, "id\n" + "\n".join(ids) + "\n")
    as_parquet = parquet_file(tmp_path, {"id": ids})
    query = f"SELECT * FROM '{as_parquet}' ORDER BY id DESC"  # noqa: S608
    as_query = inspect(wanted_query(query, as_parquet), Reading(scratch=tmp_path))

    for found in (inspected(as_csv), inspected(as_parquet), as_query):
        assert keys_in(found.source, tmp_path) == ids


def test_a_null_key_is_told_by_row_and_column(tmp_path: Path) -> None:
    source = inspected(parquet_file(tmp_path, {"id": ["a", "b", None, None]})).source

    with pytest.raises(BadKey, match=r"table.parquet, row 3, column id: the key is null") as told:
        read_keys(source, tmp_path)

    assert (told.value.row, told.value.column) == (3, "id")


def test_keys_before_a_null_key_come_first(tmp_path: Path) -> None:
    ids = [*(f"k{n}" for n in range(2 * BATCH_ROWS + 5)), None]
    source = inspected(parquet_file(tmp_path, {"id": ids})).source
    batches = TableInputs(source, Reading(scratch=tmp_path), source.key).read_keys()

    assert [len(next(batches)) for _ in range(2)] == [BATCH_ROWS, BATCH_ROWS]
    with pytest.raises(BadKey, match=f"row {2 * BATCH_ROWS + 6}, column id: the key is null"):
        list(batches)


def test_keys_may_repeat(tmp_path: Path) -> None:
    source = inspected(csv_file(tmp_path, "id\nx\ny\nz\ny\nx\n")).source

    assert keys_in(source, tmp_path) == ["x", "y", "z", "y", "x"]


def test_nothing_of_what_was_read_stays_in_scratch(tmp_path: Path) -> None:
    source = inspected(csv_file(tmp_path, "id\nx\n")).source

    assert keys_in(source, tmp_path) == ["x"]
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_source_survives_its_journey_to_a_worker(tmp_path: Path) -> None:
    source = inspected(csv_file(tmp_path, "id,x\n1,2\n")).source

    assert msgspec.json.decode(msgspec.json.encode(source), type=Source) == source


def test_selected_rows_are_written_whole(tmp_path: Path) -> None:
    path = csv_file(tmp_path, 'id,age,"note, or not"\n01,30,\n02,,"a\nb"\n03,32,c\n')
    target = tmp_path / "results" / "rows.parquet"
    target.parent.mkdir()

    count = write_rows(inspected(path).source, rows(0, 1), target, Reading(scratch=tmp_path))

    table = pq.read_table(target)
    assert count == 2
    assert table.to_pydict() == {
        "id": ["01", "02"],
        "age": [30, None],
        "note, or not": [None, "a\nb"],
    }
    assert [*target.parent.iterdir()] == [target]


@pytest.mark.parametrize("step", [1, 3, 70_000, 400_000])
def test_rows_from_all_over_a_table_are_found(tmp_path: Path, step: int) -> None:
    count = 300_000
    source = inspected(
        parquet_file(tmp_path, {"id": np.arange(count), "x": np.arange(count)})
    ).source
    picked = np.arange(step - 1, count, step, dtype=np.int64)
    target = tmp_path / "rows.parquet"

    written = write_rows(source, picked, target, Reading(scratch=tmp_path))

    assert written == len(picked)
    assert pq.read_table(target)["id"].to_numpy().tolist() == picked.tolist()
    assert pq.ParquetFile(target).num_row_groups <= 1 + len(picked) // GROUP_ROWS


def test_the_rows_written_are_those_of_the_keys_read(tmp_path: Path) -> None:
    people = parquet_file(tmp_path, {"id": [f"{n * 7919 % 5003:05d}" for n in range(5003)]})
    query = f"SELECT id, count(*) AS n FROM '{people}' GROUP BY id"  # noqa: S608
    source = inspect(wanted_query(query, people), Reading(scratch=tmp_path)).source
    picked = rows(3, 500, 5002)
    target = tmp_path / "rows.parquet"

    keys = keys_in(source, tmp_path)
    write_rows(source, picked, target, Reading(scratch=tmp_path))

    assert pq.read_table(target)["id"].to_pylist() == [keys[n] for n in picked]


def test_results_are_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    source = inspected(csv_file(tmp_path, "id\n1\n2\n")).source
    target = tmp_path / "rows.parquet"
    target.write_bytes(b"older")
    csv_file(tmp_path, "id\n1\n3\n")

    with pytest.raises(DatasetChanged):
        write_rows(source, rows(0), target, Reading(scratch=tmp_path))

    assert target.read_bytes() == b"older"
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_a_disk_that_fills_up_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).bytes(4 << 20)
    ids = [noise[n * 40 : n * 40 + 40].hex() for n in range(100_000)]
    path = parquet_file(tmp_path, {"id": ids})
    folder = tmp_path / "results"
    folder.mkdir()
    script = f"""
import resource
from pathlib import Path
import numpy as np
from appliance.datasets.errors import DiskFull
from appliance.datasets.outputs import write_rows
from appliance.datasets.keys import BATCH_ROWS
from appliance.datasets.table import Reading
from tests.unit.dataset_doubles import inspected
path, folder = Path({str(path)!r}), Path({str(folder)!r})
source = inspected(path).source
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    write_rows(source, np.arange(100_000), folder / "rows.parquet", Reading(scratch=path.parent))
except DiskFull as error:
    print(error.what)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout == f"the disk that holds {folder} is full\n"
    assert [*folder.iterdir()] == []


def test_a_disk_full_of_spilt_rows_is_a_clear_error(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, {"id": [f"patient-{n:032d}" for n in range(400_000)]})
    script = f"""
import resource
from pathlib import Path
from appliance.datasets.errors import DiskFull
from appliance.datasets.inspect import inspect
from appliance.datasets.keys import BATCH_ROWS
from appliance.datasets.table import Reading
from tests.unit.dataset_doubles import wanted
path = Path({str(path)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    inspect(wanted(path), Reading(scratch=path.parent, memory_bytes=48 << 20))
except DiskFull as error:
    print(error.what)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout == f"the disk that holds {tmp_path} is full\n"


def test_a_changed_file_is_refused_before_a_key_is_read(tmp_path: Path) -> None:
    source = inspected(csv_file(tmp_path, "id,x\n1,2\n")).source
    csv_file(tmp_path, "id,x\n1,3\n")

    with pytest.raises(DatasetChanged, match="has changed since it was registered"):
        read_keys(source, tmp_path)


def test_a_service_is_told_which_row_went_bad(tmp_path: Path) -> None:
    source = inspected(csv_file(tmp_path, "id,x\n1,2\n2,3\n")).source
    csv_file(tmp_path, "id,x\n1,2\n2,three\n")

    with pytest.raises(BadRow, match=r"row 2 \(line 3 of the file\), column x"):
        list(TableInputs(source, Reading(scratch=tmp_path), source.key).read_keys())


def test_a_vanished_file_is_told(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id\n1\n")
    source = inspected(path).source
    path.unlink()

    with pytest.raises(FileVanished):
        list(TableInputs(source, Reading(scratch=tmp_path), source.key).read_keys())
    with pytest.raises(FileVanished):
        write_rows(source, rows(0), tmp_path / "rows.parquet", Reading(scratch=tmp_path))


def test_a_file_that_was_only_touched_or_copied_is_the_same(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id\n1\n")
    source = inspected(path).source
    time.sleep(0.01)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)

    assert require_unchanged(source) != source.files
    assert keys_in(source, tmp_path) == ["1"]


def test_a_change_is_found_although_the_times_were_set_back(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id\n1\n")
    source = inspected(path).source
    stamp = source.files[0]
    time.sleep(0.01)
    path.write_bytes(b"id\n2\n")
    os.utime(path, ns=(stamp.modified_nanoseconds, stamp.modified_nanoseconds))

    with pytest.raises(DatasetChanged):
        require_unchanged(source)


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    source = inspected(csv_file(tmp_path, "id\n1\n")).source

    assert require_unchanged(replace(source, content_hash="00" * 32)) == source.files


def test_the_content_of_a_file_is_its_bytes(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id\n1\n")

    found = hash_content(Kind.CSV, str(path), [str(path)])

    assert found == hashlib.sha256(b"id\n1\n").hexdigest()


def test_the_content_of_a_query_is_its_text_and_its_files(tmp_path: Path) -> None:
    one, two = csv_file(tmp_path, "id\n1\n", "1.csv"), csv_file(tmp_path, "id\n2\n", "2.csv")
    files = [str(one), str(two)]
    first = hash_content(Kind.QUERY, "SELECT 1", files)

    other_text = hash_content(Kind.QUERY, "SELECT 2", files)
    csv_file(tmp_path, "id\n3\n", "2.csv")
    other_file = hash_content(Kind.QUERY, "SELECT 1", files)

    assert len({first, other_text, other_file}) == 3


def test_a_commitment_hides_the_content_and_binds_to_it() -> None:
    content, other = "aa" * 32, "bb" * 32
    salt = bytes(32)

    assert commitment(salt, content) == commitment(salt, content)
    assert len({commitment(s, c) for s in (salt, b"\1" * 32) for c in (content, other)}) == 4
    assert content not in commitment(salt, content)


def test_a_full_disk_names_the_folder(tmp_path: Path) -> None:
    assert DiskFull(tmp_path).what == f"the disk that holds {tmp_path} is full"


def test_columns_of_which_the_contract_makes_no_use_cannot_be_read(tmp_path: Path) -> None:
    source = inspected(parquet_file(tmp_path, {"id": ["a"], "age": [1], "sex": ["f"]})).source
    inputs = TableInputs(source, Reading(scratch=tmp_path), ("age",))

    for read in (
        inputs.read_keys,
        lambda: inputs.read_texts(["age", "sex"], rows(0)),
        lambda: inputs.read_numbers(["id"], 0),
    ):
        with pytest.raises(LocalProtocolError, match="makes no use"):
            read()
    assert len(list(inputs.read_numbers(["age"], 0))) == 1
