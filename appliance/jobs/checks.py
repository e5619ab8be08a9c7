"""What a contract must pass before this node signs it, whoever proposed it."""

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import ValidationError

from appliance.contracts.contract import Contract, ContractDataset
from appliance.contracts.errors import (
    ParametersInvalid,
    ServiceUnknown,
    ServiceVersionDiffers,
)
from appliance.contracts.terms import get_service, terms_of
from appliance.datasets.errors import DatasetError, DatasetNotFound
from appliance.datasets.source import Source
from appliance.jobs.errors import Unfit
from appliance.jobs.needs import DatasetBook, PeerBook
from appliance.jobs.reasons import Reason
from appliance.store.database import Store
from services.errors import ConfigError
from services.service import Service

MOST_CLOCK_SKEW_MILLISECONDS: Final = 300 * 1000


class Checks:
    """The checks of this node, with its own services, peers, datasets and clock."""

    def __init__(
        self,
        store: Store,
        services: Mapping[str, Service],
        peers: PeerBook,
        datasets: DatasetBook,
        now_milliseconds: Callable[[], int],
    ) -> None:
        self._store = store
        self._services = services
        self._peers = peers
        self._datasets = datasets
        self._now_milliseconds = now_milliseconds

    async def require_fit(self, contract: Contract, rank: int) -> Source | None:
        """Return where the rows of our dataset come from, None if we give none.

        Raises: Unfit, with the one reason that others are told.
        """
        require_terms(contract, self._services)
        require_timely(contract, self._now_milliseconds())
        await self._require_paired(contract, rank)
        return await self.require_dataset(contract, rank)

    async def require_dataset(self, contract: Contract, rank: int) -> Source | None:
        """Return where our dataset's rows come from; Unfit unless it is what the contract says."""
        asked = contract.parties[rank].dataset
        if asked is None:
            return None
        try:
            here = await self._datasets.describe_own(asked.name)
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
        if here.null_key_count or here.duplicate_key_count:
            raise Unfit(
                Reason.DATASET_KEYS,
                f"the key of {asked.name} is null in {here.null_key_count} rows and repeated in"
                f" {here.duplicate_key_count}",
                remedy=f'see "coffer datasets show {asked.name}", mend the table, add it again',
            )
        try:
            return await self._datasets.require_unchanged(asked.name)
        except DatasetError as error:
            raise Unfit(Reason.DATASET_CHANGED, error.what, remedy=error.remedy) from None

    async def _require_published(self, name: str, contract: Contract) -> None:
        proposer = contract.parties[contract.proposer]
        if not await self._datasets.is_published(name, proposer.node_id):
            raise Unfit(
                Reason.DATASET_UNKNOWN,
                f"the dataset {name} is not published to the proposer",
                remedy=f'publish it: "coffer datasets publish {name}"',
            )

    async def _require_paired(self, contract: Contract, rank: int) -> None:
        others = [party for own, party in enumerate(contract.parties) if own != rank]
        missing = await self._store.run(
            lambda session: [
                party.name
                for party in others
                if self._peers.find_paired(session, party.node_id) is None
            ]
        )
        if missing:
            raise Unfit(Reason.NOT_PAIRED, f"not paired with {', '.join(missing)}")


def require_terms(contract: Contract, services: Mapping[str, Service]) -> None:
    """Return if the service can run the contract, else raise Unfit."""
    try:
        service = get_service(contract, services)
    except ServiceUnknown as error:
        raise Unfit(Reason.SERVICE_UNKNOWN, error.what, remedy=error.remedy) from None
    except ServiceVersionDiffers as error:
        raise Unfit(Reason.SERVICE_VERSION, error.what, remedy=error.remedy) from None
    _require_shape(contract, service)
    _require_one_normal_form(contract)
    try:
        service.check(terms_of(contract, service))
    except (ParametersInvalid, ConfigError) as error:
        raise Unfit(Reason.TERMS, error.what, remedy=error.remedy) from None


def require_timely(contract: Contract, now_milliseconds: int) -> None:
    """Return if the contract was made in the past and has not expired, by our clock."""
    if contract.created > now_milliseconds + MOST_CLOCK_SKEW_MILLISECONDS:
        ahead = (contract.created - now_milliseconds) // 1000
        raise Unfit(Reason.CLOCK, f"the contract was made {ahead} s in the future")
    if contract.expires <= now_milliseconds:
        raise Unfit(Reason.EXPIRED, "the contract has expired")


def _require_shape(contract: Contract, service: Service) -> None:
    if len(contract.parties) not in service.party_counts:
        raise Unfit(Reason.TERMS, f"{service.name} is not for {len(contract.parties)} parties")
    for party in contract.parties:
        if party.role not in service.roles:
            raise Unfit(Reason.TERMS, f"{service.name} has no role {party.role}")
        unknown = set(party.receives) - set(service.outputs)
        if unknown:
            raise Unfit(Reason.TERMS, f"{service.name} has no output {min(unknown)}")


def _require_one_normal_form(contract: Contract) -> None:
    keyed = [party for party in contract.parties if party.dataset and party.dataset.key]
    forms = {
        party.name: ", ".join(party.dataset.normal_form) or "none"
        for party in keyed
        if party.dataset
    }
    if len(set(forms.values())) > 1:
        listed = "; ".join(f"{name}: {form}" for name, form in forms.items())
        raise Unfit(Reason.NORMAL_FORMS, f"the normal forms of the keys differ ({listed})")


def _require_equal(asked: ContractDataset, here: ContractDataset) -> None:
    """Refuse a dataset that was registered again since, naming the first difference."""
    for what in ("columns", "key", "normal_form", "row_count", "fingerprint"):
        if getattr(asked, what) != getattr(here, what):
            shown = "content" if what == "fingerprint" else what.replace("_", " ")
            raise Unfit(
                Reason.DATASET_CHANGED,
                f"the {shown} of {asked.name} is not what the contract says",
                remedy="register it as it was, or have another job proposed",
            )
