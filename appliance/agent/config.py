"""The agent's configuration: one TOML file, parsed once, passed down in pieces."""

import difflib
import os
import pwd
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from appliance.api.conventions import MOST_SOCKET_PATH_BYTES, SOCKET_NAME
from appliance.ledger.errors import PruneTooEarly
from appliance.ledger.ledger import KEPT_DAYS
from appliance.peering.introduction import require_name
from services.errors import ConfigError, ServiceError

FILE_NAME: Final = "coffer.toml"
_LAST_PORT: Final = 65535
_MOST_KEPT_DAYS: Final = 36500
# For documentation alone, so nobody has it; any address beyond this network would do.
_ELSEWHERE: Final = "192.0.2.1"
_ANY_PORT: Final = 9


class ApplianceConfig(BaseModel):
    """All that an operator may set. Sizes are in bytes, times in seconds.

    most_job_seconds, most_grace_seconds: what a contract may ask for at the most, as how long it
        runs and how long it bridges a lost connection.
    most_idle_seconds: how long a job may make no progress.
    operators_listen: where operators reach the agent from afar; without it they cannot.
    console_user: the user whose program draws the machine's own screen.
    most_upload_bytes: how large a table an operator may send.
    worker_socket: where systemd starts a worker for who connects; without it workers are children.
    ledger_kept_days: what is older is forgotten by itself; 0 to keep all of the ledger.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    state: Path
    name: str = Field(default_factory=lambda: socket.gethostname().split(".")[0] or "node")
    listen: str = "0.0.0.0:7443"
    advertise: str = ""
    pairing_port: int = Field(default=0, ge=0, le=_LAST_PORT)
    allowed_uids: tuple[int, ...] = ()
    worker_socket: Path | None = None
    worker_memory_bytes: int = Field(default=8 << 30, ge=256 << 20)
    most_job_seconds: int = Field(default=24 * 3600, ge=1, le=7 * 24 * 3600)
    most_grace_seconds: int = Field(default=15 * 60, ge=1, le=3600)
    most_idle_seconds: int = Field(default=3600, ge=60)
    worker_threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    operators_listen: str = ""
    enrolment_port: int = Field(default=0, ge=0, le=_LAST_PORT)
    console_user: str = ""
    most_upload_bytes: int = Field(default=16 << 30, ge=1 << 20)
    ledger_kept_days: int = Field(default=0, ge=0, le=_MOST_KEPT_DAYS)

    @field_validator("listen", "advertise", "operators_listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if value and not (host and colon and port.isdecimal() and int(port) <= _LAST_PORT):
            raise ValueError("must be HOST:PORT, as 192.0.2.7:7443")
        return value

    @field_validator("ledger_kept_days")
    @classmethod
    def _is_kept_long_enough(cls, value: int) -> int:
        if 0 < value < KEPT_DAYS:
            raise ValueError(f"{PruneTooEarly(KEPT_DAYS).what}; 0 keeps all")
        return value

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        try:
            return require_name(value)
        except ServiceError as error:
            raise ValueError(error.what) from None

    @field_validator("console_user")
    @classmethod
    def _is_user(cls, value: str) -> str:
        try:
            return value and pwd.getpwnam(value).pw_name
        except KeyError:
            raise ValueError(f"there is no user {value!r} on this machine") from None

    @model_validator(mode="after")
    def _has_a_port_for_each(self) -> Self:
        if self.listen_port and self.pairing_listen == self.listen:
            raise ValueError("pairing_port must not be the peer port")
        if self.listen_port == _LAST_PORT and not self.pairing_port:
            raise ValueError(f"pairing_port must be named, as none comes after {_LAST_PORT}")
        if self.operators_port == _LAST_PORT and not self.enrolment_port:
            raise ValueError(f"enrolment_port must be named, as none comes after {_LAST_PORT}")
        if self.operators_listen:
            peers = {self.listen_port, _port_of(self.pairing_listen)}
            own = [self.operators_port, _port_of(self.enrolment_listen)]
            if any(own) and (own[0] == own[1] or not peers.isdisjoint({*own} - {0})):
                raise ValueError("operators_listen and enrolment_port must be ports of their own")
        return self

    @property
    def listen_host(self) -> str:
        """The interface that the peer port is bound to."""
        return self.listen.rpartition(":")[0]

    @property
    def listen_port(self) -> int:
        """The peer port."""
        return int(self.listen.rpartition(":")[2])

    @property
    def pairing_listen(self) -> str:
        """Where the pairing port opens, by invitation; the next after the peer port by default."""
        next_port = self.listen_port + 1 if self.listen_port else 0
        return f"{self.listen_host}:{self.pairing_port or next_port}"

    @property
    def reachable_at(self) -> str:
        """The address that peers are told: ``advertise``, or else the listening address."""
        return self.reachable_from(_ELSEWHERE)

    def reachable_from(self, host: str) -> str:
        """Return what a peer at a host is told: of several addresses the one on the way there."""
        if self.advertise:
            return self.advertise
        if self.listen_host in ("0.0.0.0", "[::]"):  # noqa: S104 - compared, not bound
            return f"{_own_host(host)}:{self.listen_port}"
        return self.listen

    @property
    def operators_port(self) -> int:
        """The port for operators; 0 without one."""
        return _port_of(self.operators_listen)

    @property
    def enrolment_listen(self) -> str:
        """Where the port for new operators opens, by set-up code; empty if there are to be none."""
        if not self.operators_listen:
            return ""
        next_port = self.operators_port + 1 if self.operators_port else 0
        return f"{self.operators_listen.rpartition(':')[0]}:{self.enrolment_port or next_port}"

    @property
    def operators_reachable_at(self) -> str:
        """The address that operators are told; empty if there are to be none."""
        if not self.operators_listen:
            return ""
        return f"{self.reachable_at.rpartition(':')[0]}:{self.operators_port}"

    @property
    def console_uid(self) -> int | None:
        """The user id of the console's program, if one is configured."""
        return pwd.getpwnam(self.console_user).pw_uid if self.console_user else None

    @property
    def admitted_uids(self) -> frozenset[int]:
        """Who may use the local API: the agent's own user, root, and those that are named."""
        return frozenset({os.getuid(), 0, *self.allowed_uids})

    @property
    def api_socket(self) -> Path:
        """The Unix socket at which local callers reach the agent."""
        return self.state / SOCKET_NAME


