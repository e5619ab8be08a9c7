"""What a contract must pass before this node signs it, whoever proposed it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from appliance.contracts.contract import Contract, ContractDataset
from appliance.contracts.terms import get_service, terms_of
from appliance.datasets.errors import DatasetError, DatasetNotFound, PayloadUnsuitable
from appliance.datasets.payload import require_payload
from appliance.datasets.source import Source
from appliance.jobs.errors import Unfit, as_unfit
from appliance.jobs.needs import DatasetBook, PeerBook
from appliance.jobs.reasons import Reason
from appliance.store.database import Store
from services.errors import ConfigError
from services.service import Column, NormalFormsDiffer, Service

MOST_CLOCK_SKEW_MILLISECONDS: Final = 300 * 1000

# What is compared of a dataset, and what people call it.
_COMPARED: Final = {
    "columns": "columns",
    "key": "key",
    "normal_form": "normal form",
    "row_count": "row count",
    "is_bound": "row count, or that it is a bound,",
    "payload": "payload",
    "fingerprint": "content",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """How far this node's owner lets jobs go, whatever their contracts say.

    most_seconds, most_grace_seconds: what a contract may allow itself at the most.
    idle_seconds:                     how long a run may make no progress.
    """

    most_seconds: int
    most_grace_seconds: int
    idle_seconds: float
    worker_memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """The checks of this node, with its own services, peers, datasets, limits and clock."""

    store: Store
    services: Mapping[str, Service]
    peers: PeerBook
    datasets: DatasetBook
    limits: JobLimits
    now_milliseconds: Callable[[], int]

    def require_terms(self, contract: Contract, rank: int) -> None:
        """Return if this node may sign a contract as far as its service, times and limits go.

        Raises: Unfit.
        """
        require_service(contract, self.services)
        require_payloads(contract)
        require_timely(contract, self.now_milliseconds())
        require_within(contract, self.limits)
        require_memory(contract, rank, self.services, self.limits)

    async def require_fit(
        self, contract: Contract, rank: int, *, explains: bool = True
    ) -> Source | None:
        """Return where the rows of our dataset come from, None if we give none.

        explains: whether a table that has changed is read through, to say where; no peer's
                  proposal alone shall cause that.
        Raises: Unfit.
        """
        self.require_terms(contract, rank)
        await self._require_paired(contract, rank)
        return await self.require_dataset(contract, rank, explains=explains)

    async def require_dataset(
        self, contract: Contract, rank: int, *, explains: bool = True
    ) -> Source | None:
        """Return where our dataset's rows come from; Unfit unless it is what the contract says."""
        asked = contract.parties[rank].dataset
        if asked is None:
            return None
        try:
            others = [party.node_id for party in contract.parties if party.dataset is not asked]
            here = await self.datasets.describe_own(asked.name, others)
        except DatasetNotFound as error:
            raise Unfit(Reason.DATASET_UNKNOWN, error.what, remedy=error.remedy) from None
        except ValidationError:
            raise Unfit(
                Reason.DATASET_UNKNOWN,
                f"the dataset {asked.name} has names or types that a contract cannot hold",
                remedy="give its columns shorter names of printable characters",
            ) from None
        if rank != contract.proposer:
            await self._require_published(asked.name, contract)
        _require_equal(asked, here.terms)
        bears_duplicates = self._bears_duplicates(contract)
        if here.null_key_count:
            raise Unfit(
                Reason.DATASET_KEYS,
                f"the key of {asked.name} is null in {here.null_key_count} rows",
                remedy=f'see "coffer datasets show {asked.name}", mend the table, add it again',
            )
        if here.duplicate_key_count and not bears_duplicates:
            raise self._repeated(asked.name, here.duplicate_key_count, contract)
        try:
            return await self.datasets.require_unchanged(asked.name, explains=explains)
        except DatasetError as error:
            raise Unfit(Reason.DATASET_CHANGED, error.what, remedy=error.remedy) from None

    def _bears_duplicates(self, contract: Contract) -> bool:
        service = self.services.get(contract.service.name)
        return service is not None and service.bears_duplicates(terms_of(contract, service))

    def _repeated(self, name: str, rows: int, contract: Contract) -> Unfit:
        service = self.services.get(contract.service.name)
        takes_rule = service is not None and "duplicates" in service.parameters.model_fields
        rule = ', or have the job say what they mean: "--set duplicates=first" or "all"'
        return Unfit(
            Reason.DATASET_KEYS,
            f"the key of {name} is repeated in {rows} rows",
            remedy=f"mend the table and add it again{rule if takes_rule else ''}",
        )

    async def _require_published(self, name: str, contract: Contract) -> None:
        proposer = contract.parties[contract.proposer]
        if not await self.datasets.is_published(name, proposer.node_id):
            names = await self.store.run(self.peers.names)
            peer = names.get(proposer.node_id, proposer.node_id.short)
            raise Unfit(
                Reason.DATASET_UNKNOWN,
                f"the dataset {name} is not published to the proposer",
                remedy=f'publish it: "coffer datasets publish {name} {peer}"',
            )

    async def _require_paired(self, contract: Contract, rank: int) -> None:
        others = [party for own, party in enumerate(contract.parties) if own != rank]
        missing = await self.store.run(
            lambda session: [
                party.name
                for party in others
                if self.peers.find_paired(session, party.node_id) is None
            ]
        )
        if missing:
            raise Unfit(Reason.NOT_PAIRED, f"not paired with {', '.join(missing)}")


