"""The class that each noun's tables are declared on, in that noun's own ``store.py``."""

from typing import Any, ClassVar, Final

from sqlalchemy import LargeBinary, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

# Constraints are named by rule, so that a migration can name them too.
NAMES: Final = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Row(DeclarativeBase):
    """A row of one of the node's tables. Times are integers, milliseconds since 1970-01-01 UTC.

    SQLite's integers have 64 bits whatever their column is called.
    """

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        bytes: LargeBinary(),
    }
