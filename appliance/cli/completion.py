"""Shell completion of names that the agent knows; without an agent there is none."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import typer

from appliance.api.client import Client
from appliance.cli.reach import remote_folder, way_to
from appliance.cli.terminal import at_of, state_of
from appliance.cli.views import row_count
from services.errors import ServiceError

# (word, what it is) as typer shows it beside the completion.
Words: TypeAlias = Iterable[tuple[str, str]]
Complete: TypeAlias = Callable[[typer.Context, str], list[tuple[str, str]]]

_ANSWER_SECONDS: Final = 1.0


def _from_agent(find: Callable[[Client], Words]) -> Complete:
    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        with (
            contextlib.suppress(ServiceError),
            Client(way_to(state_of(ctx), at_of(ctx)), answer_seconds=_ANSWER_SECONDS) as client,
        ):
            return [word for word in find(client) if word[0].startswith(incomplete)]
        return []

    return complete


def _peers(client: Client) -> Iterator[tuple[str, str]]:
    return ((peer.name, f"{peer.state} peer") for peer in client.list_peers())


def _services(client: Client) -> Iterator[tuple[str, str]]:
    return ((service.name, service.title) for service in client.list_services())


def _own_datasets(client: Client) -> Iterator[tuple[str, str]]:
    for dataset in client.list_datasets():
        yield dataset.name, f"{row_count(dataset)} rows"


def _peer_datasets(client: Client) -> Iterator[tuple[str, str]]:
    for dataset in client.list_datasets(peers=True):
        if dataset.peer_id:
            yield f"{dataset.peer_name}/{dataset.name}", f"{row_count(dataset)} rows"


def _datasets(client: Client) -> Iterator[tuple[str, str]]:
    yield from _own_datasets(client)
    yield from _peer_datasets(client)


def _jobs(client: Client) -> Iterator[tuple[str, str]]:
    return ((job.id, f"{job.service}, {job.state}") for job in client.list_jobs().jobs)


def _waiting_jobs(client: Client) -> Iterator[tuple[str, str]]:
    return ((job.id, job.service) for job in client.list_jobs(waiting=True).jobs)


def _operators(client: Client) -> Iterator[tuple[str, str]]:
    return ((operator.name, "operator") for operator in client.list_operators())


def _open_invitations(client: Client) -> Iterator[tuple[str, str]]:
    for invitation in client.list_invitations():
        if invitation.state == "open":
            yield invitation.id, "open invitation"


peers: Final = _from_agent(_peers)
services: Final = _from_agent(_services)
own_datasets: Final = _from_agent(_own_datasets)
peer_datasets: Final = _from_agent(_peer_datasets)
datasets: Final = _from_agent(_datasets)
jobs: Final = _from_agent(_jobs)
waiting_jobs: Final = _from_agent(_waiting_jobs)
open_invitations: Final = _from_agent(_open_invitations)
operators: Final = _from_agent(_operators)


def remotes(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Complete the name of a node from afar."""
    with contextlib.suppress(ServiceError):
        known = remote_folder().all()
        return [(one.name, one.address) for one in known if one.name.startswith(incomplete)]
    return []
