"""Composes what ``coffer jobs submit`` sends from the words on its command line."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

import typer

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client, Refused

ME: Final = "me"


def compose_parameters(settings: Sequence[str]) -> str:
    """Return KEY=VALUE words as one JSON object; a value that is no JSON is a string.

    So is one with a decimal point: contracts hold no binary fractions.
    """
    parameters: dict[str, object] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"--set {setting}: it must be KEY=VALUE")
        if key in parameters:
            raise typer.BadParameter(f"--set {key}: it is given twice")
        parameters[key] = _value(value)
    return json.dumps(parameters)


def _value(text: str) -> object:
    decoder = json.JSONDecoder(parse_float=str)
    try:
        return decoder.decode(text)
    except json.JSONDecodeError:
        return text


def compose_parties(
    client: Client,
    service: str,
    *,
    ours: str,
    theirs: Sequence[str],
    named: Sequence[str],
    receivers: str,
) -> Sequence[pb.SubmitParty]:
    """Return the parties in order of rank, each with the outputs that it receives."""
    if named and (ours or theirs):
        raise typer.BadParameter("give either --party, or --ours and --theirs")
    parties = [_party(words) for words in named]
    if not named:
        if not theirs:
            raise typer.BadParameter("name the peers' datasets with --theirs, or give --party")
        parties = [pb.SubmitParty(dataset=ours), *(_their_party(words) for words in theirs)]
    node = client.show_node()
    for party in parties:
        if party.node in (ME, node.name, node.node_id):
            party.node = ""
    received = _receivers(client, service, receivers)
    for own_name in (ME, node.name, node.node_id):
        if own_name in received:
            received[""] = received.pop(own_name)
    for party in parties:
        party.receives.extend(received.pop(party.node, ()))
    if received:
        raise Refused(
            f"{', '.join(received)} is to receive an output but is no party of the job",
            remedy="name each receiver as its party is named",
        )
    return parties


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


def _receivers(client: Client, service: str, receivers: str) -> dict[str, Sequence[str]]:
    """Return the outputs that each receiver gets; all of the service's where none is named."""
    outputs: Mapping[str, Sequence[str]] = {
        view.name: tuple(view.outputs) for view in client.list_services()
    }
    if service not in outputs:
        raise Refused(f"there is no service {service}", remedy='see "coffer services list"')
    received: dict[str, Sequence[str]] = {}
    for words in receivers.split(","):
        node, colon, output = words.strip().partition(":")
        if node:
            received[node] = (*received.get(node, ()), output) if colon else outputs[service]
    return received
