"""Who may administer this node from afar: known by pinned keys, as peers are, but not as peers."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from appliance.identity.certificates import identity_of
from appliance.identity.node_id import NodeId
from appliance.operators import store as table
from appliance.operators.errors import OperatorIsNode, OperatorNotFound, TooManyOperators
from appliance.peering.inbound import Inbound
from appliance.peering.pake import Identity
from appliance.store.database import Store

MOST_OPERATORS: Final = 64
# Long enough for the answer to who removed himself; no new call is let in meanwhile.
_CUT_AFTER_SECONDS: Final = 0.5

log = logging.getLogger(__name__)

# With the operator's key, the name, and whether they are one.
Note = Callable[[Session, NodeId, str, bool], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator. last_seen_milliseconds: since the agent started; 0 if it has not called."""

    id: NodeId
    name: str
    certificate_der: bytes
    enrolled_milliseconds: int
    last_seen_milliseconds: int = 0


class Operators:
    """The operators of this node.

    is_node: tells whether an id is this node's own or a known peer's.
    note:    told, in the transaction, who is an operator from then on, or no longer.
    """

    def __init__(
        self,
        store: Store,
        *,
        is_node: Callable[[NodeId], bool],
        note: Note,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._is_node = is_node
        self._note = note
        self._now = now
        self._known: dict[NodeId, Operator] = {}
        self._seen: dict[NodeId, int] = {}
        self._inbound = Inbound()
        self._cuts: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Read who the operators are; to be called once before anything else."""
        rows = await self._store.run(table.all_operators)
        self._known = {NodeId(row.id): _operator(row) for row in rows}

    @property
    def count(self) -> int:
        """How many operators there are."""
        return len(self._known)

    def all(self) -> tuple[Operator, ...]:
        """Return the operators by name."""
        return tuple(sorted(map(self._seen_of, self._known.values()), key=lambda one: one.name))

    def pins(self) -> Mapping[NodeId, bytes]:
        """Return the operators' public keys (DER)."""
        return {key: identity_of(one.certificate_der)[1] for key, one in self._known.items()}

    def roots(self) -> tuple[bytes, ...]:
        """Return the operators' certificates (DER); asked from gRPC's threads."""
        return tuple(one.certificate_der for one in list(self._known.values()))

    def find(self, text: str) -> Operator:
        """Return an operator by name, id, or the id's first group. Raises: OperatorNotFound."""
        for one in self.all():
            if text in (one.name, one.id.text) or text.upper() == one.id.short:
                return one
        raise OperatorNotFound(
            f"no operator is called {text[:64]}", remedy='see "coffer operators list"'
        )

    def note_call(self, key: NodeId, peer: str) -> None:
        """Note that an operator's call came over the connection from ``peer``."""
        self._inbound.remember(key, peer)
        self._seen[key] = self._milliseconds()

    def require_fit(self, identity: Identity) -> None:
        """Return if whoever has a set-up code may become an operator.

        Raises: OperatorIsNode, TooManyOperators.
        """
        if self._is_node(identity.node_id):
            raise OperatorIsNode("an operator's key is a node's: operators have keys of their own")
        if len(self._known) >= MOST_OPERATORS and identity.node_id not in self._known:
            raise TooManyOperators(f"there are {MOST_OPERATORS} operators already")

    async def add(self, identity: Identity) -> Operator:
        """Pin the key of somebody who has proved a set-up code, on disk when this returns."""

        def work(session: Session) -> Operator:
            name = table.free_name(session, identity.introduction.name, identity.node_id)
            made = table.OperatorRow(
                id=identity.node_id.text,
                name=name,
                certificate=identity.certificate_der,
                enrolled_milliseconds=self._milliseconds(),
            )
            table.put_operator(session, made)
            self._note(session, identity.node_id, name, True)
            return _operator(made)

        added = await self._store.run(work, then=self._put)
        log.warning("%s (%s) is an operator now", added.name, added.id.short)
        return added

    async def remove(self, text: str) -> Operator:
        """End what an operator may do: at once, and its open connections in a moment.

        Raises: OperatorNotFound.
        """
        gone = self.find(text)

        def work(session: Session) -> None:
            table.remove_operator(session, gone.id)
            self._note(session, gone.id, gone.name, False)

        await self._store.run(work, then=lambda _: self._drop(gone))
        log.warning("%s (%s) is no operator any more", gone.name, gone.id.short)
        return gone

    def _put(self, operator: Operator) -> None:
        self._known[operator.id] = operator

    def _drop(self, operator: Operator) -> None:
        self._known.pop(operator.id, None)
        self._seen.pop(operator.id, None)
        task = asyncio.create_task(self._cut(operator.id))
        self._cuts.add(task)
        task.add_done_callback(self._cuts.discard)

    async def _cut(self, key: NodeId) -> None:
        await asyncio.sleep(_CUT_AFTER_SECONDS)
        if key not in self._known:  # who was enrolled again meanwhile stays
            await asyncio.to_thread(self._inbound.cut, key)

    def _seen_of(self, one: Operator) -> Operator:
        return replace(one, last_seen_milliseconds=self._seen.get(one.id, 0))

    def _milliseconds(self) -> int:
        return int(self._now().timestamp() * 1000)


def _operator(row: table.OperatorRow) -> Operator:
    return Operator(
        id=NodeId(row.id),
        name=row.name,
        certificate_der=row.certificate,
        enrolled_milliseconds=row.enrolled_milliseconds,
    )
