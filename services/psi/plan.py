"""What both parties derive from a contract alone: the protocol, and how large each message is."""

from dataclasses import dataclass
from math import isqrt
from typing import Final, Literal

from services.errors import ConfigError
from services.kernels.okvs_shape import Shape
from services.psi.keyed import dataset_of
from services.psi.parameters import IntersectParameters, parameters_of
from services.service import Adversary, Terms

Protocol = Literal["ecdh", "rr22"]

PARTITION_ROWS: Final = 5 << 18
"""Rows of a partition on average: 1.25 · 2^20, beyond which nothing gets faster."""

FEW_PARTITIONS: Final = 64
"""So many may be asked for at any size; more only if each has as many rows: each takes its time."""

PROCESS_BYTES: Final = 640 << 20
"""What a worker takes for itself, for reading its table and for one batch of it."""

STATISTICAL_BITS: Final = 40
"""What images, bounds of partitions and seeds of key-value stores are chosen for."""

HASH_BITS: Final = 128
"""Of a key, once it is read: to find two keys with one hash takes 2^64 steps."""

_BYTES_A_ROW: Final = {"ecdh": 176, "rr22": 224}
# What a run costs at each party: seconds for a row of either party and for the run, bytes likewise,
# and how often one waits for the other. Measured; only their proportions matter.
_ROW_SECONDS: Final = {"ecdh": 25e-6, "rr22": 1e-6}
_RUN_SECONDS: Final = {"ecdh": 0.001, "rr22": 0.06}
_ROW_BYTES: Final = {"ecdh": 64, "rr22": 31}
_RUN_BYTES: Final = {"ecdh": 0, "rr22": 270_000}
_WAITS: Final = {"ecdh": 2, "rr22": 5}
_LINKS: Final = {"lan": (1e-9, 0.0005), "wan": (8e-8, 0.02)}  # seconds a byte, and there and back


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a contract is run.

    partitions:  how many parts both parties' keys are in, by a hash of each key.
    bounds:      by rank, how many unlike keys a part has at most: it is filled up to that.
    image_bytes: of rr22.
    label_bytes: of rr22: what the sender gives with each row that matches, without learning which.
    """

    protocol: Protocol
    adversary: Adversary
    partitions: int
    bounds: tuple[int, ...]
    receiver: int
    is_shared: bool
    image_bytes: int
    label_bytes: int

    def most_tested(self, rank: int) -> int:
        """How many keys a malicious party may bring to rr22, in all partitions together.

        A sender as many as it sends images; a receiver as many as its tables have rows. Nobody
        knows how to fit in more, which is not proven; by counting alone it could be 1.5 to 2.4
        times the rows after 2^64 to 2^80 hashes ([PRTY20], overfitting).
        """
        bound = self.bounds[rank]
        return self.partitions * (Shape.of(bound).rows if rank == self.receiver else bound)

    @property
    def units(self) -> int:
        """How much work a partition is, for progress."""
        given = self.bounds[self.receiver]
        return (
            sum(self.bounds)
            if self.protocol == "ecdh"
            else Shape.of(given).rows + self.bounds[1 - self.receiver]
        )


def plan_of(terms: Terms, *, gives_labels: bool) -> Plan:
    """Return how a contract is run. Raises: ConfigError if memory is too small for any rows."""
    parameters = parameters_of(terms)
    adversary = Adversary(parameters.security)
    counts = [dataset_of(party).row_count for party in terms.parties]
    protocol = parameters.protocol
    if protocol == "auto":
        is_bound = gives_labels or adversary is Adversary.MALICIOUS
        protocol = "rr22" if is_bound else fastest(counts, parameters.network)
    label_bytes = parameters.payload_bytes if gives_labels else 0
    partitions = partitions_for(max(counts), protocol, label_bytes, parameters)
    bounds = tuple(bound_of(count, partitions) for count in counts)
    receiver = terms.rank_of("receiver")
    return Plan(
        protocol=protocol,
        adversary=adversary,
        partitions=partitions,
        bounds=bounds,
        receiver=receiver,
        is_shared=bool(terms.parties[1 - receiver].receives),
        image_bytes=image_bytes_for(bounds, partitions, adversary),
        label_bytes=label_bytes,
    )


def fastest(counts: list[int], network: str) -> Protocol:
    """Return the protocol that takes less time for sets of these sizes over such a network."""
    byte_seconds, wait_seconds = _LINKS[network]
    rows = sum(counts)

    def seconds(protocol: Protocol) -> float:
        computing = _RUN_SECONDS[protocol] + _ROW_SECONDS[protocol] * rows
        sending = byte_seconds * (_RUN_BYTES[protocol] + _ROW_BYTES[protocol] * rows)
        return computing + sending + wait_seconds * _WAITS[protocol]

    protocols: tuple[Protocol, ...] = ("ecdh", "rr22")
    return min(protocols, key=seconds)


def partitions_for(
    row_count: int, protocol: Protocol, label_bytes: int, parameters: IntersectParameters
) -> int:
    """Return how many parts a set must be in so that one of them fits into the memory agreed."""
    most_parts = max(FEW_PARTITIONS, row_count // FEW_PARTITIONS)
    if parameters.partitions > most_parts:
        raise ConfigError(
            f"{parameters.partitions} partitions are too many for {row_count} rows",
            remedy=f"set the parameter partitions to {most_parts} or less",
        )
    room = (parameters.memory_mib << 20) - PROCESS_BYTES - result_bytes(row_count)
    most = min(PARTITION_ROWS, room // (_BYTES_A_ROW[protocol] + 3 * label_bytes))
    if most < min(row_count, 1 << 14):
        raise ConfigError(
            f"{parameters.memory_mib} MiB of memory are too few for {row_count} rows",
            remedy="raise the parameter memory_mib",
        )
    return max(parameters.partitions, -(-row_count // most))


def bytes_of_partition(plan: Plan) -> int:
    """Return how many bytes a partition takes while it is worked on."""
    return (_BYTES_A_ROW[plan.protocol] + 3 * plan.label_bytes) * max(plan.bounds)


def result_bytes(row_count: int) -> int:
    """Return how many bytes the numbers of the rows that match take, if half of them do."""
    return 9 * row_count // 2 + row_count


def bound_of(count: int, partitions: int) -> int:
    """Return how many keys of ``count`` no part has more than, but for a chance of 2^-41.

    By Bernstein's inequality, P[X ≥ μ + t] ≤ exp(-t² / (2 μ + 2 t / 3)), over all parts; in whole
    numbers, for two machines must agree.
    """
    if partitions == 1:
        return count
    mean = -(-count // partitions)
    bits = STATISTICAL_BITS + 1 + partitions.bit_length()
    nats = -(-bits * 6932 // 10_000)
    excess = nats // 3 + 2 + isqrt(nats * nats // 9 + 2 * nats * mean)
    return min(count, mean + excess)


def image_bytes_for(bounds: tuple[int, ...], partitions: int, adversary: Adversary) -> int:
    """Return how long images must be so that no two unlike keys are taken for equal, but for 2^-40.

    In the malicious model the images must also bind the sender to its keys [RR22]: 16 bytes.
    """
    if adversary is Adversary.MALICIOUS:
        return 16
    pairs = partitions * bounds[0] * bounds[1]
    return min(16, max(8, -(-(STATISTICAL_BITS + max(pairs - 1, 1).bit_length()) // 8)))
