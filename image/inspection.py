"""Look at builds that are made: what one is made of, whether it may ship, how two differ."""

import datetime
from collections.abc import Callable
from pathlib import Path

from image import (
    compare,
    materials,
    pipeline,
    places,
    sign,
    staging,
    toolchain,
    vulnerabilities,
)


def describe_contents(say: Callable[[str], None], tracker: Path | None) -> None:
    """Write the bills of materials of the last build anew, and judge it by the security tracker.

    tracker: the tracker's data for debsecan, a file; without it nothing is judged
    Raises: ImageError if there is no build, or it has vulnerabilities that nobody has waived.
    """
    unsigned = sign.find(places.UNSIGNED)
    build = pipeline.prepare_again(say, unsigned)
    say(materials.write(build, unsigned, staging.lay_out(build, None)).summary)
    say("python -m image sign hands it out with the disk")
    if tracker is None:
        say("no data of the security tracker was named: vulnerabilities are not looked at")
        return
    packages = tuple(materials.read_installed(build, unsigned))
    status = materials.status_of(packages, build.archive)
    today = datetime.datetime.now(datetime.UTC).date()
    found = vulnerabilities.find(status, tracker, build.toolchain)
    verdict = vulnerabilities.judge(found, vulnerabilities.read_waivers(), today)
    say(vulnerabilities.described(tracker))
    for one in verdict.known:
        say(f"known: {one}")
    for one in verdict.waived:
        say(f"waived: {one}")
    vulnerabilities.require_none(verdict)


def compare_builds(say: Callable[[str], None], one: Path, other: Path) -> bool:
    """Say what differs between two builds; tell whether they are equal.

    Raises: ImageError if one is incomplete.
    """
    tools = toolchain.find()
    found = compare.compare(compare.read_output(one), compare.read_output(other), tools)
    for difference in found:
        say(str(difference))
    say(f"{len(found)} differences" if found else "the builds are equal, byte for byte")
    return not found
