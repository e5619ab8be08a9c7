"""The Machine API: what this node runs on."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from grpc.aio import ServicerContext

from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import MachineServicer
from appliance.machine.cards import read_cards
from appliance.machine.load import Load, read_load
from appliance.machine.posture import Posture, read_posture
from appliance.machine.posture import Problem as MachineProblem
from firmware.cards.found import FoundCard
from firmware.cards.found import Problem as CardProblem


class MachineRpc(MachineServicer):
    """Reads the request, asks, and writes the reply. state: the node's folder."""

    def __init__(self, state: Path) -> None:
        self._state = state

    async def ShowMachine(
        self,
        request: pb.ShowMachineRequest,
        context: "ServicerContext[pb.ShowMachineRequest, pb.MachineView]",
    ) -> pb.MachineView:
        """Show how this machine was started, and how much of it is in use."""
        load = await asyncio.to_thread(read_load, self._state)
        posture = await asyncio.to_thread(read_posture)
        return to_proto(posture, load, await asyncio.to_thread(read_cards))


def to_proto(posture: Posture, load: Load, cards: Sequence[FoundCard]) -> pb.MachineView:
    """Return what local callers see of a machine."""
    view = pb.MachineView(
        is_appliance=posture.is_appliance,
        image_version=posture.image_version,
        kernel=posture.kernel,
        lockdown=posture.lockdown,
        requires_signed_modules=posture.requires_signed_modules,
        usr_root_hash=posture.usr_root_hash,
        usr_is_read_only=posture.usr_is_read_only,
        var_is_encrypted=posture.var_is_encrypted,
        pcrs=posture.pcrs,
        taint=posture.taint,
        problems=map(_problem, posture.problems()),
        cores=load.cores,
        busy_fraction=load.busy_fraction,
        memory_bytes=load.memory_bytes,
        memory_free_bytes=load.memory_free_bytes,
        disk_bytes=load.disk_bytes,
        disk_free_bytes=load.disk_free_bytes,
        up_seconds=load.up_seconds,
        addresses=[pb.NetworkAddress(interface=name, address=a) for name, a in load.addresses],
        cards=map(_card, cards),
    )
    if posture.secure_boot is not None:
        view.secure_boot = posture.secure_boot
    return view


def _card(card: FoundCard) -> pb.AcceleratorCard:
    return pb.AcceleratorCard(
        address=card.pci.address,
        title=card.title,
        driver=card.pci.driver or "",
        speeds_up=[work.value for work in card.family.speeds_up] if card.family else [],
        problems=map(_problem, card.problems),
    )


def _problem(problem: MachineProblem | CardProblem) -> pb.Problem:
    return pb.Problem(what=problem.what, remedy=problem.remedy)
