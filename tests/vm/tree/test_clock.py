"""A clock that has forgotten the time goes on from what the machine knows of it."""

import re
from pathlib import Path

from image import pipeline


def test_no_start_is_earlier_than_the_sources_of_its_version(root: Path, image: Path) -> None:
    epoch = (root / "usr/lib/clock-epoch").stat().st_mtime

    assert epoch == pipeline.epoch_of(image.stem.removeprefix("coffer_"))


def test_the_time_goes_on_from_when_the_drift_was_noted(root: Path) -> None:
    options = (root / "usr/share/factory/etc/default/chrony").read_text()
    unit = (root / "usr/lib/systemd/system/chrony.service").read_text()

    assert re.search('^DAEMON_OPTS="-F 1 -s"$', options, re.MULTILINE)
    assert "EnvironmentFile=-/etc/default/chrony" in unit
    assert "$DAEMON_OPTS" in unit
