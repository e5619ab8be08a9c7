"""The service psi.intersect: its terms, what it discloses, and one party's run of it.

Model:  two parties, semi-honest; see :mod:`services.psi.ecdh`.
Leaks:  to each party how many keys the other brings; to one that receives nothing also, by the time
        that the other takes to write its result, an estimate of how many match.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field

from services.channel import Channel
from services.errors import ConfigError
from services.primitives.group import Curve25519
from services.psi import ecdh, rr22
from services.psi.messages import Agreement
from services.service import (
    Adversary,
    DatasetTerms,
    Outcome,
    Parameters,
    PartyTerms,
    Selection,
    Service,
    Stage,
    Statement,
    Task,
    Terms,
)
from services.session import Session

NAME: Final = "psi.intersect"
VERSION: Final = 2
INTERSECTION: Final = "intersection"

# What a party learns: as others read it, as it reads it itself, and as the other party does.
LEARNS_SIZE: Final = (
    "%(learner)s learns how many rows %(about)s brings: %(their_rows)s",
    "you learn how many rows %(about)s brings: %(their_rows)s",
    "%(learner)s learns how many rows you bring: %(their_rows)s",
)
LEARNS_MATCHES: Final = (
    "%(learner)s learns which of its own %(own_rows)s rows have a key that %(about)s holds too",
    "you learn which of your own %(own_rows)s rows have a key that %(about)s holds too",
    "%(learner)s learns which of its own %(own_rows)s rows have a key that you hold too",
)
LEARNS_NO_OTHERS: Final = (
    "%(learner)s learns nothing of the keys of %(about)s that it does not hold itself",
    "you learn nothing of the keys of %(about)s that you do not hold yourself",
    "%(learner)s learns nothing of your keys that it does not hold itself",
)
CAN_GUESS: Final = (
    "if %(learner)s puts keys into its dataset that it only guesses, "
    "it learns which of them %(about)s holds",
    "if you put keys into your dataset that you only guess, "
    "you learn which of them %(about)s holds",
    "if %(learner)s puts keys into its dataset that it only guesses, "
    "it learns which of them you hold",
)
LEARNS_NO_MATCHES: Final = (
    "%(learner)s does not learn which keys match, but may estimate from the time taken how many do",
    "you do not learn which keys match, but may estimate from the time taken how many do",
    "",
)
GOES_FIRST: Final = (
    "%(learner)s gets its result before %(about)s does, and may stop before %(about)s gets any",
    "you get your result before %(about)s does, and could stop before %(about)s gets any",
    "%(learner)s gets its result before you do, and may stop before you get any",
)

MOST_ROWS: Final = 2**31
"""More would not fit into the memory of any machine that we know."""


class IntersectParameters(Parameters):
    """How the intersection is computed."""

    protocol: Literal["ecdh", "rr22"] = Field(
        default="ecdh",
        description="how keys are compared blindly; ecdh: Diffie-Hellman over Curve25519; rr22: "
        "vector OLE and a key-value store, many times faster for large tables",
    )


def assign(receivers: tuple[int, ...], party_count: int) -> tuple[str, ...]:
    """Return the role of each rank: the only one to receive is receiver, else the proposer is."""
    chosen = receivers[0] if len(receivers) == 1 else 0
    return tuple("receiver" if rank == chosen else "sender" for rank in range(party_count))


def check(terms: Terms) -> None:
    """Raise ConfigError unless both parties bring comparable keys and the receiver receives."""
    receiver = terms.parties[terms.rank_of("receiver")]
    sender = terms.parties[terms.rank_of("sender")]
    for party in terms.parties:
        _check_party(party)
    if INTERSECTION not in receiver.receives:
        raise ConfigError(
            f"{receiver.name} has the role receiver but receives nothing",
            remedy="let it receive the intersection, or let the parties change roles",
        )
    ours, theirs = dataset_of(receiver), dataset_of(sender)
    if len(ours.key) != len(theirs.key):
        raise ConfigError(
            f"the keys do not match: {receiver.name} has {_listed(ours.key)}, "
            f"{sender.name} has {_listed(theirs.key)}",
            remedy="use datasets whose keys have as many columns",
        )


def _check_party(party: PartyTerms) -> None:
    row_count = dataset_of(party).row_count
    if not 0 < row_count <= MOST_ROWS:
        raise ConfigError(
            f"the dataset of {party.name} has {row_count} rows, {NAME} takes 1 to {MOST_ROWS}"
        )
    if not dataset_of(party).key:
        raise ConfigError(
            f"the dataset of {party.name} has no key", remedy="register it again with --key"
        )


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "none"


def dataset_of(party: PartyTerms) -> DatasetTerms:
    """Return the dataset that a party brings; ConfigError if it brings none."""
    if party.dataset is None:
        raise ConfigError(f"{party.name} brings no dataset: {NAME} needs one of each party")
    return party.dataset


def memory(terms: Terms, rank: int) -> int:
    """Return how many bytes the elements, their orders and the keys' offsets take at ``rank``.

    By ecdh, the sender holds the peer's elements (32 bytes) and their order (8), the receiver both
    parties' and of each of the peer's its place (8). By rr22, each holds vectors of 1.3 blocks (16
    bytes) a row of the receiver, and of twice that length until they are compressed.
    """
    own = dataset_of(terms.parties[rank]).row_count
    theirs = dataset_of(terms.parties[1 - rank]).row_count
    is_receiver = rank == terms.rank_of("receiver")
    if protocol_of(terms) == "rr22":
        return 160 * own + 24 * theirs if is_receiver else 72 * own + 64 * theirs
    if is_receiver:
        return 48 * own + 48 * theirs
    return 16 * own + 40 * theirs


def disclose(terms: Terms) -> tuple[Statement, ...]:
    """Return what each party learns of the other's data."""
    return tuple(
        Statement(
            learner=learner,
            about=about,
            template=template,
            to_us=to_us,
            of_us=of_us,
            values={
                "learner": terms.parties[learner].name,
                "about": terms.parties[about].name,
                "own_rows": dataset_of(terms.parties[learner]).row_count,
                "their_rows": dataset_of(terms.parties[about]).row_count,
            },
        )
        for learner, about in ((0, 1), (1, 0))
        for template, to_us, of_us in _templates(terms.parties[learner], terms.parties[about])
    )


