"""Fuzz one reader: ``python -m tests.fuzz NAME [libFuzzer's options and folders]``."""

import sys

import atheris

with atheris.instrument_imports(include=["appliance", "services"]):
    from tests.fuzz import targets

name, *options = sys.argv[1:]
read = targets.trap if name == "trap" else targets.TARGETS[name].read
atheris.Setup([sys.argv[0], *options], read)
atheris.Fuzz()
