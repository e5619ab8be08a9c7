"""Builds besides the one that is tested, each of a copy of this tree, in a folder of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance.store.migrate import known_revisions
from image import pipeline, places

LATER_SECONDS: Final = 60
_MIGRATION: Final = """
import sqlalchemy as sa
from alembic import op

revision = "{newest}"
down_revision = "{before}"


def upgrade() -> None:
    op.create_table("of_a_younger_build", sa.Column("id", sa.Integer(), primary_key=True))
"""


def build_copy(version: str, folder: Path, *, words: Sequence[str] = ()) -> Path:
    """Build a copy of this tree in a folder as if it had been written then; return what was made.

    version: of the build that is tested; words: of ``python -m image build``
    """
    _copy_tree(folder)
    return _build(folder, pipeline.epoch_of(version), words)


def build_later(version: str, folder: Path) -> Path:
    """Build this tree as if written a minute later, with a database newer by one revision.

    Return the bundle.
    """
    _copy_tree(folder)
    before = known_revisions()[-1]
    newest = f"{int(before) + 1:04}"
    script = folder / f"appliance/store/migrations/versions/{newest}_of_a_younger_build.py"
    script.write_text(_MIGRATION.format(newest=newest, before=before))
    made = _build(folder, pipeline.epoch_of(version) + LATER_SECONDS, ["--quick"])
    return next(made.glob("coffer_*.bundle"))


def _copy_tree(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=places.TREE, capture_output=True, check=True, text=True
    )
    for name in listed.stdout.split("\0")[:-1]:
        if os.path.lexists(places.TREE / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(places.TREE / name, folder / name, follow_symlinks=False)


def _build(tree: Path, written: int, words: Sequence[str]) -> Path:
    building = [sys.executable, "-m", "image", "build", *words]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(written)}
    subprocess.run(building, cwd=tree, env=environment, check=True)
    return tree / "image/out"