def _templates(learner: PartyTerms, about: PartyTerms) -> tuple[tuple[str, str, str], ...]:
    if INTERSECTION not in learner.receives:
        return LEARNS_SIZE, LEARNS_NO_MATCHES
    learns = (LEARNS_SIZE, LEARNS_MATCHES, LEARNS_NO_OTHERS, CAN_GUESS)
    goes_first = learner.role == "receiver" and INTERSECTION in about.receives
    return (*learns, GOES_FIRST) if goes_first else learns


async def run(task: Task) -> Outcome:
    """Run our role against the peer's; the intersection goes to those whom the contract names."""
    session, parties = task.session, task.terms.parties
    own, peer = session.rank, 1 - session.rank
    channel = session.channels[peer]
    counts = {rank: dataset_of(party).row_count for rank, party in enumerate(parties)}
    task.progress.stage("keys", counts[own])
    await agree(channel, session, counts)
    if task.inputs is None:
        raise ConfigError("this party was given no dataset")
    keys = await asyncio.to_thread(next, task.inputs.read_keys())
    if len(keys) != counts[own]:
        raise ConfigError(f"the dataset has {len(keys)} rows, the contract says {counts[own]}")
    task.progress.advance(len(keys))

    is_shared = INTERSECTION in parties[task.terms.rank_of("sender")].receives
    talk, role = (channel, keys, counts[peer]), parties[own].role
    if protocol_of(task.terms) == "rr22":
        play = {"sender": rr22.sender, "receiver": rr22.receiver}[role]
        domain = b"coffer psi.intersect/2 rr22 " + session.session_id
        rows = await play(*talk, domain, task.rng, task.progress, is_shared=is_shared)
    else:
        blind = {"sender": ecdh.sender, "receiver": ecdh.receiver}[role]
        group = Curve25519(domain_of(session))
        rows = await blind(*talk, group, task.rng, task.progress, is_shared=is_shared)
    if INTERSECTION not in parties[own].receives:
        return Outcome()
    summary = {"intersection_rows": len(rows), "own_rows": len(keys)}
    return Outcome(outputs={INTERSECTION: Selection(rows)}, summary=summary)


async def agree(channel: Channel, session: Session, counts: Mapping[int, int]) -> None:
    """Exchange what each party believes is being run, and blame the peer if it differs."""
    marker = hashlib.sha256(b"coffer agreement/1" + session.session_id).digest()
    await channel.send(Agreement(session=marker, version=VERSION, rows=counts[session.rank]))
    theirs = await channel.receive(Agreement)
    channel.require(theirs.session == marker, "it runs another contract")
    channel.require(theirs.version == VERSION, f"it runs version {theirs.version} of {NAME}")
    channel.require(
        theirs.rows == counts[channel.peer],
        f"it brings {theirs.rows} keys, the contract says {counts[channel.peer]}",
    )


def protocol_of(terms: Terms) -> str:
    """Return the protocol that the contract names."""
    return str(terms.parameters.model_dump()["protocol"])


def domain_of(session: Session) -> bytes:
    """Return the hash's domain: one for each session, so that elements of two never compare."""
    return b"coffer psi.intersect/2 curve25519_XMD:SHA-512_ELL2_NU_ " + session.session_id


SERVICE: Final = Service(
    name=NAME,
    version=VERSION,
    title="Private set intersection",
    adversary=Adversary.SEMI_HONEST,
    party_counts=range(2, 3),
    roles=("sender", "receiver"),
    parameters=IntersectParameters,
    outputs=(INTERSECTION,),
    stages=(
        Stage(name="keys", title="Read the keys", weight=0.02),
        Stage(name="exchange", title="Blind and exchange", weight=0.96),
        Stage(name="compare", title="Compare", weight=0.02, knows_result=True),
    ),
    assign=assign,
    check=check,
    disclose=disclose,
    run=run,
    memory=memory,
)
