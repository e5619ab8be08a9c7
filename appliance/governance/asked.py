"""From a contract to what it asks of one party's dataset, as grants and policies judge it. Pure."""

from collections.abc import Callable, Mapping

from appliance.contracts.contract import Contract
from appliance.contracts.terms import get_service, terms_of
from appliance.grants.cover import Asked, AskedColumn
from appliance.grants.grant import Grant, GrantedColumn, make_grant_id
from appliance.identity.node_id import NodeId
from appliance.policies.facts import ContractPeer, Request
from appliance.policies.policy import SHOWN
from services.demand import ColumnDemand, Demand
from services.service import Service

Services = Mapping[str, Service]


def demand_of(contract: Contract, rank: int, services: Services) -> Demand:
    """Return what the service makes of the dataset of the party of this rank.

    Raises: ServiceUnknown, ServiceVersionDiffers, ParametersInvalid.
    """
    service = get_service(contract, services)
    return service.demand(terms_of(contract, service), rank)


def asked_by(contract: Contract, rank: int, services: Services) -> Asked | None:
    """Return what is asked of the dataset of the party of this rank, None if it brings none."""
    if contract.parties[rank].dataset is None:
        return None
    return asked_of(contract, rank, demand_of(contract, rank, services))


def asked_of(contract: Contract, rank: int, demand: Demand) -> Asked | None:
    """Return the same, of what the service makes of the dataset."""
    party = contract.parties[rank]
    if party.dataset is None:
        return None
    nodes = [one.node_id for one in contract.parties]
    return Asked(
        job=contract.id,
        owner=party.node_id,
        others=frozenset(node for place, node in enumerate(nodes) if place != rank),
        dataset=party.dataset.name,
        fingerprint=party.dataset.fingerprint,
        service=contract.service.name,
        columns={
            name: AskedColumn(
                uses=column.uses,
                shown_to=frozenset(nodes[one] for one in _shown_to(column, rank, len(nodes))),
            )
            for name, column in demand.columns.items()
        },
    )


def request_of(
    contract: Contract,
    rank: int,
    services: Services,
    *,
    names: Mapping[NodeId, str],
    version_of: Callable[[NodeId], str],
    expires_milliseconds: int,
) -> Request | None:
    """Return what is asked of our dataset, for its policy; None if we bring none.

    names:      this node's own for the parties; version_of: what each says of itself.
    """
    own = contract.parties[rank].dataset
    if own is None:
        return None
    service = get_service(contract, services)
    terms = terms_of(contract, service)
    return Request(
        dataset=own.name,
        rank=rank,
        columns=frozenset(column.name for column in own.columns),
        service=service.name,
        adversary=service.adversary_of(terms),
        peers=tuple(
            ContractPeer(
                rank=place,
                node=party.node_id,
                name=names.get(party.node_id, party.name),
                version=version_of(party.node_id),
                is_attested=False,  # nothing attests a node yet
            )
            for place, party in enumerate(contract.parties)
            if place != rank
        ),
        demand=service.demand(terms, rank),
        expires_milliseconds=expires_milliseconds,
    )


def grant_for(asked: Asked, *, policy: str, issued: int, expires: int) -> Grant:
    """Return a grant of exactly what one job asks, once."""
    return Grant(
        id=make_grant_id(),
        grantor=asked.owner.text,
        grantees=tuple(sorted(node.text for node in asked.others)),
        dataset=asked.dataset,
        fingerprint=asked.fingerprint,
        service=asked.service,
        columns=tuple(
            GrantedColumn(
                name=name,
                uses=tuple(sorted(column.uses, key=lambda use: use.value)),
                shown_to=tuple(sorted(node.text for node in column.shown_to)),
            )
            for name, column in sorted(asked.columns.items())
        ),
        uses=1,
        job=asked.job,
        issued=issued,
        expires=expires,
        policy=policy,
    )


def _shown_to(column: ColumnDemand, rank: int, count: int) -> frozenset[int]:
    """Return the ranks that get a column's values; who is not named may be any of the others."""
    if column.shown_to:
        return column.shown_to - {rank}
    return frozenset() if SHOWN.isdisjoint(column.uses) else frozenset(range(count)) - {rank}
