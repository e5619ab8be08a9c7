"""What the repository consists of, as its own checks look at it."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CODE: Final = ("appliance", "bench", "firmware", "image", "services", "tests")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files() -> tuple[Path, ...]:
    """Return every file of the project: those that git knows and those it would take."""
    asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return tuple(ROOT / name for name in sorted(names.split("\0")) if (ROOT / name).is_file())


def is_generated(path: Path) -> bool:
    return path.stem.endswith(("_pb2", "_pb2_grpc"))


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield each hand-written Python file below the folders, parsed."""
    for path in files():
        if path.suffix != ".py" or is_generated(path):
            continue
        if path.relative_to(ROOT).parts[0] in (folders or CODE):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def roles() -> Iterator[tuple[Path, Function]]:
    """Yield the public roles: what a party does in a protocol, given a channel or a party."""
    for path, tree in modules("services"):
        for node in tree.body:
            if isinstance(node, ast.AsyncFunctionDef) and is_role(node):
                yield path, node


def is_role(function: ast.AsyncFunctionDef) -> bool:
    """Whether a coroutine takes an Rng besides a channel, or a party: it plays a role by itself."""
    given = [ast.unparse(one.annotation) for one in _arguments(function) if one.annotation]
    speaks = bool(given) and (given[0] == "Party" or (given[0] == "Channel" and "Rng" in given))
    return speaks and not function.name.startswith("_")


def _arguments(function: Function) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def shown(path: Path, node: Function | ast.stmt | ast.ExceptHandler | None = None) -> str:
    """Return a place in the code as people click on it."""
    name = str(path.relative_to(ROOT))
    return f"{name}:{node.lineno}" if node else name
