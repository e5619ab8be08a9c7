"""What a service declares: the one interface through which nodes know every joint computation.

A node turns a signed contract into :class:`Terms`, asks the service to ``check`` and to
``disclose`` them, and runs it by giving a :class:`Task` to ``run``, which returns an
:class:`Outcome`. Only ``load`` brings what a run is made of: the agent never needs that.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from services.demand import ColumnUse, Demand
from services.errors import ConfigError
from services.progress import Progress
from services.randomness import Rng

# What only a run handles is named here, not loaded: nodes judge contracts without it.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from services.session import Session

_NUMBER: Final = re.compile(
    r"U?(TINYINT|SMALLINT|INTEGER|BIGINT)|HUGEINT|DECIMAL\(\d+,\d+\)|FLOAT|DOUBLE"
)
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)")


class Adversary(Enum):
    """What a corrupt party may do without breaking the service's privacy."""

    SEMI_HONEST = "semi-honest"
    MALICIOUS = "malicious"


class Topic(Enum):
    """What a statement of a disclosure is about.

    LEARNS:    what a party learns, does not learn, or could by its choice of data
    WITHHELD:  what of that it is not told where too few rows stand behind it
    ADVERSARY: what a corrupt party may do
    COLLUSION: who must not collude
    DEALER:    who hands out random values that the parties trust, if anybody does
    SECURITY:  how hard the run is to break, and what that assumes
    """

    LEARNS = "learns"
    WITHHELD = "withheld"
    ADVERSARY = "adversary"
    COLLUSION = "collusion"
    DEALER = "dealer"
    SECURITY = "security"


class Parameters(BaseModel):
    """The base of each service's parameters: frozen, strict, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a published table; ``type`` is the SQL type's name, such as BIGINT."""

    name: str
    type: str

    @property
    def is_number(self) -> bool:
        """Whether its values add up."""
        return _NUMBER.fullmatch(self.type) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetTerms:
    """What a contract says of one party's dataset: all that the peers know of it.

    is_bound: whether ``row_count`` is a bound that hides how many rows there are, not their count.
    payload:  the columns whose values its owner lets others have where rows match.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    normal_form: tuple[str, ...]
    row_count: int
    is_bound: bool = False
    payload: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyTerms:
    """One party of a contract. Its rank is its place in ``Terms.parties``."""

    name: str
    role: str
    dataset: DatasetTerms | None
    receives: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a contract asks of a service."""

    parties: tuple[PartyTerms, ...]
    parameters: Parameters

    def rank_of(self, role: str) -> int:
        """Return the rank of the one party in ``role``; ConfigError if there is not one."""
        ranks = [rank for rank, party in enumerate(self.parties) if party.role == role]
        if len(ranks) != 1:
            raise ConfigError(f"the contract names {len(ranks)} parties as {role}, one is needed")
        return ranks[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence of a disclosure, in translatable templates.

    learner:  the rank of who learns it, None if it is of the run as a whole.
    about:    the rank whose data the knowledge comes from, None if it concerns no one's data.
    template: the sentence as others read it; it may use any of ``values``.
    to_us:    the same as the learner itself reads it, empty if there is none.
    of_us:    the same as the party whose data it is reads it, empty if it names no such party.
    """

    learner: int | None
    about: int | None
    template: str
    to_us: str = ""
    of_us: str = ""
    topic: Topic = Topic.LEARNS
    values: Mapping[str, str | int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template % self.values

    def read_by(self, rank: int) -> str:
        """Return the sentence as the party of this rank reads it."""
        return self.template_for(rank) % self.values

    def template_for(self, rank: int) -> str:
        """Return the template that the party of this rank reads."""
        if rank == self.learner:
            return self.to_us
        return self.of_us if rank == self.about and self.of_us else self.template

    @property
    def facts(self) -> Mapping[str, str]:
        """The values that ``template`` uses, by name, as text."""
        return {name: str(self.values[name]) for name in _PLACEHOLDER.findall(self.template)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A named part of a run; ``weight`` is its share of the time, relative to the others.

    knows_result: from here on the run depends on the result, so that peers must not hear why
                  it failed.
    """

    name: str
    title: str
    weight: float
    knows_result: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """The key column of a dataset in normal form, row by row, as one contiguous buffer.

    Shapes: offsets (n + 1,) int64, ascending from 0; data (offsets[n],) uint8.
            Key i is data[offsets[i]:offsets[i + 1]].
    """

    offsets: "NDArray[np.int64]" = field(repr=False)
    data: "NDArray[np.uint8]" = field(repr=False)

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, slots=True)
class Texts:
    """Values of one column as text, row by row, as one contiguous buffer; some may be null.

    Shapes: offsets (n + 1,) int64, ascending from 0; data (offsets[n],) uint8, UTF-8;
            present (n,) bool. A value that is null has no text.
    """

    offsets: "NDArray[np.int64]" = field(repr=False)
    data: "NDArray[np.uint8]" = field(repr=False)
    present: "NDArray[np.bool_]" = field(repr=False)

    def __len__(self) -> int:
        return len(self.present)


