"""Run benchmarks: ``python -m bench NAME [--quick] [--peers] [--case CASE]… [--huge]``."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench import boot, channel, governance, image, psi, start
from bench.asked import Asked
from bench.report import markdown, show
from image.errors import ImageError

BENCHMARKS: Final[dict[str, Callable[[Asked], dict[str, Any]]]] = {
    "boot": boot.run,
    "channel": channel.run,
    "governance": governance.run,
    "image": image.run,
    "psi": psi.run,
    "start": start.run,
}
# Look at what "make image" has built, which takes root; the others need nothing.
NEED_AN_IMAGE: Final = ("boot", "image")


def main(words: Sequence[str]) -> int:
    """Run what the command line names; 1 if a benchmark found a wrong result or a missed bound."""
    options = parser().parse_args(words)
    asked = Asked(
        is_quick=options.quick,
        has_peers=options.peers,
        is_huge=options.huge,
        cases=tuple(options.case),
    )
    everything = [name for name in BENCHMARKS if name not in NEED_AN_IMAGE]
    names = everything if options.name == "all" else [options.name]
    where = machine()
    try:
        found = {name: BENCHMARKS[name](asked) for name in names}
    except ImageError as error:
        print(f"error: {error.cause}\nhint: {error.remedy}", file=sys.stderr)
        return 1
    command = f"python -m bench NAME{asked.words}"
    as_json = json.dumps({"machine": where, "command": command, "figures": found}, indent=2)
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        (options.save / "figures.json").write_text(as_json + "\n")
        (options.save / "results.md").write_text(markdown(command, where, found) + "\n")
    if options.json:
        print(as_json)
    else:
        show(where, found)
    return 0 if all(figures.get("passed", True) for figures in found.values()) else 1


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    made.add_argument("name", choices=[*BENCHMARKS, "all"])
    made.add_argument("--quick", action="store_true", help="smaller, a minute or two each")
    made.add_argument("--peers", action="store_true", help="run others' systems beside ours")
    made.add_argument("--huge", action="store_true", help="also what takes 20 GB of disk")
    made.add_argument(
        "--case",
        action="append",
        default=[],
        choices=[case.name for case in psi.CASES],
        help="of psi, only this; may come several times",
    )
    made.add_argument("--json", action="store_true", help="print the figures as JSON")
    made.add_argument(
        "--save",
        type=Path,
        metavar="FOLDER",
        help="write figures.json there, and results.md, an entry for bench/RESULTS.md",
    )
    return made


def machine() -> dict[str, Any]:
    """Say what these figures were taken on, and when."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
