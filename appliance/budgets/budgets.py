"""The ledger of spent privacy, per dataset and peer: across jobs, restarts and years.

Every method runs inside the caller's transaction, so that a job that begins has spent.
"""

from collections.abc import Collection
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
    besides: str = "",
    asked: Spend | None = None,
) -> Spend:
    """Return what is spent of a dataset in all, or toward one peer, with what is ``asked`` now.

    Peers may put together what they were told, so what goes to several adds up.
    besides: a job whose own spend does not count.
    """
    losses = [
        _spend_of(row)
        for row in table.spends_of(session, dataset)
        if row.job_id != besides and (peer is None or row.peer == peer.text)
    ]
    return compose([*losses, *((asked,) if asked else ())], most_delta)


def spend(
    session: Session,
    dataset: str,
    job_id: str,
    peers: Collection[NodeId],
    lost: Spend,
    now_milliseconds: int,
) -> None:
    """Note what a job that begins loses; that it has begun before changes nothing."""
    for peer in sorted(peers, key=lambda node: node.text):
        if table.find_spend(session, job_id, dataset, peer.text) is None:
            session.add(
                SpendRow(
                    job_id=job_id,
                    dataset=dataset,
                    peer=peer.text,
                    epsilon=str(lost.epsilon),
                    delta=str(lost.delta),
                    spent_milliseconds=now_milliseconds,
                )
            )
    session.flush()


def _spend_of(row: SpendRow) -> Spend:
    return Spend(epsilon=Decimal(row.epsilon), delta=Decimal(row.delta))
