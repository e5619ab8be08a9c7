"""How the C library keeps memory in processes that pass large buffers on, agents and workers."""

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def keep_large_buffers() -> None:
    """Let the allocator reuse freed buffers of a megabyte, which it would else map anew each time.

    The kernel zeroes each page that it maps: a fifth of the CPU time of a busy relay. Only glibc
    needs this; elsewhere nothing is done.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_MMAP_THRESHOLD, 64 << 20)
        library.mallopt(_M_TRIM_THRESHOLD, 128 << 20)
