import pytest

from appliance.datasets.errors import QueryRefused
from appliance.datasets.query import find_files


@pytest.mark.parametrize(
    ("query", "files"),
    [
        ("SELECT * FROM '/a/b.parquet'", ("/a/b.parquet",)),
        ('FROM "/a/b.csv"', ("/a/b.csv",)),
        ("SELECT * FROM read_csv('/a.csv', header = true) JOIN '/b.parquet' USING (id)",
         ("/a.csv", "/b.parquet")),
        ("FROM read_parquet(['/a', '/b'])", ("/a", "/b")),
        ("WITH t AS (FROM '/z.csv') SELECT * FROM t, t AS u", ("/z.csv",)),
        ("SELECT 1 WHERE EXISTS (FROM '/x.csv')", ("/x.csv",)),
        ("SELECT * FROM '/a.csv' UNION ALL FROM '/a.csv'", ("/a.csv",)),
        ("SELECT range AS id FROM range(3)", ()),
        ("VALUES (1), (2)", ()),
        ("SELECT '/not/a/file.csv' AS id FROM '/a.csv' -- FROM '/b.csv'", ("/a.csv",)),
    ],
)  # fmt: skip
def test_a_querys_files_are_found_wherever_they_stand(query: str, files: tuple[str, ...]) -> None:
    assert set(find_files(query)) == set(files)
    assert len(find_files(query)) == len(files)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("SELEC 1", "cannot be parsed"),
        ("", "not one SELECT"),
        ("SELECT 1; SELECT 2", "not one SELECT"),
        ("COPY (SELECT 1) TO '/etc/passwd'", "not one SELECT"),
        ("CREATE TABLE t (x INT)", "not one SELECT"),
        ("ATTACH '/other.db'", "not one SELECT"),
        ("INSTALL httpfs", "not one SELECT"),
        ("SET memory_limit = '1TB'", "not one SELECT"),
        ("FROM patients", "patients is not the absolute path"),
        ("FROM 'patients.csv'", "patients.csv is not the absolute path"),
        ("FROM 'https://example.org/a.csv'", "not the absolute path"),
        ("FROM read_csv('s3://bucket/a.csv')", "not the absolute path"),
        ("FROM '/data/*.csv'", "is a pattern"),
        ("FROM read_csv('/data/' || 'a.csv')", "not written out"),
        ("FROM read_csv()", "not written out"),
        ("FROM read_text('/etc/shadow')", r"reads from read_text\(\)"),
        ("FROM glob('/home/*')", r"reads from glob\(\)"),
        ("FROM duckdb_settings()", r"reads from duckdb_settings\(\)"),
        ("FROM query('FROM \"/a.csv\"')", r"reads from query\(\)"),
        ("FROM information_schema.tables", "no table information_schema.tables"),
        ("SELECT random() FROM '/a.csv'", r"uses random, which gives other rows"),
        ("SELECT NOW() AS t FROM '/a.csv'", "uses now, which"),
        ("SELECT current_date FROM '/a.csv'", "uses current_date, which"),
        ("SELECT uuid() FROM '/a.csv'", "uses uuid, which"),
        ("FROM '/a.csv' TABLESAMPLE 10%", "uses a sample, which"),
        ("FROM '/a.csv' LIMIT 5", "LIMIT or OFFSET without ORDER BY"),
        ("FROM '/a.csv' OFFSET 5", "LIMIT or OFFSET without ORDER BY"),
        ("FROM (FROM '/a.csv' LIMIT 10%) ORDER BY id", "LIMIT or OFFSET without ORDER BY"),
        (f"VALUES ({'1 + ' * 20000} 1)", "longer than 65536"),
    ],
)
def test_a_query_that_is_not_one_select_of_the_same_rows_is_refused(query: str, fault: str) -> None:
    with pytest.raises(QueryRefused, match=f"(?i){fault}"):
        find_files(query)


@pytest.mark.parametrize("depth", [900, 9000])
def test_a_deeply_nested_query_is_refused_and_harms_nothing(depth: int) -> None:
    nested = f"{'(' * depth}1{')' * depth}"

    with pytest.raises(QueryRefused):
        find_files(f"VALUES ({nested}), (random())")


def test_a_query_may_take_the_first_rows_by_an_order() -> None:
    assert find_files("FROM '/a.csv' ORDER BY id LIMIT 5 OFFSET 2") == ("/a.csv",)
