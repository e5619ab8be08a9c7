"""``python -m image …``: make an image, its keys, or a virtual machine that runs it."""

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from firmware.errors import FirmwareError
from image import keys, places
from image.errors import ImageError


def main(words: Sequence[str] | None = None) -> int:
    """Do what was asked and return the exit status: 0, or 1 with cause and remedy on stderr."""
    asked = _parser().parse_args(words)
    verbs = {
        "build": _build,
        "keys": _keys,
        "lock": _lock,
        "sign": _sign,
        "index": _index,
        "sbom": _sbom,
        "compare": _compare,
        "boot": _boot,
    }
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
    build.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="NAME",
        help="what it has beyond the base, such as qat, fpga or nvidia; may be given several times",
    )
    build.add_argument(
        "--snapshot",
        action="append",
        default=[],
        metavar="URI",
        help="an archive that keeps old packages, asked where the mirror has moved on",
    )
    build.add_argument("--unsigned", action="store_true", help="leave the signing to the verb sign")
    sign = verbs.add_parser("sign", help="sign the disk image that was built last, also again")
    index = verbs.add_parser("index", help="say for 30 more days that the bundle is the newest")
    for verb in (build, sign, index):
        verb.add_argument(
            "--token", type=Path, metavar="FILE", help="a PKCS #11 token: see image/signing.py"
        )
    sbom = verbs.add_parser("sbom", help="write anew what the image that was built last is made of")
    sbom.add_argument(
        "--tracker", type=Path, metavar="FILE", help="judge it by the security tracker's data"
    )
    compare = verbs.add_parser("compare", help="say what differs between two unsigned builds")
    compare.add_argument("builds", nargs=2, type=Path, metavar="FOLDER")
    verbs.add_parser("lock", help="choose the newest packages, in place of those locked")
    verbs.add_parser("keys", help="make the development keys that are missing")
    boot = verbs.add_parser("boot", help="run the disk image in a virtual machine")
    boot.add_argument("--fresh", action="store_true", help="forget what earlier runs have stored")
    return parser


def _say(line: str) -> None:
    print(f"image: {line}", flush=True)


def _build(asked: argparse.Namespace) -> None:
    from image import pipeline, signing

    disk = pipeline.build_image(
        _say,
        is_quick=asked.quick,
        is_signed=not asked.unsigned,
        snapshots=asked.snapshot,
        profiles=asked.profile,
        token=signing.read_token(asked.token) if asked.token else None,
    )
    _say(pipeline.describe(disk))


def _sign(asked: argparse.Namespace) -> None:
    from image import pipeline, signing

    token = signing.read_token(asked.token) if asked.token else None
    _say(pipeline.describe(pipeline.sign_image(_say, token)))


def _index(asked: argparse.Namespace) -> None:
    from image import pipeline, signing

    token = signing.read_token(asked.token) if asked.token else None
    pipeline.renew_index(_say, token)


def _sbom(asked: argparse.Namespace) -> None:
    from image import inspection

    inspection.describe_contents(_say, asked.tracker)


def _compare(asked: argparse.Namespace) -> None:
    from image import inspection

    if not inspection.compare_builds(_say, *asked.builds):
        raise ImageError("the builds differ", "mend what differs without a reason above")


def _lock(_: argparse.Namespace) -> None:
    from image import lock, mirror, resolve

    today = datetime.datetime.now(datetime.UTC).date()
    chosen = resolve.resolve_all(mirror.read_mirror(), today=today)
    before = lock.read() if lock.FILE.exists() else None
    lock.FILE.write_text(lock.format_lock(chosen), encoding="utf-8")
    for line in lock.changes(before, chosen):
        _say(line)
    _say(f"locked {len(chosen.packages)} packages in {lock.FILE}")


def _keys(_: argparse.Namespace) -> None:
    folder = places.keys()
    made = keys.make(folder, datetime.datetime.now(datetime.UTC))
    _say(f"made {', '.join(made)} in {folder}" if made else f"all keys are in {folder}")


def _boot(asked: argparse.Namespace) -> None:
    from image import vm

    vm.boot_in_foreground(fresh=asked.fresh)


if __name__ == "__main__":
    sys.exit(main())
