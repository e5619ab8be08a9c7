"""``coffer …``: run one command. Exit codes: 0, 1 refused, 2 wrong usage, 3 no agent reached."""

import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from appliance.api.client import Unreachable
from appliance.cli.app import command_tree
from appliance.cli.terminal import clean
from services.errors import ServiceError

REFUSED = 1
USAGE = 2
UNREACHABLE = 3


def main() -> None:
    """Run the command line of this process and exit."""
    sys.exit(run(None))


def run(words: Sequence[str] | None) -> int:
    """Run one command and return its exit code; what goes wrong is told on stderr."""
    try:
        code = command_tree().main(words, prog_name="coffer", standalone_mode=False)
    except Unreachable as error:
        return _tell(error.what, error.remedy, UNREACHABLE)
    except ServiceError as error:
        return _tell(error.what, error.remedy, REFUSED)
    except TyperException as error:
        return _tell_usage(error)
    except typer.Abort:
        return _tell("the question was not answered", "", REFUSED)
    except OSError as error:
        return _tell(f"{error.filename}: {error.strerror}", "", REFUSED)
    return code if isinstance(code, int) else 0


def _tell(what: str, remedy: str, code: int) -> int:
    if what:
        print(f"error: {clean(what)}", file=sys.stderr)
    if what and remedy:
        print(f"hint: {clean(remedy)}", file=sys.stderr)
    return code


def _tell_usage(error: TyperException) -> int:
    text = error.format_message()
    if text.startswith("Usage:"):  # a noun without a verb: typer's message is the help text
        print(text, file=sys.stderr)
        return USAGE
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "coffer"
    return _tell(_sentence(text), f'see "{command} --help"', USAGE)


def _sentence(text: str) -> str:
    """Return a message of typer in our form: lower case, no full stop."""
    return f"{text[:1].lower()}{text[1:]}".strip().removesuffix(".")


if __name__ == "__main__":
    main()
