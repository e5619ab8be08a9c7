"""Connections that peers made to this node: remembered by node, so that they can be cut."""

import logging
import os
import socket
import threading
from typing import Final

import psutil

from appliance.identity.node_id import NodeId
from appliance.peering.addresses import Endpoint, canonical, parse_endpoint

_MOST_REMEMBERED: Final = 256

log = logging.getLogger(__name__)


class Inbound:
    """Knows the far ends of the connections from each peer.

    gRPC can end a server's calls but not one client's connection, so a cut goes to the socket.
    """

    def __init__(self) -> None:
        self._ends: dict[NodeId, dict[Endpoint, None]] = {}
        self._lock = threading.Lock()

    def remember(self, node_id: NodeId, peer: str) -> None:
        """Note that a call of the node came from ``peer``, as gRPC's context names it."""
        end = parse_endpoint(peer)
        if end is None:
            return
        with self._lock:
            for known, ends in self._ends.items():
                if known != node_id:
                    ends.pop(end, None)  # an old connection's port, used again by another node
            ends = self._ends.setdefault(node_id, {})
            ends.pop(end, None)
            ends[end] = None
            while len(ends) > _MOST_REMEMBERED:
                ends.pop(next(iter(ends)))

    def cut(self, node_id: NodeId) -> int:
        """End all connections that the node made to this one; return how many there were."""
        with self._lock:
            ends = self._ends.pop(node_id, {})
        if not ends:
            return 0
        count = 0
        for connection in psutil.Process().net_connections("tcp"):
            if not connection.raddr or connection.fd < 0:
                continue
            if (canonical(connection.raddr.ip), connection.raddr.port) in ends:
                count += _shut(connection.fd)
        log.info("cut %d connections from %s", count, node_id.short)
        return count


def _shut(descriptor: int) -> int:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as twin:
            twin.shutdown(socket.SHUT_RDWR)
    except OSError:  # it ended by itself meanwhile
        return 0
    return 1
