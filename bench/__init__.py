"""Benchmarks, each beside what others reach: ``python -m bench NAME [--quick] [--peers]``.

Each has ``run(asked: Asked) -> dict[str, Any]``, plain figures and tables of them.
"""

import appliance as _appliance  # before gRPC is loaded: it settles which TLS gRPC speaks

__all__: list[str] = []
del _appliance
