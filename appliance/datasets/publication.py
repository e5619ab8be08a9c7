"""What peers hear of datasets: descriptions, and on what terms each peer may use one."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from appliance.datasets.csv_file import find_name_fault
from appliance.datasets.errors import PayloadUnsuitable, PublicationUnfit
from appliance.datasets.normal_form import NormalForm
from appliance.datasets.payload import require_payload
from appliance.identity.node_id import NodeId
from appliance.mailbox.letters import ColumnBody, DatasetPublished, LetterRefused, Refusal
from services.service import Column

NAME: Final = re.compile(r"[^\W_][\w.-]{0,63}")
MOST_ROWS: Final = 2**53 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """All that peers hear of a dataset. The fingerprint commits to its content.

    is_bound: whether ``row_count`` is a bound that hides how many rows there are.
    payload:  the columns whose values its owner lets the others have where rows match.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    normal_form: tuple[str, ...]
    row_count: int
    is_bound: bool = False
    payload: tuple[str, ...] = ()
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The terms on which a peer has been told of a dataset of ours.

    payload:    the columns whose values it may be given where rows match.
    rows_up_to: what it hears instead of the row count; None: the row count itself.
    """

    peer: NodeId
    payload: tuple[str, ...] = ()
    rows_up_to: int | None = None

    def require_fit(self, dataset: Description) -> None:
        """Return if the terms are possible. Raises: PublicationUnfit, PayloadUnsuitable."""
        require_payload(dataset.columns, self.payload)
        bound = self.rows_up_to
        if bound is not None and not dataset.row_count <= bound <= MOST_ROWS:
            raise PublicationUnfit(dataset.name, dataset.row_count, bound)


def described_to(
    dataset: Description, publications: Sequence[Publication], peers: Collection[NodeId]
) -> Description:
    """Return a dataset of ours as it may be described before all of these peers at once.

    Columns are given if each of them may have them; the row count is told if each may know it.
    """
    terms = [one for one in publications if one.peer in peers]
    is_known_to_all = len(terms) == len(set(peers))
    shared = [
        column.name
        for column in dataset.columns
        if is_known_to_all and all(column.name in one.payload for one in terms)
    ]
    bounds = [one.rows_up_to for one in terms if one.rows_up_to is not None]
    return replace(
        dataset,
        row_count=max(bounds, default=dataset.row_count),
        is_bound=bool(bounds),
        payload=tuple(shared) if peers else (),
    )


def is_name(name: str) -> bool:
    """Tell whether a dataset may have this name."""
    return bool(NAME.fullmatch(name)) and unicodedata.is_normalized("NFC", name)


def write_letter(description: Description) -> DatasetPublished:
    """Return the letter that tells a peer of a dataset."""
    columns = tuple(ColumnBody(name=c.name, type=c.type) for c in description.columns)
    return DatasetPublished(
        name=description.name,
        columns=columns,
        key=description.key,
        normal_form=description.normal_form,
        row_count=description.row_count,
        is_bound=description.is_bound,
        payload=description.payload,
        fingerprint=description.fingerprint,
    )


def read_letter(body: DatasetPublished) -> Description:
    """Read what a peer says of its dataset; LetterRefused unless it could be one of ours."""
    names = [column.name for column in body.columns]
    forms = {form.value for form in NormalForm}
    fits = (
        is_name(body.name)
        and not find_name_fault(names)
        and all(column.type.isprintable() for column in body.columns)
        and body.key
        and set(body.key) <= set(names)
        and set(body.normal_form) <= forms
        and 0 <= body.row_count <= MOST_ROWS
        and re.fullmatch("[0-9a-f]{64}", body.fingerprint)
    )
    if not fits:
        raise LetterRefused(Refusal.MALFORMED, "a dataset's description makes no sense")
    columns = tuple(Column(name=column.name, type=column.type) for column in body.columns)
    try:
        require_payload(columns, body.payload)
    except PayloadUnsuitable as error:
        what = f"a dataset's description makes no sense: {error.what}"
        raise LetterRefused(Refusal.MALFORMED, what) from None
    return Description(
        name=body.name,
        columns=columns,
        key=body.key,
        normal_form=body.normal_form,
        row_count=body.row_count,
        is_bound=body.is_bound,
        payload=body.payload,
        fingerprint=body.fingerprint,
    )
