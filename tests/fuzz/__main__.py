"""Fuzz one reader: ``python -m tests.fuzz NAME [libFuzzer's options and folders]``."""

import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import atheris

from tests.fuzz import targets


def functions_of(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """Return the functions and methods that a module defines."""
    for one in vars(module).values():
        if getattr(one, "__module__", "") != module.__name__:
            continue
        members = vars(one).values() if inspect.isclass(one) else [one]
        for member in members:
            function = getattr(member, "__func__", member)
            if inspect.isfunction(function):
                yield function


# Not by atheris' hook for imports: the loader of an editable install passes it by.
for name, module in list(sys.modules.items()):
    if name.startswith(("appliance.", "services.")) and "_pb2" not in name:
        for function in functions_of(module):
            atheris.instrument_func(function)

name, *options = sys.argv[1:]
read = targets.trap if name == "trap" else targets.TARGETS[name].read
atheris.Setup([sys.argv[0], *options], read)
atheris.Fuzz()
