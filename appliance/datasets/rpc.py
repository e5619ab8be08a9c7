"""The Datasets API: read the request, ask Datasets, write the reply."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import DatasetsServicer
from appliance.datasets.datasets import Datasets, OwnDataset, PeerDataset, Registration
from appliance.datasets.publication import Description
from appliance.datasets.uploads import Announced, next_of
from services.service import Column


class DatasetsRpc(DatasetsServicer):
    """Serves local callers; no rule about datasets lives here."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    async def AddDataset(self, request: pb.AddDatasetRequest, context: Any) -> pb.Dataset:
        """Register a table."""
        return self._view(await self._datasets.add(from_proto(request)))

    async def UploadTable(
        self, requests: AsyncIterator[pb.UploadTableRequest], context: Any
    ) -> pb.UploadTableReply:
        """Take a table's file."""
        head = await next_of(requests) or pb.UploadTableRequest()
        announced = Announced(name=head.name, suffix=head.suffix, size_bytes=head.size_bytes)
        path = await self._datasets.upload(announced, (part.chunk async for part in requests))
        return pb.UploadTableReply(path=str(path))

    async def ListDatasets(
        self, request: pb.ListDatasetsRequest, context: Any
    ) -> pb.ListDatasetsReply:
        """List our datasets, and the peers' if asked."""
        found: list[OwnDataset | PeerDataset] = [*await self._datasets.list_own()]
        if request.peers:
            found += await self._datasets.list_published()
        return pb.ListDatasetsReply(datasets=map(self._view, found))

    async def GetDataset(self, request: pb.GetDatasetRequest, context: Any) -> pb.Dataset:
        """Show one dataset."""
        return self._view(await self._datasets.get(request.name))

    async def PublishDataset(self, request: pb.PublishDatasetRequest, context: Any) -> pb.Dataset:
        """Tell peers of a dataset."""
        made = await self._datasets.publish(
            request.name,
            request.peers,
            payload=request.payload,
            rows_up_to=request.rows_up_to or None,
        )
        return self._view(made)

    async def WithdrawDataset(self, request: pb.WithdrawDatasetRequest, context: Any) -> pb.Dataset:
        """Tell peers that a dataset is theirs to name no more."""
        return self._view(await self._datasets.withdraw(request.name, request.peers))

    async def RemoveDataset(
        self, request: pb.RemoveDatasetRequest, context: Any
    ) -> pb.RemoveDatasetReply:
        """Forget a dataset."""
        await self._datasets.remove(request.name)
        return pb.RemoveDatasetReply()

    def _view(self, dataset: OwnDataset | PeerDataset) -> pb.Dataset:
        view = _describe(dataset.description)
        if isinstance(dataset, PeerDataset):
            view.peer_id = dataset.owner.text
            view.peer_name = self._datasets.peer_name(dataset.owner)
            view.added_milliseconds = dataset.received_milliseconds
            return view
        view.source = dataset.source.location
        view.null_key_count = dataset.figures.null_key_count
        view.duplicate_key_count = dataset.figures.duplicate_key_count
        view.added_milliseconds = dataset.added_milliseconds
        view.publications.extend(
            pb.Publication(
                peer=self._datasets.peer_name(one.peer),
                payload=one.payload,
                rows_up_to=one.rows_up_to or 0,
            )
            for one in dataset.publications
        )
        for column, count in zip(view.columns, dataset.figures.null_counts, strict=True):
            column.null_count = count
        return view


def from_proto(request: pb.AddDatasetRequest) -> Registration:
    """Read a request to register a table."""
    return Registration(
        name=request.name,
        path=request.path,
        query=request.query,
        key=tuple(request.key),
        normal_form=tuple(request.normal_form),
        replace=request.replace,
    )


def _describe(description: Description) -> pb.Dataset:
    return pb.Dataset(
        name=description.name,
        columns=_columns(description.columns),
        key=description.key,
        normal_form=description.normal_form,
        row_count=description.row_count,
        is_bound=description.is_bound,
        payload=description.payload,
        fingerprint=description.fingerprint,
    )


def _columns(columns: Iterable[Column]) -> Iterable[pb.ColumnView]:
    return (pb.ColumnView(name=column.name, type=column.type) for column in columns)
