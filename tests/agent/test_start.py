"""What the agent's start does without: each of these takes longer than most of what it needs."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
HEAVY: Final = {
    "alembic",
    "duckdb",
    "mako",
    "numpy",
    "opendp",
    "pyarrow",
    "pygments",
    "rich",
    "services.kernels._native",
    "sqlalchemy.dialects.postgresql",
    "typer",
}
NAMES_THE_LOADED: Final = """
import sys
from appliance.agent import daemon, journal
from appliance.agent.command import main

def tell(status):
    print(*sys.modules)
    sys.exit()

journal.tell_ready = tell
main()
"""


def loaded_until_ready(folder: Path) -> set[str]:
    """Start an agent, and return the modules that it has loaded when it is ready."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    ran = subprocess.run(
        [
            *(sys.executable, "-c", NAMES_THE_LOADED, "--state", folder),
            *("--listen", f"127.0.0.1:{port}", "--operators-listen", "127.0.0.1:0"),
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(ran.stdout.split())


def test_neither_a_first_start_nor_a_later_one_loads_what_only_some_work_needs(
    tmp_path: Path,
) -> None:
    first, second = loaded_until_ready(tmp_path / "node"), loaded_until_ready(tmp_path / "node")

    assert "appliance.agent.node" in first & second
    assert first & HEAVY == set()
    assert second & HEAVY == set()


@pytest.mark.parametrize(
    ("program", "needless"),
    [
        ("appliance.console.terminal", HEAVY | {"grpc", "sqlalchemy", "cryptography"}),
        ("appliance.machine.helper", HEAVY | {"grpc", "sqlalchemy"}),
        ("appliance.machine.seal", HEAVY | {"grpc", "sqlalchemy", "pydantic", "cryptography"}),
        ("appliance.updates.health", HEAVY | {"sqlalchemy"}),
        ("appliance.updates.program", HEAVY | {"grpc", "sqlalchemy"}),
    ],
)
def test_what_starts_beside_the_agent_loads_only_its_own(program: str, needless: set[str]) -> None:
    script = f"import sys, {program}; print(*sys.modules)"

    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert set(ran.stdout.split()) & needless == set()
