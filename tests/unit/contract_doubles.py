"""Contracts and identity keys for tests."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.contracts.contract import (
    Contract,
    ContractColumn,
    ContractDataset,
    ContractParty,
    Limits,
    ServiceRef,
    make_job_id,
)
from appliance.identity.certificates import public_der_of
from appliance.identity.node_id import NodeId


class MemoryKey:
    """An identity key that is never written down."""

    certificate_der = b""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public_der = public_der_of(self._key.public_key())
        self.node_id = NodeId.from_public_der(self.public_der)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def issue_leaf(
        self, public: ec.EllipticCurvePublicKey, not_before: datetime, not_after: datetime
    ) -> bytes:
        raise NotImplementedError


def dataset(name: str = "patients", **changes: Any) -> ContractDataset:
    plain: dict[str, Any] = {
        "name": name,
        "columns": (ContractColumn(name="id", type="VARCHAR"),),
        "key": ("id",),
        "normal_form": ("trim",),
        "row_count": 100,
        "fingerprint": f"fingerprint-of-{name}",
    }
    return ContractDataset(**plain | changes)


def party(node_id: NodeId, name: str, **changes: Any) -> ContractParty:
    plain: dict[str, Any] = {
        "node": node_id.text,
        "name": name,
        "role": "member",
        "dataset": dataset(f"table-of-{name}"),
        "receives": ("intersection",),
    }
    return ContractParty(**plain | changes)


def contract(nodes: Sequence[NodeId], **changes: Any) -> Contract:
    plain: dict[str, Any] = {
        "id": make_job_id(),
        "service": ServiceRef(name="test.join", version=1),
        "parameters": {},
        "parties": tuple(party(node, f"node-{rank}") for rank, node in enumerate(nodes)),
        "proposer": 0,
        "created": 1_000_000,
        "expires": 1_000_000 + 3_600_000,
        "limits": Limits(),
    }
    return Contract(**plain | changes)
