"""The hot loops: a checked Python face for each family, its native code, and a twin in Python.

The faces release the interpreter's lock while they work; callers run them in threads.
"""

import os


def thread_count() -> int:
    """Return how many threads a kernel may keep busy: the cores that this process is granted."""
    return len(os.sched_getaffinity(0))
