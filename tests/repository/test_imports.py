import ast
import subprocess
import sys
from typing import Final

from tests.repository import tree

SQL: Final = ("sqlalchemy", "sqlite3")
NO_PURE_SERVICE_IMPORTS: Final = {
    "datetime",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "secrets",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}
ALLOWED_THERE: Final = {
    "services/kernels/__init__.py": {"os"},  # how many cores this process may use
    "services/randomness.py": {"os"},  # the operating system's generator
    "services/transport/stream.py": {"socket"},  # given, never opened
}


def test_imports_flow_one_way() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    ran = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 broken" in ran.stdout


def imported_modules(module: ast.Module) -> set[str]:
    """Return the top-level names that a module imports."""
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_services_reach_no_file_clock_or_network() -> None:
    found = {
        str(path.relative_to(tree.ROOT)): imported_modules(module) & NO_PURE_SERVICE_IMPORTS
        for path, module in tree.modules("services")
    }

    assert {name: names for name, names in found.items() if names} == ALLOWED_THERE


def test_services_open_no_file() -> None:
    found = [
        tree.shown(path)
        for path, module in tree.modules("services")
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "print", "input")
    ]

    assert found == []


def sql_names(module: ast.Module) -> set[str]:
    """Return what a module takes from the SQL libraries."""
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(SQL):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith(SQL)}
    return found


def test_sql_lies_in_the_store_and_each_nouns_own_store_file_only() -> None:
    types_and_hooks = {"Session", "event"}
    found = {
        name: sql_names(module) - types_and_hooks
        for path, module in tree.modules("appliance")
        if path.name != "store.py"
        and not (name := str(path.relative_to(tree.ROOT))).startswith("appliance/store/")
    }

    assert {name: names for name, names in found.items() if names} == {}


def test_nothing_but_tests_imports_what_only_tests_install() -> None:
    only_tests = {"atheris", "grpc_tools", "hypothesis", "importlinter", "mypy", "pytest", "ruff"}
    found = {
        tree.shown(path): imported_modules(module) & only_tests
        for path, module in tree.modules("appliance", "bench", "services")
    }

    assert {name: names for name, names in found.items() if names} == {}


def test_scikit_learn_is_needed_by_the_demonstration_alone() -> None:
    importers = {
        str(path.parent.relative_to(tree.ROOT))
        for path, module in tree.modules("appliance", "services", "bench")
        if "sklearn" in imported_modules(module)
    }

    assert importers == {"appliance/demo"}
