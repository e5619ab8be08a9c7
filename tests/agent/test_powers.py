"""Whom a running agent lets do what: its own user, and operators with and without an account."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from appliance.accounts.principals import Principal
from appliance.accounts.roles import NO_POWERS, Role
from appliance.agent.config import ApplianceConfig
from appliance.agent.daemon import serving
from appliance.agent.node import Node
from appliance.api.client import Client
from appliance.api.ways import Refused
from appliance.identity.keys import FileKey
from appliance.remote.enrolment import enrol
from appliance.remote.way import RemoteWay
from tests.fleet.nodes import free_port_pair
from tests.unit.account_doubles import NAMES


class Operator:
    """Somebody who has enrolled by a set-up code."""

    def __init__(self, node: Node, folder: Path, at: str) -> None:
        self._node = node
        self._at = at
        self.key = FileKey.open_or_make(folder, now=lambda: datetime.now(UTC))
        self.principal = Principal.of_operator(self.key.node_id)

    async def enrol(self) -> None:
        shown = await self._node.enrolment.show()
        port: Any = self._node.enrolment._life.port
        remote = await enrol(
            name="box",
            address=self._at,
            enrolment=f"127.0.0.1:{port.number}",
            code=shown.words,
            key=self.key,
            operator="wei",
        )
        self.way = RemoteWay(remote, self.key)

    async def ask(self, question: Callable[[Client], Any]) -> Any:
        return await asked(self.way, question)


async def asked(way: Any, question: Callable[[Client], Any]) -> Any:
    def ask() -> Any:
        with Client(way) as client:
            return question(client)

    return await asyncio.to_thread(ask)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Node, Operator]]:
    listen, at = (f"127.0.0.1:{free_port_pair()}" for _ in range(2))
    config = ApplianceConfig(state=folder / "state", name="box", listen=listen, operators_listen=at)
    async with serving(config) as node:
        operator = Operator(node, folder / "operator", at)
        await operator.enrol()
        yield node, operator


async def refusal(operator: Operator, question: Callable[[Client], Any]) -> str:
    with pytest.raises(Refused) as caught:
        await operator.ask(question)
    assert caught.value.remedy.startswith("that is for the ")
    return caught.value.what


def test_an_operator_may_what_the_account_may_that_the_key_acts_as(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(tmp_path) as (node, operator):
            assert (await operator.ask(lambda client: client.show_node())).account_count == 0
            assert await operator.ask(lambda client: client.list_datasets(peers=False)) is not None

            await node.accounts.set_up(operator.principal, NAMES, own=Role.SECURITY_ADMINISTRATOR)

            assert (await operator.ask(lambda client: client.show_node())).account_count == 3
            assert await operator.ask(lambda client: client.list_operators())
            what = await refusal(operator, lambda client: client.list_datasets(peers=False))
            assert what == "you may not see which datasets there are, and their columns"
            await refusal(operator, lambda client: client.show_hardening())
            state = tmp_path / "state"
            assert await asked(state, lambda client: client.list_datasets(peers=False)) is not None

            assert node.accounts.powers_of(Principal.of_uid(1001)) == NO_POWERS

    asyncio.run(run())


def test_an_operator_whose_account_is_disabled_may_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(tmp_path) as (node, operator):
            await node.accounts.set_up(operator.principal, NAMES, own=Role.AUDITOR)
            assert await operator.ask(lambda client: client.show_node())

            await node.accounts.disable(Principal.of_uid(0), "aud")

            await refusal(operator, lambda client: client.show_node())

    asyncio.run(run())