class Numbers(NamedTuple):
    """Values of some columns as whole numbers, row by row; some may be null, and are 0 then.

    Shapes: values (n, columns) int64; present (n, columns) bool.
    """

    values: "NDArray[np.int64]"
    present: "NDArray[np.bool_]"

    def __repr__(self) -> str:
        return f"Numbers of {len(self.values)} rows"


class Inputs(Protocol):
    """Our own dataset, as the worker opens it for a service. Rows are numbered from 0."""

    def read_keys(self) -> Iterator[Keys]:
        """Read the key column in batches; DatasetError, naming row and column, if one is unfit.

        Keys may repeat: what that means is for the service to say.
        """

    def read_texts(
        self, columns: Sequence[str], rows: "NDArray[np.int64]"
    ) -> Iterator[tuple[Texts, ...]]:
        """Read columns of some rows as text, in batches, in the order of ``rows``.

        Read as the column's type again, a text is the same value. DatasetError, naming row and
        column, of a NaN.
        """

    def read_numbers(self, columns: Sequence[str], digits: int) -> Iterator[Numbers]:
        """Read columns of all rows as multiples of 10^-digits, in batches, in the rows' order.

        DatasetError, naming row and column, of a value that is no number or none of that scale.
        """


class Scratch(Protocol):
    """Files of this job alone: what memory cannot hold, and what a later attempt goes on from."""

    def append(self, name: str, data: "NDArray[Any]") -> None:
        """Add an array's bytes to the end of a file, which is made if there is none."""

    def keep(self, name: str, data: "NDArray[Any]") -> None:
        """Write an array's bytes as a whole file, which is on disk, or not there at all."""

    def load(self, name: str) -> "NDArray[np.uint8] | None":
        """Return the bytes of a file, mapped, not read; None if there is none."""

    def drop(self, name: str) -> None:
        """Remove a file if it is there."""


@dataclass(frozen=True, slots=True)
class Selection:
    """An output that is some rows of the party's own dataset.

    Shapes: rows (k,) int64, ascending row numbers from 0.
    """

    rows: "NDArray[np.int64]" = field(repr=False)


