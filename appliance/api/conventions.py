"""What both ends of the APIs agree on beside the ``.proto`` files."""

from typing import Final

# Where a status carries the name of the error's class, and for local callers the remedy.
ERROR_KEY: Final = "coffer-error"
REMEDY_KEY: Final = "coffer-remedy-bin"

# The local API's socket in the state folder, and what the kernel takes for a socket's path.
SOCKET_NAME: Final = "api.sock"
MOST_SOCKET_PATH_BYTES: Final = 107

TOKEN_KEY: Final = "coffer-token"  # noqa: S105 (the name of a key)
"""In a call's metadata: the API token that it is made with, in place of who calls."""
