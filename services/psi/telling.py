"""One party's run of psi.cardinality: count blindly, then tell the number.

Model:  see :mod:`services.psi.cardinality`.
Leaks:  see :mod:`services.psi.cardinality`.
"""

from services.errors import ConfigError
from services.psi.cardinality import CARDINALITY, NAME, VERSION, scale_of
from services.psi.counting import blurred, count, hear_count, tell_count
from services.psi.keyed import counts_of
from services.service import Column, Figures, Outcome, Task


async def tell(task: Task) -> Outcome:
    """Count; the number goes to those whom the contract names, and to the receiver anyway."""
    if task.inputs is None:
        raise ConfigError("this party was given no dataset")
    counted = await count(task, task.inputs, service=NAME, version=VERSION)
    own = task.terms.parties[task.session.rank]
    task.progress.stage("tell", 1)
    if own.role == "receiver":
        found = int(counted.selected.sum())
        if task.terms.parties[1 - task.session.rank].receives:
            await tell_count(counted.channel, blurred(found, scale_of(task.terms)))
    elif own.receives:
        has_noise = scale_of(task.terms) is not None
        most = min(counts_of(task.terms))
        found = await hear_count(counted.channel, 0, most, has_noise=has_noise)
    task.progress.advance(1)
    if not own.receives:
        return Outcome()
    columns = (Column(name="matches", type="BIGINT"),)
    return Outcome(
        outputs={CARDINALITY: Figures(columns=columns, rows=((found,),))},
        summary={"own_rows": counted.row_count},
    )
