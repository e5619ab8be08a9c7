"""In which order units start: none waits for itself, as systemd would leave a job out of it."""

from pathlib import Path
from typing import Final

from image.toolchain import Place, Toolchain

INSIDE: Final = Path("/coffer/tree")
WHOLE_START: Final = "whole-start.target"
# The last is wanted only by the start of a new version, which its generator knows.
WANTED: Final = "default.target coffer-update@settle.service systemd-bless-boot.service"


def test_a_start_of_a_new_version_has_no_circle(tools: Toolchain, root: Path) -> None:
    made = root / "run/systemd/system" / WHOLE_START
    made.parent.mkdir(parents=True)
    made.write_text(f"[Unit]\nWants={WANTED}\nAfter={WANTED}\n")
    asked = f"systemd-analyze verify --man=no --root={INSIDE} {WHOLE_START} 2>&1 || true"

    said = tools.run(
        ["bash", "-c", asked],
        remedy="read what systemd-analyze says",
        seen=(Place(outside=root, inside=INSIDE),),
    )

    assert "cycle" not in said, said
