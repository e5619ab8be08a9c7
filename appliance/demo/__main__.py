"""``python -m appliance.demo``: two paired nodes compute an intersection on this machine."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from rich.console import Console

from appliance.demo.nodes import DemoFailed, Node, running_nodes, wait_for_answers
from appliance.demo.story import Teller, say_what_is_left, say_what_next, tell
from appliance.demo.tables import write_tables
from services.errors import ServiceError

_MARK: Final = ".coffer-demo"
_POLL_SECONDS: Final = 0.3


def main(words: Sequence[str] | None = None) -> int:
    """Run the demonstration and return the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="end when it is done")
    parser.add_argument(
        "--folder", type=Path, help="keep everything there; by default a new folder"
    )
    options = parser.parse_args(words)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        with work_folder(options.folder) as folder:
            return run(folder, stay=not options.exit, is_kept=options.folder is not None)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except ServiceError as error:
        print(f"error: {error.what}", file=sys.stderr)
        if error.remedy:
            print(f"hint: {error.remedy}", file=sys.stderr)
        return 1


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)  # unwinds the stack, so that the nodes are stopped


def run(folder: Path, *, stay: bool, is_kept: bool) -> int:
    """Tell the whole story in ``folder``; if ``stay``, leave the nodes running until Ctrl-C.

    is_kept: whether the folder stays when all is done.
    """
    teller = Teller(Console(highlight=False, markup=False, emoji=False))
    with running_nodes(folder, "hospital", "laboratory") as nodes:
        try:
            tables = write_tables(folder)  # while the nodes start
            wait_for_answers(nodes)
            job = tell(teller, nodes, tables)
        except ServiceError:
            for node in nodes:
                node.require_alive()  # a node that died is the better explanation
            raise
        if stay:
            say_what_next(teller, nodes, job)
            teller.console.print("\nBoth nodes run until you press Ctrl-C.")
            _stay(nodes)
            teller.console.print("\nThe nodes have been stopped.")
        else:
            say_what_is_left(teller, folder if is_kept else None)
    return 0


def _stay(nodes: Sequence[Node]) -> None:
    try:
        while True:
            for node in nodes:
                node.require_alive()
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return


@contextmanager
def work_folder(named: Path | None) -> Iterator[Path]:
    """Give an empty folder: a new one that is removed after success, or the one named.

    Raises: DemoFailed if the named folder holds something that no demonstration made.
    """
    if named is not None:
        folder = named.absolute()
        if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
            raise DemoFailed(f"{folder} is not empty", remedy="name a folder that does not exist")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / _MARK).touch()
        yield folder
        return
    folder = Path(tempfile.mkdtemp(prefix="coffer-demo-"))
    try:
        yield folder
    except ServiceError:
        print(f"what the demonstration made is kept in {folder}", file=sys.stderr)
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
