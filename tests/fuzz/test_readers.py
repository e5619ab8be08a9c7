"""Each reader of a peer's bytes, fuzzed for some seconds; `python -m tests.fuzz NAME` goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import MESSAGES, TARGETS

SECONDS = 6
MOST_BYTES = 4096


def fuzz(name: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    corpus = folder / "corpus"
    corpus.mkdir()
    target = TARGETS.get(name)
    for place, seed in enumerate(target.seeds() if target else ()):
        (corpus / str(place)).write_bytes(seed)
    options = [f"-max_total_time={SECONDS}", f"-max_len={MOST_BYTES}", "-timeout=5"]
    command = [sys.executable, "-m", "tests.fuzz", name, *options]
    command += ["-rss_limit_mb=2048", f"-artifact_prefix={folder}/", str(corpus)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_bears_any_bytes(name: str, tmp_path: Path) -> None:
    ran = fuzz(name, tmp_path)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Done " in ran.stderr
    assert "no interesting inputs" not in ran.stderr, "nothing is instrumented"


def test_a_reader_that_fails_is_found(tmp_path: Path) -> None:
    ran = fuzz("trap", tmp_path)

    assert ran.returncode != 0
    assert "KeyError" in ran.stdout + ran.stderr


def test_the_messages_of_all_families_are_among_them() -> None:
    families = {one.__module__.split(".")[1] for one in MESSAGES}

    assert families >= {"primitives", "psi"}
    assert len(MESSAGES) > 20
