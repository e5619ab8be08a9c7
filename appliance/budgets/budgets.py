"""The ledger of spent privacy, per dataset and peer: across jobs, restarts and years.

Every method runs inside the caller's transaction. What a job will lose is set aside when it is
signed here, so that two jobs never count on the same; once it has begun, it has lost it for good.
"""

from collections.abc import Collection, Sequence
from decimal import Decimal

from sqlalchemy.orm import Session

from appliance.budgets import store as table
from appliance.budgets.accountant import Spend, compose
from appliance.budgets.store import SpendRow
from appliance.identity.node_id import NodeId


def spent(
    session: Session,
    dataset: str,
    *,
    most_delta: Decimal = Decimal(0),
    peer: NodeId | None = None,
    before: tuple[int, str] | None = None,
    asked: Spend | None = None,
) -> Spend:
    """Return what is spent of a dataset in all, or toward one peer, with what is ``asked`` now.

    Peers may put together what they were told, so what goes to several adds up.
    before: the time and the job of a loss that others are counted before.
    """
    losses = _losses(session, dataset, peer, before)
    return compose([*losses, *((asked,) if asked else ())], most_delta)


def spent_before_and_after(
    session: Session,
    dataset: str,
    asked: Spend | None,
    *,
    most_delta: Decimal,
    before: tuple[int, str] | None,
) -> tuple[Spend, Spend]:
    """Return what is spent of a dataset in all, and what will be with what is ``asked``."""
    losses = _losses(session, dataset, None, before)
    spent_now = compose(losses, most_delta)
    return spent_now, spent_now if asked is None else compose([*losses, asked], most_delta)


def _losses(
    session: Session, dataset: str, peer: NodeId | None, before: tuple[int, str] | None
) -> list[Spend]:
    return [
        Spend(epsilon=Decimal(row.epsilon), delta=Decimal(row.delta))
        for row in table.spends_of(session, dataset)
        if (peer is None or row.peer == peer.text)
        and (before is None or (row.signed_milliseconds, row.job_id) < before)
    ]


def set_aside(
    session: Session,
    dataset: str,
    job_id: str,
    peers: Collection[NodeId],
    loss: Spend,
    now_milliseconds: int,
) -> None:
    """Set aside what a job that is signed will lose; that it was before changes nothing."""
    for peer in sorted(peers, key=lambda node: node.text):
        if table.find_spend(session, job_id, dataset, peer.text) is None:
            session.add(
                SpendRow(
                    job_id=job_id,
                    dataset=dataset,
                    peer=peer.text,
                    epsilon=str(loss.epsilon),
                    delta=str(loss.delta),
                    signed_milliseconds=now_milliseconds,
                    began_milliseconds=None,
                )
            )
    session.flush()


def begin(session: Session, job_id: str, now_milliseconds: int) -> Sequence[SpendRow]:
    """Note that a job begins, so that its loss is for good; return what was not so before."""
    begun = [row for row in table.spends_by_job(session, job_id) if row.began_milliseconds is None]
    for row in begun:
        row.began_milliseconds = now_milliseconds
    return begun


def give_back(session: Session, job_id: str) -> None:
    """Give back what was set aside for a job that has ended without having begun."""
    for row in table.spends_by_job(session, job_id):
        if row.began_milliseconds is None:
            session.delete(row)
    session.flush()
