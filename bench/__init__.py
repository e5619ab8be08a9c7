"""Benchmarks, each beside what others reach: ``python -m bench NAME [--quick] [--json] [--peers]``.

Each module has ``run(*, quick: bool, peers: bool) -> dict[str, Any]``, a plain table of figures.
"""

import appliance as _appliance  # before gRPC is loaded: it settles which TLS gRPC speaks

__all__: list[str] = []
del _appliance