def _own_host(there: str) -> str:
    """Return by what others reach this machine: its full name, or else its address.

    A name without a domain means nothing to others, and all appliances begin with the same.
    there: where they are; from a place without a way to it, or on this machine, it is as from afar
    """
    name = socket.getfqdn()
    if "." in name:
        return name
    return _address_towards(there) or _address_towards(_ELSEWHERE) or name


def _address_towards(host: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, _ANY_PORT))  # chooses the way there, and sends nothing
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
        return "" if address.startswith("127.") else address


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2] or 0)


def read_config(state: Path, given: Mapping[str, Any]) -> ApplianceConfig:
    """Read the node's TOML file, if there is one, under the options ``given`` on the command line.

    The file is $COFFER_CONFIG or ``coffer.toml`` in the state folder.

    Raises: ConfigError naming the key, and the nearest known one if it is unknown.
    """
    named = os.environ.get("COFFER_CONFIG")
    path = Path(named) if named else state / FILE_NAME
    settings: dict[str, Any] = {}
    if named and not path.is_file():
        raise ConfigError(f"{path}: no such file", remedy="mend or unset COFFER_CONFIG")
    if path.is_file():
        settings = _parse_toml(path)
    settings |= {key: value for key, value in given.items() if value is not None}
    settings["state"] = state.absolute()
    if isinstance(settings.get("worker_socket"), str):
        settings["worker_socket"] = Path(settings["worker_socket"])
    if isinstance(settings.get("allowed_uids"), list):
        settings["allowed_uids"] = tuple(settings["allowed_uids"])
    try:
        config = ApplianceConfig(**settings)
    except ValidationError as error:
        raise _explained(error, path) from None
    if len(os.fsencode(config.api_socket)) > MOST_SOCKET_PATH_BYTES:
        raise ConfigError(
            f"the path {config.api_socket} is too long for a Unix socket",
            remedy="choose a state folder with a shorter path",
        )
    return config


def _parse_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}", remedy="mend the file; it is TOML") from None


def _explained(error: ValidationError, path: Path) -> ConfigError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(key, ApplianceConfig.model_fields, n=1)
        remedy = f'did you mean "{nearest[0]}"?' if nearest else f"remove it from {path}"
        return ConfigError(f"unknown setting {key}", remedy=remedy)
    what = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"].lower()
    return ConfigError(
        f"setting {key}: {what}" if key else what,
        remedy=f"mend it on the command line or in {path}",
    )
