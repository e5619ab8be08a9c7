import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.repository import tree

NAMES: Final = ("accounts", "agent", "governance", "jobs", "machine", "peer")
PROTOS: Final = tuple(f"appliance/api/{name}.proto" for name in NAMES)
LOCKS: Final = (
    "requirements-build.txt",
    "requirements.txt",
    "requirements-demo.txt",
    "requirements-test.txt",
)


def test_generated_grpc_code_is_fresh(tmp_path: Path) -> None:
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]

    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, *PROTOS],
        cwd=tree.ROOT,
        check=True,
    )

    made = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(made) == 3 * len(PROTOS)
    for path in made:
        kept = tree.ROOT / path.relative_to(tmp_path)
        assert kept.read_bytes() == path.read_bytes(), f'{kept} is stale: run "make protos"'


def test_every_service_of_the_protos_says_in_a_sentence_what_it_is_for() -> None:
    said = {}
    for name in PROTOS:
        for before, line in itertools.pairwise((tree.ROOT / name).read_text().splitlines()):
            if line.startswith("service "):
                said[line.split()[1]] = before.startswith("// ") and before.endswith(".")

    assert len(said) >= 8
    assert all(said.values()), said


def locked(name: str) -> dict[str, str]:
    """Return the packages of a lock with their versions."""
    text = (tree.ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\\n]+)", text, re.MULTILINE))


def asked_for() -> dict[str, list[str]]:
    """Return the requirements that pyproject.toml states, by the lock that answers for them."""
    stated = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())
    return {
        "requirements-build.txt": stated["dependency-groups"]["build"],
        "requirements.txt": stated["project"]["dependencies"],
        "requirements-demo.txt": stated["project"]["optional-dependencies"]["demo"],
        "requirements-test.txt": stated["dependency-groups"]["test"],
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_what_pyproject_asks_for_is_locked_at_that_version(lock: str) -> None:
    have = {name: version for one in LOCKS for name, version in locked(one).items()}

    for requirement in asked_for()[lock]:
        name, pinned, version = requirement.partition("==")
        assert pinned, f"{requirement} names no exact version"
        assert have[name.lower().replace("_", "-")] == version, 'run "make locks"'


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_no_place_to_come_from(lock: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (tree.ROOT / lock).read_text())[1:]

    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"://|--(extra-)?index|--find-links", "\n".join(entries))


def test_no_package_stands_in_two_locks() -> None:
    names = [name for lock in LOCKS for name in locked(lock)]

    assert len(names) == len(set(names))


def test_the_build_is_asked_to_use_what_is_locked() -> None:
    stated = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())

    for requirement in stated["build-system"]["requires"]:
        name, _, version = requirement.partition("==")
        assert locked("requirements-build.txt")[name] == version
