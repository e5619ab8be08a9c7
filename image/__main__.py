"""``python -m image …``: make an image, its keys, or a virtual machine that runs it."""

import argparse
import datetime
import sys
from collections.abc import Sequence

from firmware.errors import FirmwareError
from image import keys, places
from image.errors import ImageError


def main(words: Sequence[str] | None = None) -> int:
    """Do what was asked and return the exit status: 0, or 1 with cause and remedy on stderr."""
    asked = _parser().parse_args(words)
    verbs = {"build": _build, "keys": _keys, "boot": _boot}
    try:
        verbs[asked.verb](asked)
    except ImageError as error:
        print(f"error: {error.cause}\nhint: {error.remedy}", file=sys.stderr)
        return 1
    except FirmwareError as error:
        print(f"error: {error.what}\nhint: {error.remedy}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m image", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    build = verbs.add_parser("build", help="make the disk image in image/out")
    build.add_argument(
        "--quick", action="store_true", help="take the packages that the last quick build installed"
    )
    verbs.add_parser("keys", help="make the development keys that are missing")
    boot = verbs.add_parser("boot", help="run the disk image in a virtual machine")
    boot.add_argument("--fresh", action="store_true", help="forget what earlier runs have stored")
    return parser


def _say(line: str) -> None:
    print(f"image: {line}", flush=True)


def _build(asked: argparse.Namespace) -> None:
    from image import pipeline

    disk = pipeline.build_image(_say, is_quick=asked.quick)
    _say(pipeline.describe(disk))


def _keys(_: argparse.Namespace) -> None:
    folder = places.keys()
    made = keys.make(folder, datetime.datetime.now(datetime.UTC))
    _say(f"made {', '.join(made)} in {folder}" if made else f"all keys are in {folder}")


def _boot(asked: argparse.Namespace) -> None:
    from image import vm

    vm.boot_in_foreground(fresh=asked.fresh)


if __name__ == "__main__":
    sys.exit(main())
