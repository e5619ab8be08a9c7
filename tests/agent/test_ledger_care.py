"""A running agent prunes its ledger when the auditor says so, or by itself, and exports it."""

import asyncio
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from appliance.agent.config import ApplianceConfig, read_config
from appliance.agent.daemon import serving
from appliance.api.client import Client
from appliance.api.ways import Refused, SocketWay
from appliance.cli.__main__ import run as coffer
from services.errors import ConfigError
from tests.unit.syslog_receiver import MESSAGE, Authority, Receiver


def a_config(folder: Path, **given: Any) -> ApplianceConfig:
    return read_config(folder / "state", {"name": "box", "listen": "127.0.0.1:0", **given})


async def asked(folder: Path, question: Callable[[Client], Any]) -> Any:
    def ask() -> Any:
        with Client(SocketWay(folder / "state")) as client:
            return question(client)

    return await asyncio.to_thread(ask)


def test_entries_of_179_days_are_pruned_in_none_of_the_three_ways(tmp_path: Path) -> None:
    words = ["--state", str(tmp_path / "state"), "--json", "ledger", "prune", "--yes"]

    async def run() -> None:
        async with serving(a_config(tmp_path)):
            with pytest.raises(Refused, match="younger than 180 days are never pruned"):
                await asked(tmp_path, lambda client: client.prune_ledger(179))
            said = StringIO()
            with redirect_stderr(said):
                assert await asyncio.to_thread(coffer, [*words, "--keep-days", "179"]) == 1
            assert "younger than 180 days are never pruned" in said.getvalue()

    asyncio.run(run())
    with pytest.raises(ConfigError, match="younger than 180 days are never pruned"):
        a_config(tmp_path, ledger_kept_days=179)


def test_who_prunes_is_recorded_and_the_ledger_verifies(tmp_path: Path) -> None:
    words = ["--state", str(tmp_path / "state"), "--json", "ledger", "prune", "--yes"]

    async def run() -> None:
        async with serving(a_config(tmp_path, ledger_kept_days=180)):
            out = StringIO()
            with redirect_stdout(out):
                assert await asyncio.to_thread(coffer, [*words, "--keep-days", "180"]) == 0
            assert json.loads(out.getvalue())["kept_from"] == 0
            calls = await asked(
                tmp_path, lambda client: client.list_entries(kinds=["call.admitted"])
            )
            assert json.loads(calls.entries[0].facts) == {"call": "Ledger/PruneLedger"}
            await asked(tmp_path, lambda client: client.verify_ledger())

    asyncio.run(run())


def test_a_running_agent_exports_its_ledger(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    receiver = Receiver(authority.vouch_for("localhost"))

    async def run() -> None:
        async with receiver.listening():
            config = a_config(
                tmp_path,
                syslog_address=f"localhost:{receiver.port}",
                syslog_authority=str(authority.file),
            )
            async with serving(config):
                await receiver.has(2)

    asyncio.run(run())

    found = [MESSAGE.fullmatch(one) for one in receiver.messages]
    assert [one["kind"] for one in found if one] == [b"ledger.begun", b"node.started"]
