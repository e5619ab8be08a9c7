"""``coffer …``: run one command.

Exit codes: 0, 1 refused, 2 wrong usage, 3 no agent reached, 130 ended by Ctrl-C. With --json, what
went wrong is the last line on stderr, one JSON object: the error's class, its cause, a remedy.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

import typer
from typer.exceptions import TyperException

from appliance.api.ways import Refused, Unreachable
from appliance.cli.app import command_tree
from appliance.cli.terminal import clean
from services.errors import ServiceError

REFUSED = 1
USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process and exit."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a name in a script that the terminal has not
    sys.exit(run(None))


def run(words: Sequence[str] | None) -> int:
    """Run one command and return its exit code; what goes wrong is told on stderr."""
    as_json = "--json" in (sys.argv[1:] if words is None else words)
    try:
        code = command_tree().main(words, prog_name="coffer", standalone_mode=False)
    except typer.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            return INTERRUPTED
        return _tell("the question was not answered", "", REFUSED, "Abort", as_json=as_json)
    except Exception as error:
        return _tell_failure(error, as_json=as_json)
    return code if isinstance(code, int) else 0


def _tell_failure(error: Exception, *, as_json: bool) -> int:
    """Say what went wrong, and return the exit code."""
    kind = type(error).__name__
    match error:
        case ServiceError():
            code = UNREACHABLE if isinstance(error, Unreachable) else REFUSED
            kind = error.error or kind if isinstance(error, Refused) else kind
            return _tell(error.what, error.remedy, code, kind, as_json=as_json)
        case TyperException():
            return _tell_usage(error, as_json=as_json)
        case OSError(filename=None):
            _give_up_stdout()
            what = f"standard output: {error.strerror or error}"
            return _tell(what, "", REFUSED, kind, as_json=as_json)
        case OSError():
            what = f"{error.filename}: {error.strerror}"
            return _tell(what, "", REFUSED, kind, as_json=as_json)
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}, line {last.lineno}"
    what = f"coffer met an error of its own: {' '.join(f'{kind}: {error}'.split())} ({place})"
    return _tell(what, "report it with this line", REFUSED, kind, as_json=as_json)


def _give_up_stdout() -> None:
    """Have what could not be written go nowhere, lest the interpreter try again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _tell(what: str, remedy: str, code: int, kind: str, *, as_json: bool) -> int:
    if as_json:
        told = {"error": kind, "cause": what, "remedy": remedy, "exit_code": code}
        print(json.dumps(told), file=sys.stderr)
        return code
    if what:
        print(f"error: {clean(what)}", file=sys.stderr)
    if what and remedy:
        print(f"hint: {clean(remedy)}", file=sys.stderr)
    return code


def _tell_usage(error: TyperException, *, as_json: bool) -> int:
    text = error.format_message()
    # A noun without a verb: typer's message is the help text.
    if text.startswith("Usage:") and not as_json:
        print(text, file=sys.stderr)
        return USAGE
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "coffer"
    remedy = f'see "{command} --help"'
    return _tell(_sentence(text), remedy, USAGE, type(error).__name__, as_json=as_json)


def _sentence(text: str) -> str:
    """Return a message of typer in our form: lower case, no full stop."""
    return f"{text[:1].lower()}{text[1:]}".strip().removesuffix(".")


if __name__ == "__main__":
    main()
