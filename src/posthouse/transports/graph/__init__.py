"""Mail leaves by Microsoft Graph: as MIME where it is small, as a draft with its attachments uploaded where it is not.

This is a room of its own, so that a relay without such a connector doesn't load an HTTP client.
"""

from posthouse.transports.graph.transport import GraphTransport

__all__ = ["GraphTransport"]
