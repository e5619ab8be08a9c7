"""A running agent prunes its ledger when the auditor says so, or by itself, and exports it."""

import asyncio
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
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

    words = ["--state", str(tmp_path / "state"), "--json", "ledger", "receiver"]

    async def said(*more: str) -> Any:
        out = StringIO()
        with redirect_stdout(out):
            assert await asyncio.to_thread(coffer, [*words, *more]) == 0
        return json.loads(out.getvalue())

    async def run() -> None:
        async with receiver.listening(), serving(a_config(tmp_path)):
            assert (await said("show"))["address"] == ""
            address = f"localhost:{receiver.port}"
            named = await said("set", address, "--authority", str(authority.file))
            assert named["address"] == address
            await receiver.has(4)
            async with asyncio.timeout(20):
                while int((shown := await said("show"))["sent"]) < 4:
                    await asyncio.sleep(0.1)
            assert shown["trouble"] == ""
            assert (await said("remove"))["address"] == ""
            first = len(receiver.messages)
            # Whoever is named again may be another by now, and is sent all of it.
            await said("set", address, "--authority", str(authority.file))
            await receiver.has(first + 8)
            assert receiver.messages[first] == receiver.messages[0]

    asyncio.run(run())

    found = [MESSAGE.fullmatch(one) for one in receiver.messages[:4]]
    assert [one["kind"] for one in found if one] == [
        b"ledger.begun",
        b"node.started",
        b"call.admitted",
        b"ledger.directed",
    ]
    directed = json.loads(receiver.messages[3][receiver.messages[3].index(b"{") :])
    assert directed["facts"]["address"] == f"localhost:{receiver.port}"


def named_receiver(client: Client, address: str, pem: bytes) -> Any:
    return client.set_receiver(address, pem)


def test_a_receiver_that_cannot_be_one_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(a_config(tmp_path)):
            for address, pem, why in (
                ("logs.example:0", b"", "is no address of a receiver"),
                ("logs.example", b"", "the CA's file holds no certificate"),
                ("logs.example", b"-----BEGIN PRIVATE KEY-----", "holds a private key"),
            ):
                with pytest.raises(Refused, match=why):
                    await asked(tmp_path, partial(named_receiver, address=address, pem=pem))
            shown = await asked(tmp_path, lambda client: client.show_receiver())
            assert shown.address == ""

    asyncio.run(run())
