"""Who has signed a contract: each party over the same bytes, under its pinned identity key."""

from collections.abc import Mapping

from appliance.contracts.contract import CONTRACT, Contract
from appliance.contracts.envelope import verify
from appliance.contracts.errors import ContractUnsigned
from appliance.identity.errors import SignatureInvalid
from appliance.identity.node_id import NodeId


def require_signed_by_all(
    contract: Contract,
    data: bytes,
    signatures: Mapping[NodeId, bytes],
    public_ders: Mapping[NodeId, bytes],
) -> None:
    """Return if every party signed the bytes, each under its pinned key; else ContractUnsigned."""
    missing = []
    for party in contract.parties:
        signature = signatures.get(party.node_id)
        public_der = public_ders.get(party.node_id)
        if signature is None or public_der is None:
            missing.append(party.name)
            continue
        try:
            verify(data, CONTRACT, party.node_id, public_der, signature)
        except SignatureInvalid:
            missing.append(party.name)
    if missing:
        raise ContractUnsigned(missing)
