"""What jobs need of the other nouns and of the agent, as narrow protocols."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from appliance.contracts.contract import Contract, ContractDataset
from appliance.datasets.source import Source
from appliance.identity.node_id import NodeId
from appliance.jobs.metering import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A paired peer: its name here, and the key that its signatures must verify under."""

    node_id: NodeId
    name: str
    public_der: bytes


class PeerBook(Protocol):
    """The paired peers."""

    def find_paired(self, session: Session, node_id: NodeId) -> Pin | None:
        """Return the peer if it is paired now."""

    def get_paired(self, session: Session, peer: str) -> Pin:
        """Return a paired peer by name or id; raises a ConfigError if there is none."""

    def names(self, session: Session) -> Mapping[NodeId, str]:
        """Return this node's names for all peers it has known, paired or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedDataset:
    """A dataset as a contract names it, with what the owner alone knows of its keys."""

    terms: ContractDataset
    null_key_count: int = 0
    duplicate_key_count: int = 0


class DatasetBook(Protocol):
    """Our datasets, and those that peers published to us."""

    async def describe_own(self, name: str, toward: Collection[NodeId]) -> DescribedDataset:
        """Return one of our datasets as all of these peers may know it; DatasetNotFound."""

    async def describe_published(self, owner: NodeId, name: str) -> DescribedDataset:
        """Return a dataset that a peer published to us; DatasetNotFound."""

    async def is_published(self, name: str, peer: NodeId) -> bool:
        """Tell whether our dataset is published to a peer."""

    async def require_unchanged(self, name: str, *, explains: bool = False) -> Source:
        """Return where our dataset's rows come from; a DatasetError if they are not as registered.

        Fast when the files' stamps are unchanged; else the content is hashed again.
        explains: whether the table is then read through to say what is wrong with it.
        """


class Runner(Protocol):
    """Runs workers. Tells Jobs what becomes of each by its ``worker_…`` methods, and in order."""

    async def start(
        self,
        job_id: str,
        contract: Contract,
        rank: int,
        source: Source | None,
        folder: Path,
        *,
        attempt: int,
        seconds: int,
        tally: Tally,
    ) -> None:
        """Start the worker of a job, with ``folder`` for its results, and connect it to its peers.

        attempt: see :mod:`appliance.jobs.attempts`; files that the service kept lie beside folder.
        seconds: how long it may run.
        tally: what the run takes is counted in it.
        Raises: a ServiceError if it cannot be started; then no ``worker_…`` method is called.
        """

    async def stop(self, job_id: str) -> None:
        """End the job's worker and channels, and tell no more of it. Harmless if there is none."""
