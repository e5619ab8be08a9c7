"""How the C library keeps memory in processes that pass large buffers on, agents and workers."""

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def keep_large_buffers(*, until_end: bool = False) -> None:
    """Let the allocator reuse freed buffers of many megabytes, which it would else map anew.

    The kernel zeroes each page that it maps: a fifth of the CPU time of a busy relay, and a third
    of a computation's. Threads share one heap, for what one of them frees is another's next. Only
    glibc needs this; elsewhere nothing is done.

    until_end: whether what was once taken is kept, as befits a process that ends with its work.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1 if until_end else 128 << 20)
