"""From a contract to what its service is asked: terms, and the statement of who learns what."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import rfc8785
from pydantic import ValidationError

from appliance.contracts.contract import Contract, ContractDataset
from appliance.contracts.errors import (
    ParametersInvalid,
    ServiceUnknown,
    ServiceVersionDiffers,
)
from appliance.identity.node_id import NodeId
from appliance.mailbox.faults import explain, harmless
from services.service import Column, DatasetTerms, Parameters, PartyTerms, Service, Terms


def get_service(contract: Contract, services: Mapping[str, Service]) -> Service:
    """Return the service that a contract names.

    Raises: ServiceUnknown, ServiceVersionDiffers.
    """
    service = services.get(contract.service.name)
    if service is None:
        raise ServiceUnknown(contract.service.name, sorted(services))
    if service.version != contract.service.version:
        raise ServiceVersionDiffers(service.name, contract.service.version, service.version)
    return service


def terms_of(
    contract: Contract, service: Service, names: Mapping[NodeId, str] | None = None
) -> Terms:
    """Return the contract as its service sees it; ``names`` are this node's own for the parties.

    Raises: ParametersInvalid.
    """
    own_names = names or {}
    parties = tuple(
        PartyTerms(
            name=own_names.get(party.node_id, party.name),
            role=party.role,
            dataset=_dataset_terms(party.dataset),
            receives=party.receives,
        )
        for party in contract.parties
    )
    return Terms(parties=parties, parameters=_parameters(contract, service))


def _parameters(contract: Contract, service: Service) -> Parameters:
    _require_known(contract.parameters, service)
    try:
        return service.parameters.model_validate_json(rfc8785.dumps(contract.parameters))
    except ValidationError as error:
        raise ParametersInvalid(
            f"{service.name}: parameter {explain(error)}",
            remedy=f'see "coffer services show {service.name}"',
        ) from None


def _require_known(parameters: Mapping[str, Any], service: Service) -> None:
    """Return if the service has all of these parameters, else name the nearest that it has."""
    known = list(service.parameters.model_fields)
    for name in parameters:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise ParametersInvalid(
                f"{service.name} has no parameter {harmless(name)}",
                remedy=f"did you mean {near[0]}?"
                if near
                else f"its parameters are: {', '.join(known) or 'none'}",
            )


def _dataset_terms(dataset: ContractDataset | None) -> DatasetTerms | None:
    if dataset is None:
        return None
    return DatasetTerms(
        name=dataset.name,
        columns=tuple(Column(name=one.name, type=one.type) for one in dataset.columns),
        key=dataset.key,
        normal_form=dataset.normal_form,
        row_count=dataset.row_count,
        is_bound=dataset.is_bound,
        payload=dataset.payload,
    )
