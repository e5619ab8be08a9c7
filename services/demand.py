"""What a contract asks of one party's dataset, so that its owner's policy can judge it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Final


class ColumnUse(Enum):
    """What a run makes of a column's values.

    JOIN_KEY:         compared blindly with the others' keys; who receives learns which of its own
                      keys are there too
    JOIN_PAYLOAD:     shown to named receivers, of the rows that match
    GROUP_KEY:        shown as the name of a group of rows
    AGGREGATED:       goes into figures over many rows alone
    COMPARED:         compared with a constant or with others' values, of which only the outcome
                      shows
    TRAINING_FEATURE: a feature that a model is trained or applied on
    LABEL:            what a model learns to predict
    PLAIN:            shown to named receivers, row by row, whether it matches or not
    """

    JOIN_KEY = "join-key"
    JOIN_PAYLOAD = "join-payload"
    GROUP_KEY = "group-key"
    AGGREGATED = "aggregated"
    COMPARED = "compared"
    TRAINING_FEATURE = "training-feature"
    LABEL = "label"
    PLAIN = "plain"

    @property
    def implied(self) -> frozenset["ColumnUse"]:
        """Return the uses, itself among them, that show no more of the values than it does.

        What is shown of the rows that match tells any figure over them. A model that is trained is
        a purpose of its own: only who may show a column to all implies that.
        """
        return _IMPLIED.get(self, frozenset()) | {self}


_IMPLIED: Final = {
    ColumnUse.JOIN_PAYLOAD: frozenset(
        {ColumnUse.GROUP_KEY, ColumnUse.AGGREGATED, ColumnUse.COMPARED}
    ),
    ColumnUse.GROUP_KEY: frozenset({ColumnUse.COMPARED}),
    ColumnUse.PLAIN: frozenset(ColumnUse),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDemand:
    """What is made of one column; ``shown_to``: the ranks that get its values row by row."""

    uses: frozenset[ColumnUse]
    shown_to: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the others get of one party's dataset, at the most.

    columns:               those that the run uses, with what it makes of them; no others are read.
    smallest_group:        how few rows may stand behind a figure; None if no figure is told.
    smallest_intersection: how few rows may match, and the others are told what comes of it.
    largest_result:        of how many rows the others may get something at the most.
    epsilon, delta:        of the noise in what is told (differential privacy, for one row that is
                           there, is not, or is another); None if it has none.
    told_exactly:          what is told of the rows without noise, in words.
    """

    columns: Mapping[str, ColumnDemand] = field(default_factory=dict)
    smallest_group: int | None = None
    smallest_intersection: int = 0
    largest_result: int = 0
    epsilon: Decimal | None = None
    delta: Decimal = Decimal(0)
    told_exactly: tuple[str, ...] = ()
