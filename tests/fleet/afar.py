"""Operators of real nodes: each with a home folder, at the command line or in process."""

import asyncio
import io
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from appliance.api import agent_pb2 as pb
from appliance.api import agent_pb2_grpc as stubs
from appliance.api.client import Client
from appliance.cli.__main__ import run as run_command
from appliance.identity.certificates import Leaf
from appliance.identity.keys import FileKey
from appliance.peering.diagnosis import _context
from appliance.remote.enrolment import enrol
from appliance.remote.errors import EnrolmentFailed
from appliance.remote.folder import Remote, RemoteFolder
from appliance.remote.way import RemoteWay
from tests.fleet.nodes import Node, free_port_pair

_BUSY_SECONDS: Final = 30.0
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


class Box(Node):
    """A node that operators administer from afar."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder, name)
        self.operators_port = free_port_pair()
        self.operators = stubs.OperatorsStub(self.channel)

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self.operators_port}"

    def start(self, *options: str) -> "Box":
        super().start("--operators-listen", self.at, *options)
        return self

    def code(self) -> str:
        """Return a new set-up code, as somebody at the machine sees it."""
        words: str = self.operators.ShowSetUpCode(pb.ShowSetUpCodeRequest(renew=True)).words
        return words


@contextmanager
def boxes(folder: Path, *names: str) -> Iterator[list[Box]]:
    """Start a box for each name, and leave no process behind."""
    made = [Box(folder, name) for name in names]
    try:
        for box in made:
            box.start()
        yield made
    finally:
        for box in made:
            box.close()


class Person:
    """Somebody at a machine of their own, with a home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        self.folder = RemoteFolder(home / ".config/coffer")

    @property
    def key(self) -> FileKey:
        return self.folder.key()

    def enrol(self, box: Box, code: str | None = None) -> Remote:
        """Become an operator, without the command line; where all have tried too often, wait."""
        code = box.code() if code is None else code
        end = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                asked = enrol(
                    name=box.name,
                    address=box.at,
                    enrolment=f"127.0.0.1:{box.operators_port + 1}",
                    code=code,
                    key=self.key,
                    operator=self.home.name,
                )
                made = asyncio.run(asked)
            except EnrolmentFailed as error:
                if "busy with other attempts" not in error.what or time.monotonic() > end:
                    raise
                time.sleep(1.0)
            else:
                self.folder.put(made)
                return made

    def client(self, box: Box) -> Client:
        return Client(RemoteWay(self.folder.find(box.name), self.key))

    def run(
        self, *words: str, typed: str = "", **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run one command as a process of this person's."""
        hidden = {"COFFER_AT", "XDG_CONFIG_HOME"}
        inherited = {name: value for name, value in os.environ.items() if name not in hidden}
        return subprocess.run(
            [sys.executable, "-m", "appliance.cli", *words],
            input=typed,
            env=inherited | {"HOME": str(self.home)} | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def told(self, *words: str, typed: str = "", **environment: str) -> Any:
        """Run one command that should succeed, in this process, and return its JSON."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.delenv("COFFER_AT", raising=False)
            patch.delenv("XDG_CONFIG_HOME", raising=False)
            for name, value in ({"HOME": str(self.home)} | environment).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(typed))
            code = run_command([*words, "--json"])
        assert code == 0, err.getvalue()
        return json.loads(out.getvalue().splitlines()[-1])


def first_answer(
    leaf: Leaf | None, port: int, highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> bytes:
    """Return what a server says to an HTTP/2 client with this certificate; nothing if it hangs up.

    Raises: ssl.SSLError if there is no handshake.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if leaf is None else _context(leaf)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = highest
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    hung_up = suppress(ConnectionResetError, BrokenPipeError, ssl.SSLError)
    with plain, context.wrap_socket(plain) as secured, hung_up:
        secured.sendall(_PREFACE)
        return secured.recv(9)
    return b""
