import datetime
import zlib
from pathlib import Path
from typing import Final

import pytest

from image import vulnerabilities
from image.errors import ImageError
from image.vulnerabilities import Vulnerability

TODAY: Final = datetime.date(2026, 11, 29)
SAID: Final = """CVE-2026-1 kmod (fixed, remotely exploitable, high urgency)
CVE-2026-2 udev (remotely exploitable, high urgency)
CVE-2026-3 udev (low urgency)
TEMP-0000001-ABCDEF bash
"""
WAIVER: Final = """
[[waiver]]
id = "CVE-2026-1"
package = "kmod"
reason = "the image has none of the programs concerned"
date = 2026-11-01
expires = 2026-12-31
"""


def test_debsecans_list_is_read() -> None:
    found = vulnerabilities.parse(SAID)

    assert found[0] == Vulnerability(
        id="CVE-2026-1", package="kmod", is_fixed=True, is_remote=True, urgency="high"
    )
    assert str(found[3]) == "TEMP-0000001-ABCDEF bash (no urgency, no fix in Debian)"
    with pytest.raises(ImageError, match="never said"):
        vulnerabilities.parse("*** everything is fine ***")


def test_what_can_be_mended_or_is_grave_forbids_to_ship() -> None:
    verdict = vulnerabilities.judge(vulnerabilities.parse(SAID), [], TODAY)

    assert [one.id for one in verdict.forbidding] == ["CVE-2026-1", "CVE-2026-2"]
    assert [one.id for one in verdict.known] == ["CVE-2026-3", "TEMP-0000001-ABCDEF"]
    with pytest.raises(ImageError, match="CVE-2026-2 udev"):
        vulnerabilities.require_none(verdict)


def test_a_waiver_holds_for_one_package_alone() -> None:
    waivers = vulnerabilities.parse_waivers(WAIVER)
    other = vulnerabilities.parse_waivers(WAIVER.replace("kmod", "udev"))
    found = vulnerabilities.parse(SAID.splitlines()[0])

    assert vulnerabilities.judge(found, waivers, TODAY).forbidding == ()
    assert len(vulnerabilities.judge(found, other, TODAY).forbidding) == 1
    vulnerabilities.require_none(vulnerabilities.judge(found, waivers, TODAY))


@pytest.mark.parametrize("today", [datetime.date(2027, 1, 1), datetime.date(2026, 10, 31)])
def test_a_waiver_out_of_its_time_fails_also_unused(today: datetime.date) -> None:
    waivers = vulnerabilities.parse_waivers(WAIVER)

    with pytest.raises(ImageError, match="holds from 2026-11-01 to 2026-12-31"):
        vulnerabilities.judge([], waivers, today)


@pytest.mark.parametrize(
    "text",
    [
        WAIVER.replace("2026-12-31", "2027-01-31"),
        WAIVER.replace("2026-12-31", "2026-10-31"),
        WAIVER.replace("2026-12-31", '"soon"'),
        WAIVER.replace("the image has none of the programs concerned", " "),
        WAIVER.replace("reason", "because"),
        "waiver = 3",
        "[[waiver]",
    ],
)
def test_a_waiver_too_long_or_without_reason_is_refused(text: str) -> None:
    with pytest.raises(ImageError):
        vulnerabilities.parse_waivers(text)


def test_the_waivers_in_the_tree_can_be_read() -> None:
    for one in vulnerabilities.read_waivers():
        assert one.reason


def test_the_trackers_data_is_described_by_day_and_hash(tmp_path: Path) -> None:
    file = tmp_path / "trixie"
    file.write_bytes(zlib.compress(b"VERSION 1\n"))

    said = vulnerabilities.described(file)

    assert "SHA-256" in said
    assert datetime.datetime.now(datetime.UTC).date().isoformat() in said
