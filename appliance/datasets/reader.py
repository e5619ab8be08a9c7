"""The one way to a registered table's content: TableInputs, of what is as it was registered."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from appliance.datasets import keys, numbers, texts
from appliance.datasets.errors import DatasetChanged
from appliance.datasets.fingerprint import require_same_stamps, require_unchanged
from appliance.datasets.inspect import explain_change
from appliance.datasets.source import Source
from appliance.datasets.table import DuckDB, Reading, opened, require_schema
from services.errors import LocalProtocolError
from services.service import Keys, Numbers, Texts

B = TypeVar("B", Keys, Numbers, tuple[Texts, ...])


class TableInputs:
    """A party's own dataset as a service sees it: the Inputs of :mod:`services.service`.

    Each reading ends with DatasetChanged, FileVanished or another DatasetError, explained as far
    as it can be, unless the content is what was registered, before and after.
    columns: those that the contract makes use of; all others are as if they were not there.
    """

    def __init__(self, source: Source, reading: Reading, columns: Collection[str]) -> None:
        self._source = source
        self._reading = reading
        self._columns = frozenset(columns)

    def read_keys(self) -> Iterator[Keys]:
        """Read the key column; see :func:`appliance.datasets.keys.read_keys`."""
        self._require_used(self._source.key)
        return self._checked(
            lambda database: keys.read_keys(self._source, database), len, self._source.row_count
        )

    def read_texts(
        self, columns: Sequence[str], rows: NDArray[np.int64]
    ) -> Iterator[tuple[Texts, ...]]:
        """Read columns of some rows; see :func:`appliance.datasets.texts.read_texts`."""
        self._require_used(columns)
        return self._checked(
            lambda database: texts.read_texts(self._source, columns, rows, database),
            lambda batch: len(batch[0]),
            len(rows),
        )

    def read_numbers(self, columns: Sequence[str], digits: int) -> Iterator[Numbers]:
        """Read columns of numbers; see :func:`appliance.datasets.numbers.read_numbers`."""
        self._require_used(columns)
        return self._checked(
            lambda database: numbers.read_numbers(self._source, columns, digits, database),
            lambda batch: len(batch.values),
            self._source.row_count,
        )

    def _require_used(self, columns: Iterable[str]) -> None:
        for name in columns:
            if name not in self._columns:
                raise LocalProtocolError(
                    f"the service asked for {name}, of which the contract makes no use"
                )

    def _checked(
        self, read: Callable[[DuckDB], Iterator[B]], count: Callable[[Any], int], due: int
    ) -> Iterator[B]:
        try:
            stamps = require_unchanged(self._source)
            with opened(self._source, self._reading) as database:
                require_schema(self._source, database)
                for batch in read(database):
                    due -= count(batch)
                    yield batch
            require_same_stamps(stamps)
            if due:
                raise DatasetChanged(self._source.shown)
        except DatasetChanged:
            raise explain_change(self._source, self._reading) from None
