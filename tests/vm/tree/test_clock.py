"""A clock that has forgotten the time is set forward to the sources of the version."""

from pathlib import Path

from image import pipeline


def test_systemd_finds_the_time_of_the_sources(root: Path, image: Path) -> None:
    epoch = (root / "usr/lib/clock-epoch").stat().st_mtime

    assert epoch == pipeline.epoch_of(image.stem.removeprefix("coffer_"))
