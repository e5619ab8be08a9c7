"""Names as people type them: the nearest known one where nothing is called so."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client
from appliance.api.ways import Refused


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return a remedy that names the nearest known name, or ``otherwise`` if none is near."""
    near = _nearest(name, known)
    return f"did you mean {near}?" if near else otherwise


def find_service(client: Client, name: str) -> pb.ServiceView:
    """Return the service of that name.

    Raises: Refused, with the nearest name, if there is none.
    """
    known = {service.name: service for service in client.list_services()}
    if name not in known:
        remedy = did_you_mean(name, known, 'see "coffer services list"')
        raise Refused(f"there is no service {name}", remedy=remedy)
    return known[name]


@contextmanager
def nearest_names(client: Client, named: Sequence[str]) -> Iterator[None]:
    """Add the nearest name where the agent does not know one of ``named``: PEER, PEER/DATASET."""
    try:
        yield
    except Refused as refused:
        near = None
        if refused.error == "PeerNotFound":
            near = _near_peer(client, named)
        elif refused.error == "DatasetNotFound":
            near = _near_dataset(client, named)
        if near is None:
            raise
        remedy = f"did you mean {near}?"
        raise Refused(refused.what, remedy=remedy, error=refused.error) from refused


def _near_peer(client: Client, named: Sequence[str]) -> str | None:
    known = [peer.name for peer in client.list_peers()]
    for words in named:
        name = words.partition("/")[0]
        if name not in known and (near := _nearest(name, known)):
            return near
    return None


def _near_dataset(client: Client, named: Sequence[str]) -> str | None:
    known = [(one.peer_name, one.name) for one in client.list_datasets(peers=True) if one.peer_id]
    for words in named:
        peer, _, dataset = words.partition("/")
        if dataset and (peer, dataset) not in known:
            near_peer = _nearest(peer, [owner for owner, _ in known])
            near = _nearest(dataset, [name for owner, name in known if owner == near_peer])
            if near:
                return f"{near_peer}/{near}"
    return None


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(name, list(known), n=1)), None)
