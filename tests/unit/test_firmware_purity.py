import ast

from tests.repository import tree
from tests.repository.test_imports import NO_PURE_SERVICE_IMPORTS, imported_modules

ELSEWHERE = NO_PURE_SERVICE_IMPORTS - {"datetime"} | {"random", "logging", "sys"}


def test_firmware_reaches_no_file_clock_network_or_randomness() -> None:
    found = {
        tree.shown(path): imported_modules(module) & ELSEWHERE
        for path, module in tree.modules("firmware")
    }

    assert found
    assert {name: names for name, names in found.items() if names} == {}


def test_firmware_opens_nothing_and_asks_no_clock() -> None:
    banned = {"open", "print", "input", "datetime.now", "datetime.utcnow", "datetime.today"}
    found = [
        tree.shown(path)
        for path, module in tree.modules("firmware")
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in banned
    ]

    assert found == []
