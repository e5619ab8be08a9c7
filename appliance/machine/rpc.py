"""The Machine API: what this node runs on, and what its operator may do to it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from grpc.aio import ServicerContext
from pydantic import BaseModel

from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import MachineServicer
from appliance.machine import orders, views
from appliance.machine.ask import Facts, Helper, ask
from appliance.machine.cards import read_cards
from appliance.machine.controls import report
from appliance.machine.disks import read_disks, read_filesystems
from appliance.machine.load import read_load
from appliance.machine.posture import read_posture
from appliance.machine.recovery import Recovery
from appliance.machine.support import collect, machine_facts, settings_facts

CHUNK_BYTES: Final = 256 << 10

Context: TypeAlias = "ServicerContext[Any, Any]"


class MachineRpc(MachineServicer):
    """Reads the request, asks, and writes the reply.

    state:    the node's folder.
    settings: of the agent; in a support bundle go their numbers and switches.
    helper:   gives an order to the machine's helper and returns its facts.
    is_key_sealed: whether the node's identity key is.
    recovery: has recovery keys made.
    require_owner: raises for a caller who may not learn what opens the disk.
    """

    def __init__(
        self,
        state: Path,
        settings: BaseModel,
        helper: Helper = ask,
        *,
        is_key_sealed: bool,
        recovery: Recovery,
        require_owner: Callable[[Context], None],
    ) -> None:
        self._state = state
        self._settings = settings
        self._is_key_sealed = is_key_sealed
        self._helper = helper
        self._recovery = recovery
        self._require_owner = require_owner

    async def ShowMachine(self, request: pb.ShowMachineRequest, context: Context) -> pb.MachineView:
        """Show how this machine was started, and how much of it is in use."""
        load = await asyncio.to_thread(read_load, self._state)
        posture = await asyncio.to_thread(read_posture)
        cards = await asyncio.to_thread(read_cards)
        recovery = await self._recovery.look(is_appliance=posture.is_appliance)
        return views.machine_view(posture, load, cards, recovery, is_key_sealed=self._is_key_sealed)

    async def ShowHardening(
        self, request: pb.ShowHardeningRequest, context: Context
    ) -> pb.Hardening:
        """Hold the machine to controls that others ask of a hardened system."""
        posture = await asyncio.to_thread(read_posture)
        return views.hardening(await asyncio.to_thread(report, posture))

    async def ShowHardware(self, request: pb.ShowHardwareRequest, context: Context) -> pb.Hardware:
        """Show maker, model and serial number."""
        told: Any = await self._ask(orders.ShowHardware())
        return pb.Hardware(**told)

    async def Restart(self, request: pb.RestartRequest, context: Context) -> pb.RestartReply:
        """Begin to restart the machine."""
        await self._ask(orders.Restart())
        return pb.RestartReply()

    async def PowerOff(self, request: pb.PowerOffRequest, context: Context) -> pb.PowerOffReply:
        """Begin to switch the machine off."""
        await self._ask(orders.PowerOff())
        return pb.PowerOffReply()

    async def ShowNetwork(self, request: pb.ShowNetworkRequest, context: Context) -> pb.NetworkView:
        """Show what was set of the network, and what waits to be confirmed."""
        return views.network_view(await self._ask(orders.ShowNetwork()))

    async def SetNetwork(self, request: pb.SetNetworkRequest, context: Context) -> pb.NetworkView:
        """Follow a plan until it is confirmed or its time is over."""
        await self._ask(views.set_network(request))
        return views.network_view(await self._ask(orders.ShowNetwork()))

    async def ConfirmNetwork(
        self, request: pb.ConfirmNetworkRequest, context: Context
    ) -> pb.NetworkView:
        """Keep the network that is on trial."""
        await self._ask(orders.ConfirmNetwork())
        return views.network_view(await self._ask(orders.ShowNetwork()))

    async def ShowTime(self, request: pb.ShowTimeRequest, context: Context) -> pb.TimeView:
        """Show from where the time is taken, and how far it is trusted."""
        told = await self._ask(orders.ShowTimeServers())
        return views.time_view(told, time.time_ns() // 1_000_000)

    async def SetTimeServers(
        self, request: pb.SetTimeServersRequest, context: Context
    ) -> pb.TimeView:
        """Take the time from other servers."""
        await self._ask(views.set_time_servers(request))
        told = await self._ask(orders.ShowTimeServers())
        return views.time_view(told, time.time_ns() // 1_000_000)

    async def ListDisks(self, request: pb.ListDisksRequest, context: Context) -> pb.ListDisksReply:
        """List disks and file systems."""
        disks = await asyncio.to_thread(read_disks)
        return views.disks_view(disks, await asyncio.to_thread(read_filesystems))

    async def ShowDiskKeys(self, request: pb.ShowDiskKeysRequest, context: Context) -> pb.DiskKeys:
        """Show what opens the encrypted part of the disk."""
        told: Any = await self._ask(orders.ShowDiskKeys())
        return pb.DiskKeys(kinds=told["kinds"])

    async def AddRecoveryKey(
        self, request: pb.AddRecoveryKeyRequest, context: Context
    ) -> pb.RecoveryKey:
        """Make a recovery key and tell it this once."""
        self._require_owner(context)
        return pb.RecoveryKey(recovery_key=await self._recovery.add())

    async def BindDisk(self, request: pb.BindDiskRequest, context: Context) -> pb.DiskKeys:
        """Bind the disk to the TPM as it is now."""
        told: Any = await self._ask(views.bind_disk(request))
        return pb.DiskKeys(kinds=told["kinds"])

    async def FactoryReset(
        self, request: pb.FactoryResetRequest, context: Context
    ) -> pb.FactoryResetReply:
        """End all that the machine keeps."""
        told: Any = await self._ask(views.factory_reset(request))
        return pb.FactoryResetReply(tpm_cleared=told["tpm_cleared"])

    async def ReadLog(self, request: pb.ReadLogRequest, context: Context) -> pb.Log:
        """Read the newest entries of the journal."""
        return views.log_view(await self._ask(views.read_log(request)))

    async def WriteSupportBundle(
        self, request: pb.WriteSupportBundleRequest, context: Context
    ) -> AsyncIterator[pb.BundleChunk]:
        """Send a support bundle in chunks."""
        bundle = await asyncio.to_thread(self._bundle)
        for start in range(0, len(bundle), CHUNK_BYTES):
            yield pb.BundleChunk(chunk=bundle[start : start + CHUNK_BYTES])

    def _bundle(self) -> bytes:
        load, disks, mounted = read_load(self._state), read_disks(), read_filesystems()
        machine = machine_facts(read_posture(), load, read_cards(), disks, mounted)
        own = {"machine": machine, "settings": settings_facts(self._settings)}
        return collect(self._helper, own)

    async def _ask(self, order: BaseModel) -> Facts:
        return await asyncio.to_thread(self._helper, order)
