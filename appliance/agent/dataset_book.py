"""What jobs ask of datasets, answered by Datasets: a dataset as a contract names it."""

from appliance.contracts.contract import ContractColumn, ContractDataset
from appliance.datasets.datasets import Datasets, Description
from appliance.datasets.source import Source
from appliance.identity.node_id import NodeId
from appliance.jobs.needs import DescribedDataset


class DatasetBook:
    """The DatasetBook of :mod:`appliance.jobs.needs`."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    async def describe_own(self, name: str) -> DescribedDataset:
        """Return one of our datasets; DatasetNotFound."""
        own = await self._datasets.get_own(name)
        return DescribedDataset(
            terms=_terms(own.description),
            null_key_count=own.figures.null_key_count,
            duplicate_key_count=own.figures.duplicate_key_count,
        )

    async def describe_published(self, owner: NodeId, name: str) -> DescribedDataset:
        """Return a dataset that a peer published to us; DatasetNotFound."""
        published = await self._datasets.get_published(owner, name)
        return DescribedDataset(terms=_terms(published.description))

    async def is_published(self, name: str, peer: NodeId) -> bool:
        """Tell whether our dataset is published to a peer."""
        return await self._datasets.is_published(name, peer)

    async def require_unchanged(self, name: str) -> Source:
        """Return where our dataset's rows come from; a DatasetError if they have changed."""
        return await self._datasets.require_unchanged(name)


def _terms(description: Description) -> ContractDataset:
    return ContractDataset(
        name=description.name,
        columns=tuple(ContractColumn(name=c.name, type=c.type) for c in description.columns),
        key=description.key,
        normal_form=description.normal_form,
        row_count=description.row_count,
        fingerprint=description.fingerprint,
    )
