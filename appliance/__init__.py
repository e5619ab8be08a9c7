"""The node: one folder a noun. Importing it settles how gRPC speaks TLS, before gRPC is loaded.

gRPC for Python cannot be told a lowest TLS version. The variable below, which gRPC's library reads
when it is loaded, sets the cipher suites of TLS 1.2 alone (1.3 has its own, which stay). The one
suite named needs an RSA certificate and nodes have ECDSA ones, so no TLS 1.2 handshake can succeed.
``appliance.peering.tls`` refuses to work if gRPC was loaded first.
"""

import os as _os
import sys as _sys

_CIPHERS = {"GRPC_SSL_CIPHER_SUITES": "ECDHE-RSA-AES256-GCM-SHA384"}

TLS_13_ONLY = "grpc" not in _sys.modules or _CIPHERS.items() <= dict(_os.environ).items()
_os.environ |= _CIPHERS
# Else each port scan writes lines to the journal that nobody can act on.
_os.environ.setdefault("GRPC_VERBOSITY", "NONE")
