"""Reading a table through once, before it is registered: its columns, types, and faults.

It runs in a confined process, since a table may come from anywhere.
"""

from pathlib import Path
from typing import Final

from appliance.datasets.csv_file import find_fault, find_line, read_header, require_names
from appliance.datasets.errors import (
    BadRow,
    DatasetChanged,
    DatasetError,
    FileUnreadable,
    QueryRefused,
    TypeUnsupported,
)
from appliance.datasets.fingerprint import hash_content, require_same_stamps
from appliance.datasets.keys import find_bad_key, find_duplicate
from appliance.datasets.normal_form import parse_normal_form
from appliance.datasets.source import Figures, FileStamp, Inspected, Kind, Source, Wanted
from appliance.datasets.table import (
    VARCHAR,
    DuckDB,
    Reading,
    described,
    key_rows_sql,
    opened,
    require_key,
    require_schema,
    rows_sql,
    texts_sql,
)
from services.service import Column
