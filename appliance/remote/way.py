"""The way to a node from afar: TLS 1.3, the node's pinned key there, the operator's here."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import grpc

from appliance.api.ways import Unreachable
from appliance.identity.certificates import LeafKeeper
from appliance.identity.keys import IdentityKey
from appliance.peering import tls
from appliance.peering.diagnosis import Cause, Suspect, probe
from appliance.remote.folder import Remote

MOST_REPLY_BYTES: Final = 64 << 20
# Longer than any job, lest who watches one be turned away at its end. Its key is in memory alone,
# and what ends an operator's rights is that the node forgets the pin.
_LEAF_LIFE: Final = timedelta(days=8)

# What an operator can do about it, where it is not what a peer's would.
_REMEDIES: Final[Mapping[Cause, str]] = {
    Cause.ADDRESS: "check DNS and the address; if it has changed, add the node anew",
    Cause.SILENT: "check that the node runs and has a port for operators, and the network and its"
    " firewalls in between",
    Cause.NOT_TLS: "check that the address is that of the port for operators, and that nothing on"
    " the way ends TLS",
    Cause.NOT_A_NODE: "check the address; if the node has moved, add it anew",
    Cause.OTHER_NODE: "if the node was made anew, forget it and add it with a new set-up code; if"
    " not, the address is another's, or somebody is in the middle: tell your security"
    " administrator",
    Cause.REFUSED: "get a new set-up code and add the node anew; see also that both clocks are"
    " right",
}


class RemoteWay:
    """To the agent of a node from afar, as an operator that it knows."""

    def __init__(self, remote: Remote, key: IdentityKey) -> None:
        self._remote = remote
        self._keeper = LeafKeeper(key, now=_now, life=_LEAF_LIFE)

    def open(self) -> grpc.Channel:
        """Return a channel that the pinned node alone can answer."""
        options = tls.channel_options(self._remote.node_id.dns_name)
        size = "grpc.max_receive_message_length"
        return grpc.secure_channel(
            f"dns:///{self._remote.address}",
            tls.channel_credentials(self._keeper.current(), self._remote.certificate_der),
            options=[*(one for one in options if one[0] != size), (size, MOST_REPLY_BYTES)],
        )

    def require_there(self) -> None:
        """Return: whether the node is there, only a call shows."""

    def silence(self) -> Unreachable:
        """Return why the node did not answer, by trying once more with eyes open."""
        name = self._remote.name
        suspect = Suspect(
            node_id=self._remote.node_id,
            name=name,
            address=self._remote.address,
            public_der=self._remote.public_der,
        )
        trouble = probe(suspect, self._keeper.current(), _now())
        what = trouble.what
        if trouble.cause is Cause.REFUSED:
            what = f"{name} does not, or no longer, know you as an operator"
        return Unreachable(what, remedy=_REMEDIES.get(trouble.cause, trouble.remedy))


def _now() -> datetime:
    return datetime.now(UTC)
