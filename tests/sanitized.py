"""A pytest plugin: the kernels' tests run on the build that `make sanitize` made, and on no other.

It puts that native module in the place of the installed one before anything imports the kernels.
"""

import ctypes
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from sysconfig import get_config_var
from typing import Final

NAME: Final = "services.kernels._native"
BUILT: Final = Path(__file__).parents[1] / "build/sanitize"

if not hasattr(ctypes.CDLL(None), "__asan_init"):
    raise RuntimeError("libasan is not loaded: run .ci/sanitize")
_spec = spec_from_file_location(NAME, BUILT / f"_native{get_config_var('EXT_SUFFIX')}")
if _spec is None or _spec.loader is None:
    raise RuntimeError(f"{BUILT} holds no native module: run .ci/sanitize")
sys.modules[NAME] = module_from_spec(_spec)
_spec.loader.exec_module(sys.modules[NAME])
