"""What people do to a node beside jobs and policies, written to its ledger."""

from typing import Final, Literal

from sqlalchemy.orm import Session

from appliance.accounts.acts import AccountAct, ActKind
from appliance.accounts.principals import Person
from appliance.governance.actors import actor_of
from appliance.identity.node_id import NodeId
from appliance.ledger.entries import NodeItself
from appliance.ledger.facts import (
    AccountChanged,
    CallAdmitted,
    Facts,
    Kind,
    LoginFailed,
    LoginSucceeded,
    NodeStarted,
    OperatorChanged,
    PeerChanged,
)
from appliance.ledger.ledger import Ledger
from appliance.store.database import Store

_WRONG: Final = "wrong-password-or-code"
_MOST_SCOPE: Final = 256


class Notes:
    """Writes down who did what. A call that cannot be written down is not made."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    async def call(self, person: Person, method: str) -> None:
        """Record that somebody makes a call that changes something, before it does."""
        facts = CallAdmitted(call=method.removeprefix("/coffer.agent.v1."))
        await self._store.run(
            lambda session: self._ledger.append(
                session, Kind.CALL_ADMITTED, facts, actor_of(person)
            )
        )

    async def started(self, version: str) -> None:
        """Record that the agent has started."""
        facts = NodeStarted(version=version)
        await self._store.run(
            lambda session: self._ledger.append(session, Kind.NODE_STARTED, facts, NodeItself())
        )

    def peer(self, session: Session, node_id: NodeId, name: str, is_paired: bool) -> None:
        """Record that a node is our peer from now on, or no longer."""
        kind = Kind.PEER_PAIRED if is_paired else Kind.PEER_UNPAIRED
        facts = PeerChanged(peer=node_id.text, name=name)
        self._ledger.append(session, kind, facts, NodeItself())

    def operator(self, session: Session, node_id: NodeId, name: str, is_one: bool) -> None:
        """Record that somebody may administer this node from afar from now on, or no longer."""
        change: Literal["enrolled", "removed"] = "enrolled" if is_one else "removed"
        facts = OperatorChanged(operator=node_id.text, name=name, change=change)
        self._ledger.append(session, Kind.OPERATOR_CHANGED, facts, NodeItself())

    def act(self, session: Session, act: AccountAct, by: Person | None) -> None:
        """Record what was done to an account or by it. by: None where nobody has proved who."""
        kind, facts = _facts_of(act)
        self._ledger.append(session, kind, facts, NodeItself() if by is None else actor_of(by))


def _facts_of(act: AccountAct) -> tuple[Kind, Facts]:
    source = act.facts.get("source") or None
    if act.kind is ActKind.LOGGED_IN:
        method = act.facts.get("factor", "password")
        return Kind.LOGIN_SUCCEEDED, LoginSucceeded(
            account=act.name, method=_word(method), address=source
        )
    if act.kind is ActKind.LOGIN_FAILED:
        return Kind.LOGIN_FAILED, LoginFailed(
            account=act.name or None, reason=_WRONG, address=source
        )
    said = act.facts.get
    return Kind.ACCOUNT_CHANGED, AccountChanged(
        account=act.name,
        change=_word(act.kind.value),
        role=_word(said("after") or said("roles") or "") or None,
        before=_word(said("before") or "") or None,
        address=source,
        principal=said("principal"),
        token=said("called"),
        scope=(said("scope") or "")[:_MOST_SCOPE] or None,
    )


def _word(text: str) -> str:
    """Return a text of ours as a word of the ledger."""
    return "-".join(text.replace(",", " ").split()).casefold()[:64]
