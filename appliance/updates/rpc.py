"""The Updates API: read the request, ask Updates, write the reply."""

from collections.abc import AsyncIterator
from typing import Any

from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import UpdatesServicer
from appliance.updates.incoming import Announced
from appliance.updates.record import Slot, Update
from appliance.updates.updates import Updates, View

Chunks = AsyncIterator[pb.UploadBundleRequest]


class UpdatesRpc(UpdatesServicer):
    """No rule about updates lives here."""

    def __init__(self, updates: Updates) -> None:
        self._updates = updates

    async def ShowSlots(self, request: pb.ShowSlotsRequest, context: Any) -> pb.SlotsView:
        """Show both slots and the last update."""
        return to_proto(self._updates.show())

    async def UploadBundle(self, requests: Chunks, context: Any) -> pb.UploadBundleReply:
        """Take a bundle, or its rest."""
        head = await anext(aiter(requests), pb.UploadBundleRequest())
        announced = Announced(size_bytes=head.size_bytes, sha256=head.sha256)
        chunks = (part.chunk async for part in requests)
        count = await self._updates.receive(announced, head.offset, chunks)
        return pb.UploadBundleReply(incoming_bytes=count)

    async def CheckUpdate(
        self, request: pb.CheckUpdateRequest, context: Any
    ) -> pb.CheckUpdateReply:
        """Say what the server has."""
        index = await self._updates.check()
        if index is None:
            return pb.CheckUpdateReply()
        created = index.created * 1000
        return pb.CheckUpdateReply(
            version=index.version, size_bytes=index.size_bytes, created_milliseconds=created
        )

    async def InstallUpdate(
        self, request: pb.InstallUpdateRequest, context: Any
    ) -> AsyncIterator[pb.UpdateProgress]:
        """Send how far the installation is."""
        asked = self._updates.install(fetch=request.fetch, from_stick=request.from_stick)
        async for progress in asked:
            version = progress.update.version if progress.update else None
            yield pb.UpdateProgress(
                stage=progress.stage,
                done_bytes=progress.done_bytes,
                total_bytes=progress.total_bytes,
                version=version or "",
            )

    async def CancelUpdate(self, request: pb.CancelUpdateRequest, context: Any) -> pb.SlotsView:
        """Stop an installation, or withdraw an update."""
        return to_proto(await self._updates.cancel())

    async def SetSource(self, request: pb.SetSourceRequest, context: Any) -> pb.SlotsView:
        """Say from where updates are fetched."""
        return to_proto(self._updates.set_source(request.url, request.authority))

    async def StartOtherSlot(self, request: pb.StartOtherSlotRequest, context: Any) -> pb.SlotsView:
        """Have the other slot start next."""
        return to_proto(await self._updates.start_other())


def to_proto(view: View) -> pb.SlotsView:
    """Return what people see of updates, as it travels."""
    record = view.record
    return pb.SlotsView(
        version=view.version,
        slots=map(_slot, record.slots),
        update=_update(record.update) if record.update else None,
        floor=record.floor,
        source=view.source,
        incoming_sha256=view.incoming.sha256 if view.incoming else "",
        incoming_size_bytes=view.incoming.size_bytes if view.incoming else 0,
        incoming_bytes=view.incoming_bytes,
    )


def _slot(slot: Slot) -> pb.SlotView:
    return pb.SlotView(
        version=slot.version,
        is_running=slot.is_running,
        has_kernel=slot.has_kernel,
        tries_left=slot.tries_left,
    )


def _update(update: Update) -> pb.UpdateView:
    return pb.UpdateView(
        version=update.version or "",
        replaced=update.replaced,
        state=update.state.value,
        reason=update.reason,
        remedy=update.remedy,
        began_milliseconds=update.began * 1000,
    )
