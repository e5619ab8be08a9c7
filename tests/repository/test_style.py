import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import pytest

from tests.repository import tree

NEVER_MODULES: Final = {"utils", "helpers", "common", "misc", "base", "core", "manager"}
NEVER_NAMES: Final = {
    "alice",
    "beaver",
    "bob",
    "decrypt_share",
    "get_plain_text",
    "is_receiver",
    "is_sender",
    "participant",
    "player",
    "triples_provider",
}
AMERICAN: Final = tree.ROOT / "tests/repository/american.txt"
MOST_FILE_LINES: Final = 600
MOST_FUNCTION_LINES: Final = 60
MOST_ROLE_LINES: Final = 30


def require_quiet(*words: str) -> None:
    """Run a tool over the repository; fail with what it says, if it finds fault."""
    ran = subprocess.run(
        [sys.executable, "-m", *words], cwd=tree.ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{' '.join(words)}\n{ran.stdout}{ran.stderr}"


def test_ruff_finds_no_fault() -> None:
    require_quiet("ruff", "check", "--quiet", ".")


def test_code_is_laid_out_by_ruff() -> None:
    require_quiet("ruff", "format", "--quiet", "--diff", ".")


def require_quiet_program(name: str, *words: object) -> None:
    """Run a program of the virtual environment; fail with what it says, if it finds fault."""
    command = [str(Path(sys.executable).parent / name), *map(str, words)]
    ran = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{name}\n{ran.stdout}{ran.stderr}"


def test_native_code_is_laid_out_by_clang_format() -> None:
    native = [path for path in tree.files() if path.suffix in (".cpp", ".hpp")]

    assert native
    require_quiet_program("clang-format", "--dry-run", "--Werror", *native)


def test_shellcheck_finds_no_fault() -> None:
    scripts = [
        path for path in tree.files() if path.suffix == ".sh" or path.parent == tree.ROOT / ".ci"
    ]

    assert tree.ROOT / "tests/systemd/boot.sh" in scripts
    require_quiet_program("shellcheck", *scripts)


def test_mypy_finds_no_fault() -> None:
    require_quiet("mypy", "--no-error-summary", *(name for name in tree.CODE))


def test_words_are_spelt_right_and_as_in_britain() -> None:
    written = (".cpp", ".hpp", ".md", ".proto", ".py", ".service", ".toml", "")
    texts = [
        str(path.relative_to(tree.ROOT))
        for path in tree.files()
        if path.suffix in written and not tree.is_generated(path) and path.name != "LICENSE"
    ]

    require_quiet("codespell_lib", "-D", "-", "-D", str(AMERICAN), *texts)


def test_scripts_are_bash_that_stops_at_errors() -> None:
    scripts = [path for path in tree.files() if path.parent == tree.ROOT / ".ci"]

    assert scripts
    for script in scripts:
        text = script.read_text()
        assert text.startswith("#!/usr/bin/env bash\n"), script
        assert "\nset -euo pipefail\n" in text or script.name == "run", script
        subprocess.run(["bash", "-n", script], check=True)


def test_no_file_is_over_its_limit() -> None:
    source = [path for path in tree.files() if path.suffix in (".py", ".cpp", ".hpp", ".proto")]
    lengths = {
        tree.shown(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in source
        if not tree.is_generated(path)
    }

    assert {name: n for name, n in lengths.items() if n > MOST_FILE_LINES} == {}


def lines_of(function: tree.Function) -> int:
    """Return how many lines a function takes, its docstring apart."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    docstring_lines = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring_lines


def test_no_function_is_over_its_limit() -> None:
    lengths = {
        tree.shown(path, node): lines_of(node)
        for path, module in tree.modules()
        for node in tree.functions(module)
    }

    assert {name: n for name, n in lengths.items() if n > MOST_FUNCTION_LINES} == {}


def body_lines_of(function: tree.Function) -> int:
    """Return how many lines a function's body takes, without signature and docstring."""
    first = function.body[1 if ast.get_docstring(function) else 0]
    return (function.end_lineno or 0) - first.lineno + 1


def test_no_role_is_over_its_limit() -> None:
    lengths = {tree.shown(path, node): body_lines_of(node) for path, node in tree.roles()}

    assert lengths
    assert {name: n for name, n in lengths.items() if n > MOST_ROLE_LINES} == {}


def test_no_role_has_a_try() -> None:
    tries = [
        tree.shown(path, node)
        for path, node in tree.roles()
        for inner in ast.walk(node)
        if isinstance(inner, ast.Try)
    ]

    assert tries == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = {tree.shown(path) for path in tree.files() if path.stem in NEVER_MODULES}

    assert named == set()


def test_no_name_comes_from_the_column_of_words_never_used() -> None:
    found = []
    for path, module in tree.modules():
        for node in ast.walk(module):
            name = getattr(node, "name", None) or getattr(node, "arg", None)
            if isinstance(name, str) and name.lower() in NEVER_NAMES:
                found.append(f"{tree.shown(path)}: {name}")

    assert found == []


@pytest.mark.parametrize("banned", ["random", "torch.rand", "numpy.random"])
def test_randomness_comes_from_nowhere_but_an_rng(banned: str) -> None:
    found = [
        tree.shown(path, node)
        for path, module in tree.modules("appliance", "services")
        for node in ast.walk(module)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imported(node)
        if name == banned or name.startswith(banned + ".")
    ]

    assert found == []


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the full names that an import statement brings in, and the modules they lie in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] + [f"{node.module}.{alias.name}" for alias in node.names]


def test_no_numpy_random_is_called() -> None:
    found = [
        tree.shown(path)
        for path, module in tree.modules("appliance", "services")
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("np.random", "numpy.random")
    ]

    assert found == []


def catches_all(handler: ast.ExceptHandler) -> bool:
    caught = ast.unparse(handler.type).strip("()").split(", ") if handler.type else ["Exception"]
    return not {"Exception", "BaseException"}.isdisjoint(caught)


# Where failures of any kind come to an end, and what they become there.
CATCHES_ALL: Final = {
    "appliance/agent/guard.py": "an RPC's: INTERNAL, without a text",
    "appliance/agent/daemon.py": "a part of the agent's: the agent ends",
    "appliance/agent/assignment.py": "a worker's: its last report",
    "appliance/agent/supervisor.py": "a job's: the job fails and the agent goes on",
    "appliance/cli/__main__.py": "a command's: one line, and an exit code",
    "appliance/jobs/attendant.py": "one job's: the others go on",
    "appliance/demo/__main__.py": "the demonstration's: its nodes end too",
}


def test_everything_is_caught_in_the_known_places_only() -> None:
    found = {
        str(path.relative_to(tree.ROOT))
        for path, module in tree.modules("appliance", "services", "bench")
        for node in ast.walk(module)
        if isinstance(node, ast.ExceptHandler) and catches_all(node)
    }

    assert found == set(CATCHES_ALL)


def test_no_input_is_checked_by_an_assertion() -> None:
    found = [
        tree.shown(path, node)
        for path, module in tree.modules("appliance", "services")
        for node in ast.walk(module)
        if isinstance(node, ast.Assert)
    ]

    assert found == []


def test_no_test_is_skipped_or_expected_to_fail_or_patches_what_it_tests() -> None:
    found = [
        f"{tree.shown(path)}: {ast.unparse(node)}"
        for path, module in tree.modules("tests")
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
        and node.attr in ("skip", "skipif", "xfail", "patch", "importorskip")
        and ast.unparse(node.value).split(".")[0] in ("pytest", "mock", "unittest")
    ]

    assert found == []


def test_no_package_of_ours_hides_another_or_is_hidden() -> None:
    ours = {path.relative_to(tree.ROOT).parts[0] for path in tree.files() if path.suffix == ".py"}
    providers = packages_distributions()

    assert ours.isdisjoint(sys.stdlib_module_names)
    assert {name for name in ours & providers.keys() if providers[name] != ["coffer"]} == set()


def test_todo_carries_an_issue_number() -> None:
    found = [
        f"{tree.shown(path)}:{number}"
        for path, _ in tree.modules()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "# TODO" in line and "# TODO(#" not in line
    ]

    assert found == []
