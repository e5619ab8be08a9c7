"""What can be wrong with identities, ours and others'."""

from services.errors import ConfigError, ProtocolError


class IdentityUnusable(ConfigError):
    """The identity key or certificate of this node cannot be used as it lies on disk."""


class NodeIdMistyped(ConfigError):
    """A node id was mistyped; the text names the groups that are wrong."""


class SignatureInvalid(ProtocolError):
    """A signature does not verify under the key that should have made it."""


class CertificateInvalid(ProtocolError):
    """A certificate is malformed, or not made as a node's certificates are."""
