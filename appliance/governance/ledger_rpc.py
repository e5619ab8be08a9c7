"""The Ledger API: read the request, ask the ledger book, write the reply."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from appliance.accounts.principals import Person
from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import LedgerServicer
from appliance.governance.actors import actor_of
from appliance.governance.ledger_book import Directed, LedgerBook, PeerAgreement, PeerLedger
from appliance.ledger.facts import Kind
from appliance.ledger.ledger import Listed
from services.errors import ConfigError

_CHUNK_BYTES: Final = 256 * 1024


class LedgerRpc(LedgerServicer):
    """No rule about the ledger lives here. person_of: who makes a call."""

    def __init__(self, book: LedgerBook, person_of: Callable[[Any], Person]) -> None:
        self._book = book
        self._person_of = person_of

    async def ListEntries(
        self, request: pb.ListEntriesRequest, context: Any
    ) -> pb.ListEntriesReply:
        """List entries, newest first."""
        page = await self._book.page(
            most=request.most,
            before=request.before if request.HasField("before") else None,
            kinds=[kind_of(word) for word in request.kinds],
            job_id=request.job or None,
        )
        return pb.ListEntriesReply(entries=map(to_proto, page.entries), more=page.more)

    async def VerifyLedger(
        self, request: pb.VerifyLedgerRequest, context: Any
    ) -> pb.VerifiedLedger:
        """Compute all anew."""
        found = await self._book.verify(request.checkpoint)
        return pb.VerifiedLedger(
            size=found.size,
            root=found.root.hex(),
            pruned_up_to=found.pruned_up_to,
            checkpoints=found.checkpoints,
        )

    async def ShowCheckpoint(
        self, request: pb.ShowCheckpointRequest, context: Any
    ) -> pb.LedgerCheckpoint:
        """Show what the ledger is now."""
        return pb.LedgerCheckpoint(
            note=await self._book.checkpoint(),
            peers=map(agreement_to_proto, await self._book.agreements()),
        )

    async def ShowPeerCheckpoint(
        self, request: pb.ShowPeerCheckpointRequest, context: Any
    ) -> pb.PeerCheckpoint:
        """Show what is held of a peer's ledger."""
        return peer_ledger_to_proto(await self._book.peer_ledger(request.peer))

    async def ExportEvidence(
        self, request: pb.ExportEvidenceRequest, context: Any
    ) -> AsyncIterator[pb.EvidenceChunk]:
        """Send the evidence of a job, or of some entries."""
        if request.HasField("entries"):
            asked = request.entries
            tar = await self._book.export_entries(asked.first, asked.last, alone=request.alone)
        else:
            tar = await self._book.export_job(request.job, alone=request.alone)
        for begin in range(0, len(tar), _CHUNK_BYTES):
            yield pb.EvidenceChunk(chunk=tar[begin : begin + _CHUNK_BYTES])

    async def PruneLedger(self, request: pb.PruneLedgerRequest, context: Any) -> pb.PrunedLedger:
        """Forget what old entries say."""
        left = await self._book.prune(request.keep_days, actor_of(self._person_of(context)))
        return pb.PrunedLedger(kept_from=left.kept_from, waits_for_export=left.waits)

    async def ShowReceiver(
        self, request: pb.ShowReceiverRequest, context: Any
    ) -> pb.LedgerReceiver:
        """Show whom the ledger is sent to."""
        return receiver_to_proto(await self._book.receiver())

    async def SetReceiver(self, request: pb.SetReceiverRequest, context: Any) -> pb.LedgerReceiver:
        """Have it sent to somebody else, or to nobody."""
        person = self._person_of(context)
        directed = await self._book.send_to(request.address, request.authority, person)
        return receiver_to_proto(directed)


def kind_of(word: str) -> Kind:
    """Return the kind that a word names. Raises: ConfigError."""
    for kind in Kind:
        if kind.value == word:
            return kind
    raise ConfigError(
        f"there is no kind of entry {word[:64]!r}",
        remedy=f"the kinds are: {', '.join(kind.value for kind in Kind)}",
    )


def to_proto(listed: Listed) -> pb.LedgerEntry:
    """Return an entry as the API tells it."""
    entry = listed.entry
    actor = facts = ""
    if entry is not None:
        actor = json.dumps(entry.actor.model_dump(mode="json"), sort_keys=True)
        said = entry.facts.model_dump(mode="json", exclude_none=True)
        facts = json.dumps(said, sort_keys=True, ensure_ascii=False)
    return pb.LedgerEntry(
        index=listed.index,
        at_milliseconds=listed.at,
        kind=listed.kind.value,
        job=listed.job or "",
        actor=actor,
        facts=facts,
    )


def receiver_to_proto(directed: Directed) -> pb.LedgerReceiver:
    """Return whom the ledger is sent to as the API tells it."""
    receiver = directed.receiver
    if receiver is None:
        return pb.LedgerReceiver(size=directed.size)
    return pb.LedgerReceiver(
        address=receiver.address,
        authority_sha256=receiver.authority_digest,
        set_by=receiver.set_by,
        set_milliseconds=receiver.set_milliseconds,
        sent=directed.sent,
        size=directed.size,
        trouble=directed.trouble,
    )


def agreement_to_proto(one: PeerAgreement) -> pb.LedgerAgreement:
    """Return how far a peer agrees as the API tells it."""
    return pb.LedgerAgreement(
        peer=one.name,
        peer_id=one.peer.text,
        shown=one.shown,
        signed=one.signed,
        theirs=one.theirs,
        forks=one.forks,
    )


def peer_ledger_to_proto(one: PeerLedger) -> pb.PeerCheckpoint:
    """Return what is held of a peer's ledger as the API tells it."""
    return pb.PeerCheckpoint(
        peer=one.name,
        peer_id=one.peer.text,
        note=one.held,
        size=one.size,
        held_milliseconds=one.held_milliseconds,
        forks=[
            pb.LedgerFork(held=held, shown=shown, shown_milliseconds=at)
            for held, shown, at in one.forks
        ],
    )
