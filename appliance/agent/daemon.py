"""The daemon: opens the node's parts in order, joins them, serves, and closes them in reverse."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from appliance.agent import journal
from appliance.agent.config import ApplianceConfig
from appliance.agent.node import Node
from appliance.agent.servers import local_server, operators_server, peer_server
from appliance.identity.keys import FileKey
from appliance.identity.sealing import read_sealing_key
from appliance.store import database
from appliance.store.database import Store
from appliance.store.errors import StoreGone
from appliance.store.lock import FolderLock
from appliance.updates.running import has_come_back

log = logging.getLogger(__name__)


def now() -> datetime:
    """Return the machine's time; the agent alone reads it."""
    return datetime.now(UTC)


async def run(config: ApplianceConfig) -> None:
    """Run the node's agent until SIGTERM or SIGINT.

    Raises: a ServiceError with the cause and the remedy if the node cannot start.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serving(config) as node:
        journal.tell_ready(f"node {node.key.node_id.short} serves at {config.listen}")
        log.info("node %s (%s) serves peers at %s", config.name, node.key.node_id, config.listen)
        await stopped.wait()
        journal.tell_stopping()
        log.info("stopping")


@asynccontextmanager
async def serving(config: ApplianceConfig) -> AsyncIterator[Node]:
    """Open the node and its servers; leave nothing running behind."""
    async with AsyncExitStack() as stack:
        stack.enter_context(FolderLock.take(config.state))
        # The key comes before the database, so a database without it is a node that has lost it.
        # And a key without it is one whose letters would be numbered from 1 again.
        is_new = not (config.state / database.FILE_NAME).exists()
        if is_new and FileKey.lies_in(config.state):
            raise StoreGone(config.state / database.FILE_NAME, config.state / "identity")
        sealing_key = read_sealing_key()
        key = FileKey.open_or_make(config.state, now=now, may_make=is_new, sealing_key=sealing_key)
        store = Store.open(config.state, may_go_back=has_come_back())
        stack.callback(store.close)
        node = Node(config, key, store, now, sealing_key=sealing_key)
        stack.push_async_callback(node.close)
        await node.load()
        await stack.enter_async_context(peer_server(config, node))
        await stack.enter_async_context(operators_server(config, node))
        await stack.enter_async_context(local_server(config, node))
        await stack.enter_async_context(_working(node))
        yield node


@asynccontextmanager
async def _working(node: Node) -> AsyncIterator[None]:
    """Keep the node's standing work going; a part that fails ends the agent."""
    main = asyncio.current_task()

    async def watched(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("a part of the agent failed")
            if main is not None:
                main.cancel()

    tasks = [asyncio.create_task(watched(work)) for work in node.standing_work()]
    tasks.append(asyncio.create_task(journal.keep_watchdog_calm()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
