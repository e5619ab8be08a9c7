"""How an agent is reached, and what becomes of a call that is not answered."""

from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

import grpc

from appliance.api.conventions import MOST_SOCKET_PATH_BYTES, SOCKET_NAME
from services.errors import ServiceError

_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
)


class Refused(ServiceError):
    """The agent refused what it was asked; ``error`` is the class name of the agent's own error."""

    def __init__(self, what: str, *, remedy: str = "", error: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.error = error


class Unreachable(ServiceError):
    """No agent answers at the socket of this state folder."""


class Way(Protocol):
    """How an agent is reached."""

    def open(self) -> grpc.Channel:
        """Return a channel to the agent."""

    def require_there(self) -> None:
        """Return if there seems to be an agent. Raises: Unreachable."""

    def silence(self) -> Unreachable:
        """Return why the agent did not answer."""


class SocketWay:
    """To the agent with a state folder on this machine, over its Unix socket."""

    def __init__(self, state: Path) -> None:
        self._state = state.absolute()
        self._socket = self._state / SOCKET_NAME

    def open(self) -> grpc.Channel:
        """Return a channel to the agent."""
        return grpc.insecure_channel(f"unix:{quote(str(self._socket))}", options=_OPTIONS)

    def require_there(self) -> None:
        """Return if an agent has made its socket. Raises: Unreachable."""
        path = self._socket
        if len(str(path).encode()) > MOST_SOCKET_PATH_BYTES:
            raise Unreachable(
                f"the path {path} is too long for a Unix socket",
                remedy="choose a state folder with a shorter path",
            )
        try:
            path.stat()
        except PermissionError:
            raise Unreachable(
                f"the state folder {self._state} may not be entered by this user",
                remedy="run the command as the user that runs the agent, or with sudo",
            ) from None
        except (FileNotFoundError, NotADirectoryError):
            raise Unreachable(
                f"no agent runs with the state folder {self._state}",
                remedy=f'start one with "coffer up --state {self._state}", '
                "or name another with --state",
            ) from None

    def silence(self) -> Unreachable:
        """Return why the agent did not answer."""
        return Unreachable(
            f"the agent with the state folder {self._state} does not answer",
            remedy="look at its log; if it has stopped, start it again with "
            f'"coffer up --state {self._state}"',
        )
