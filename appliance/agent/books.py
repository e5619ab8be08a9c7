"""What jobs ask about peers and datasets, answered by those nouns."""

from collections.abc import Collection, Mapping

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy.orm import Session

from appliance.contracts.contract import ContractColumn, ContractDataset
from appliance.datasets.datasets import Datasets
from appliance.datasets.publication import Description
from appliance.datasets.source import Source
from appliance.identity.node_id import NodeId
from appliance.jobs.needs import DescribedDataset, Pin
from appliance.peering import store as peers_table
from appliance.peering.errors import PeerNotPaired
from appliance.peering.peers import Peers
from appliance.peering.states import PeerState


class PairedPeers:
    """The paired peers, as jobs know them; read in the caller's transaction."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def find_paired(self, session: Session, node_id: NodeId) -> Pin | None:
        """Return the peer if it is paired now."""
        row = peers_table.find_peer(session, node_id)
        if row is None or peers_table.state_of(row) is not PeerState.PAIRED:
            return None
        key = x509.load_der_x509_certificate(row.certificate).public_key()
        public_der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Pin(node_id=node_id, name=row.name, public_der=public_der)

    def get_paired(self, session: Session, peer: str) -> Pin:
        """Return a paired peer by name or id. Raises: PeerNotFound, PeerNotPaired."""
        known = self._peers.get_paired(peer)
        pin = self.find_paired(session, known.node_id)
        if pin is None:
            raise PeerNotPaired(f"{known.name} is not paired with this node any more")
        return pin

    def names(self, session: Session) -> Mapping[NodeId, str]:
        """Return this node's names for all peers it has known."""
        return {NodeId(row.node_id): row.name for row in peers_table.all_peers(session)}

    def public_key_of(self, session: Session, node_id: NodeId) -> bytes | None:
        """Return a paired peer's key, DER; None of any other node."""
        pin = self.find_paired(session, node_id)
        return None if pin is None else pin.public_der

    def paired(self, session: Session) -> Mapping[str, NodeId]:
        """Return the paired peers by this node's names for them."""
        return {
            row.name: NodeId(row.node_id)
            for row in peers_table.all_peers(session)
            if peers_table.state_of(row) is PeerState.PAIRED
        }


class DescribedDatasets:
    """Our datasets and the peers', as contracts name them."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    async def describe_own(self, name: str, toward: Collection[NodeId]) -> DescribedDataset:
        """Return one of our datasets as all of these peers may know it. Raises: DatasetNotFound."""
        own = await self._datasets.get_own(name)
        return DescribedDataset(
            terms=_terms(own.described_to(toward)),
            null_key_count=own.figures.null_key_count,
            duplicate_key_count=own.figures.duplicate_key_count,
        )

    async def describe_published(self, owner: NodeId, name: str) -> DescribedDataset:
        """Return a dataset that a peer published to us. Raises: DatasetNotFound."""
        published = await self._datasets.get_published(owner, name)
        return DescribedDataset(terms=_terms(published.description))

    async def is_published(self, name: str, peer: NodeId) -> bool:
        """Tell whether our dataset is published to a peer."""
        return await self._datasets.is_published(name, peer)

    async def require_unchanged(self, name: str, *, explains: bool = False) -> Source:
        """Return where our dataset's rows come from. Raises: DatasetError if they changed."""
        return await self._datasets.require_unchanged(name, explains=explains)


def _terms(description: Description) -> ContractDataset:
    return ContractDataset(
        name=description.name,
        columns=tuple(
            ContractColumn(name=column.name, type=column.type) for column in description.columns
        ),
        key=description.key,
        normal_form=description.normal_form,
        row_count=description.row_count,
        is_bound=description.is_bound,
        payload=description.payload,
        fingerprint=description.fingerprint,
    )
