from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.nodes import LONG, Node, pair, publish, write_ids
from tests.systemd.machine import DATASETS, BoxedNode, Machine, machine


@pytest.fixture(scope="session")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with systemd, our units and our user."""
    with machine(tmp_path_factory.mktemp("machine")) as made:
        yield made


@pytest.fixture(scope="session")
def box(booted: Machine, tmp_path_factory: pytest.TempPathFactory) -> BoxedNode:
    """The node that systemd runs there."""
    return BoxedNode(booted, tmp_path_factory.mktemp("box")).start()


@pytest.fixture(scope="session")
def laboratory(box: BoxedNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """An ordinary node, paired with the box; each has published a small and a long table."""
    folder = tmp_path_factory.mktemp("laboratory")
    node = Node(folder, "laboratory").start()
    try:
        pair(box, node)
        for size, name in ((300, "few"), (LONG, "many")):
            inside = Path("/", DATASETS, f"{name}.csv")
            write_ids(box.machine.files / inside.relative_to("/"), range(size))
            box.add(name, inside)
            node.add(name, write_ids(folder / f"{name}.csv", range(100, size + 100)))
            publish(box, name, node)
            publish(node, name, box)
        yield node
    finally:
        node.close()