@dataclass(frozen=True, slots=True)
class JoinedRows:
    """Rows of a join: of our own dataset, and what a peer gave to each.

    Shapes: rows (k,) int64, row numbers from 0 in any order, or -1 where there is only the peer's;
            texts of k values each.
    """

    rows: "NDArray[np.int64]" = field(repr=False)
    texts: tuple[Texts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """An output that joins rows of the party's own dataset with columns of a peer's.

    columns: of the peer, as the output names them, with the types that their texts are cast to.
    parts:   the rows, gone through once; a row of ours may come many times.
    is_outer: whether rows of ours that do not come are in the output too, with nulls.
    is_lenient: whether a text that is no value of its column's type is written as null; else it is
               an error, which tells the peer that the row is in the join.
    indicator: the name of a BOOLEAN column that tells whether both sides have the row, empty for
               none.
    """

    columns: tuple[Column, ...]
    parts: Iterable[JoinedRows]
    is_outer: bool = False
    is_lenient: bool = False
    indicator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """An output that is a small table of results; a value may be the text of one of its type."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[int | float | str | None, ...], ...] = field(repr=False)


Output = Selection | Joined | Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one party gets from a run: named outputs, and a summary that its people may see."""

    outputs: Mapping[str, Output] = field(default_factory=dict)
    summary: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """All that a service gets to run with, at one party."""

    session: "Session"
    terms: Terms
    inputs: Inputs | None
    scratch: Scratch
    rng: Rng
    progress: Progress


class NormalFormsDiffer(ConfigError):
    """The parties' keys are not in one normal form, so that equal ones would not compare equal."""


Run = Callable[[Task], Awaitable[Outcome]]


def _no_memory(terms: Terms, rank: int) -> int:
    return 0


def _never(terms: Terms) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One kind of joint computation, as nodes know it.

    version:  of the messages; parties run a contract only if all know its version.
    adversary: what a corrupt party may do in each run; by ``hardened``, perhaps more in some.
    outputs:  names that a contract may let parties receive.
    assign:   (rank of each receiver, party count) -> role of each rank, if a proposer names none.
    check:    raises ConfigError on terms of the right shape that the service cannot run.
    disclose: what each party will learn, beyond and including its output, and what that rests on:
              something on each topic but WITHHELD, on those of the run by ``services.guarantees``.
    demand:   (terms, rank) -> what that asks of the dataset of the party of this rank, which
              brings one; its owner's policy judges it.
    uses:     what demand may make of columns, whatever the terms.
    can_have_noise: whether some terms tell nothing exactly of a dataset in some role.
    load:     returns one party's run; what only that needs is imported then.
    memory:   (terms, rank) -> bytes that the run takes there at the least.
    bears_duplicates: whether several rows of a dataset may have one key.
    hardened: whether a run of these terms is for malicious parties.
    resumes:  whether a run that is started again with the same scratch, after a crash of any party,
              goes on where it stopped; then parties do so, a bounded number of times.
    """

    name: str
    version: int
    title: str
    adversary: Adversary
    party_counts: range
    roles: tuple[str, ...]
    parameters: type[Parameters]
    outputs: tuple[str, ...]
    stages: tuple[Stage, ...]
    assign: Callable[[tuple[int, ...], int], tuple[str, ...]]
    check: Callable[[Terms], None]
    disclose: Callable[[Terms], tuple[Statement, ...]]
    demand: Callable[[Terms, int], Demand]
    uses: frozenset[ColumnUse]
    load: Callable[[], Run]
    memory: Callable[[Terms, int], int] = _no_memory
    can_have_noise: bool = False
    bears_duplicates: Callable[[Terms], bool] = _never
    hardened: Callable[[Terms], bool] = _never
    resumes: Callable[[Terms], bool] = _never

    async def run(self, task: Task) -> Outcome:
        """Run our role of the task against the peers'."""
        return await self.load()(task)

    def adversary_of(self, terms: Terms) -> Adversary:
        """Return what a corrupt party may do in a run of these terms."""
        return Adversary.MALICIOUS if self.hardened(terms) else self.adversary

    def require(self, terms: Terms) -> None:
        """Return if the service can run these terms.

        Raises: NormalFormsDiffer, or another ConfigError.
        """
        self._require_shape(terms)
        _require_one_normal_form(terms)
        self.check(terms)

    def _require_shape(self, terms: Terms) -> None:
        if len(terms.parties) not in self.party_counts:
            raise ConfigError(f"{self.name} is not for {len(terms.parties)} parties")
        for party in terms.parties:
            if party.role not in self.roles:
                raise ConfigError(f"{self.name} has no role {party.role}")
            unknown = set(party.receives) - set(self.outputs)
            if unknown:
                raise ConfigError(f"{self.name} has no output {min(unknown)}")

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the parameters."""
        return self.parameters.model_json_schema()


def _require_one_normal_form(terms: Terms) -> None:
    forms = {
        party.name: ", ".join(party.dataset.normal_form) or "none"
        for party in terms.parties
        if party.dataset is not None and party.dataset.key
    }
    if len(set(forms.values())) > 1:
        listed = "; ".join(f"{name}: {form}" for name, form in forms.items())
        raise NormalFormsDiffer(
            f"the normal forms of the keys differ ({listed})",
            remedy="register one of the datasets again with the other's normal form",
        )


def by_name(*services: Service) -> Mapping[str, Service]:
    """Index services by name; a repeated name is a bug."""
    index: Final = {service.name: service for service in services}
    if len(index) != len(services):
        raise ValueError("two services have one name")
    return index
