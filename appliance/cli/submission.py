"""Composes what ``coffer jobs submit`` sends from the words on its command line."""

from collections.abc import Sequence
from typing import Final

import typer

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client
from appliance.api.ways import Refused
from appliance.cli.names import did_you_mean

ME: Final = "me"


def parse_parties(
    *, ours: str, theirs: Sequence[str], named: Sequence[str]
) -> Sequence[pb.SubmitParty]:
    """Return the parties in order of rank, as they are typed."""
    if named and (ours or theirs):
        raise typer.BadParameter("give either --party, or --ours and --theirs")
    if named:
        return [_party(words) for words in named]
    if not theirs:
        raise typer.BadParameter("name the peers' datasets with --theirs, or give --party")
    return [pb.SubmitParty(dataset=ours), *(_their_party(words) for words in theirs)]


def give_outputs(
    client: Client, service: pb.ServiceView, parties: Sequence[pb.SubmitParty], receivers: str
) -> None:
    """Set what each party receives, and take this node's own name off its party."""
    node = client.show_node()
    for party in parties:
        if party.node in (ME, node.name, node.node_id):
            party.node = ""
    received = _receivers(service, receivers)
    for own_name in (ME, node.name, node.node_id):
        if own_name in received:
            received[""] = received.pop(own_name)
    for party in parties:
        party.receives.extend(received.pop(party.node, ()))
    if received:
        named_so = [node.name, *(party.node for party in parties if party.node)]
        raise Refused(
            f"{', '.join(received)} is to receive an output but is no party of the job",
            remedy=did_you_mean(
                next(iter(received)), named_so, "name each receiver as its party is named"
            ),
        )


def _party(words: str) -> pb.SubmitParty:
    node, *rest = words.split(":")
    if not node or len(rest) not in (1, 2):
        raise typer.BadParameter(f"--party {words}: it must be NODE:DATASET or NODE:DATASET:ROLE")
    return pb.SubmitParty(node=node, dataset=rest[0], role=rest[1] if len(rest) == 2 else "")


def _their_party(words: str) -> pb.SubmitParty:
    node, slash, dataset = words.partition("/")
    if not (node and slash and dataset):
        raise typer.BadParameter(f"--theirs {words}: it must be PEER/DATASET")
    return pb.SubmitParty(node=node, dataset=dataset)


def _receivers(service: pb.ServiceView, receivers: str) -> dict[str, Sequence[str]]:
    """Return the outputs that each receiver gets; all of the service's where none is named."""
    received: dict[str, Sequence[str]] = {}
    for words in receivers.split(","):
        node, colon, output = words.strip().partition(":")
        if node:
            received[node] = (*received.get(node, ()), output) if colon else service.outputs
    return received
