"""What the parties of any service over keys settle before anything else."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from services.channel import Channel
from services.randomness import Rng
from services.session import Session
from services.wire import Size, message, secret


@message("psi.intersect/agreement", version=2)
class Agreement:
    """What a party believes is being run; each sends one before anything else.

    session:  a hash of the session id.
    version:  of the service.
    rows:     how many rows the party brings at most, as the contract says.
    finished: how many partitions it has finished in earlier attempts.
    nonce:    a random word of this attempt.
    """

    session: Annotated[bytes, Size(32)]
    version: int
    rows: int
    finished: int
    nonce: Annotated[bytes, Size(16)] = secret()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What both parties have settled.

    finished: how many partitions both have finished in earlier attempts.
    domain:   what separates the hashes of this attempt from those of all others.
    """

    finished: int
    domain: bytes


async def agree(
    channel: Channel,
    session: Session,
    rng: Rng,
    *,
    service: str,
    version: int,
    counts: Sequence[int],
    finished: int = 0,
    most_finished: int = 0,
) -> Agreed:
    """Exchange what each party believes is being run, and blame the peer if it differs.

    Model:  two parties; whatever is said here is no secret.
    Leaks:  nothing but how many partitions each has finished, at most ``most_finished``.
    Cost:   1 round.
    """
    marker = hashlib.sha256(b"coffer agreement/2" + session.session_id).digest()
    nonce, rows = rng.draw(16), counts[session.rank]
    await channel.send(Agreement(marker, version, rows, finished, nonce))
    theirs = await channel.receive(Agreement)
    channel.require(theirs.session == marker, "it runs another contract")
    channel.require(theirs.version == version, f"it runs version {theirs.version} of {service}")
    channel.require(
        theirs.rows == counts[channel.peer],
        f"it brings {theirs.rows} rows, the contract says {counts[channel.peer]}",
    )
    channel.require(
        theirs.finished <= most_finished,
        f"it has finished {theirs.finished} partitions, where {most_finished} can be",
    )
    nonces = (nonce, theirs.nonce) if session.rank < channel.peer else (theirs.nonce, nonce)
    hashed = hashlib.blake2b(session.session_id, digest_size=32, person=b"coffer psi run")
    hashed.update(b"".join(nonces))
    return Agreed(finished=min(finished, theirs.finished), domain=hashed.digest())