def require_service(contract: Contract, services: Mapping[str, Service]) -> None:
    """Return if the service can run the contract, else raise Unfit."""
    try:
        with as_unfit():
            service = get_service(contract, services)
            service.require(terms_of(contract, service))
    except Unfit:
        raise
    except NormalFormsDiffer as error:
        raise Unfit(Reason.NORMAL_FORMS, error.what, remedy=error.remedy) from None
    except ConfigError as error:
        raise Unfit(Reason.TERMS, error.what, remedy=error.remedy) from None


def require_payloads(contract: Contract) -> None:
    """Return if the columns that parties may be given are there, and of plain types."""
    for party in contract.parties:
        if party.dataset is not None:
            columns = [Column(name=one.name, type=one.type) for one in party.dataset.columns]
            try:
                require_payload(columns, party.dataset.payload)
            except PayloadUnsuitable as error:
                what = f"the payload of {party.dataset.name} of {party.name} is unfit: {error.what}"
                raise Unfit(Reason.TERMS, what, remedy=error.remedy) from None


def require_within(contract: Contract, limits: JobLimits) -> None:
    """Return if the contract allows itself no more time than this node's owner does."""
    for what, asked, most, key in (
        ("run", contract.limits.most_seconds, limits.most_seconds, "most_job_seconds"),
        (
            "wait for a lost connection",
            contract.limits.grace_seconds,
            limits.most_grace_seconds,
            "most_grace_seconds",
        ),
    ):
        if asked > most:
            raise Unfit(
                Reason.LIMITS,
                f"the job may {what} for {asked} s, this node allows {most} s",
                remedy=f"have it proposed with a shorter limit, or raise {key} in coffer.toml",
            )


def require_memory(
    contract: Contract, rank: int, services: Mapping[str, Service], limits: JobLimits
) -> None:
    """Return if a worker of ours may take as much memory as the contract's row counts call for."""
    service = get_service(contract, services)
    needed = service.memory(terms_of(contract, service), rank)
    if needed > limits.worker_memory_bytes:
        raise Unfit(
            Reason.MEMORY,
            f"the job takes {needed >> 20} MiB of memory or more here,"
            f" a worker may take {limits.worker_memory_bytes >> 20} MiB",
            remedy="raise worker_memory_bytes in coffer.toml, or agree on smaller datasets",
        )


def require_timely(contract: Contract, now_milliseconds: int) -> None:
    """Return if the contract was made in the past and has not expired, by our clock."""
    if contract.created > now_milliseconds + MOST_CLOCK_SKEW_MILLISECONDS:
        ahead = (contract.created - now_milliseconds) // 1000
        raise Unfit(Reason.CLOCK, f"the contract was made {ahead} s in the future")
    if contract.expires <= now_milliseconds:
        raise Unfit(Reason.EXPIRED, "the contract has expired")


def _require_equal(asked: ContractDataset, here: ContractDataset) -> None:
    """Refuse a dataset that was registered or published again since, naming what differs first."""
    for what, name in _COMPARED.items():
        if getattr(asked, what) != getattr(here, what):
            raise Unfit(
                Reason.DATASET_DIFFERS,
                f"the {name} of {asked.name} is not what the contract says",
                remedy="register and publish it as it was, or have another job proposed",
            )
