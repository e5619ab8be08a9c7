"""Reading columns where each decision asks: beside the ORM, which costs more than the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.orm import Session


def read(session: Session, statement: Executable, asked: Mapping[str, object]) -> Sequence[Any]:
    """Return the rows of a select of columns, also of what the session has not written yet."""
    session.flush()
    return session.connection().execute(statement, asked).all()
