"""The tests. Appliance comes first, for it settles TLS before gRPC is loaded."""

import appliance  # noqa: F401
