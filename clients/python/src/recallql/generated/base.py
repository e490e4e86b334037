"""The base class of the generated client, whose generator copies this module into `generated/`."""

from recallql.transport import HTTPTransport


class Transport(HTTPTransport):
    """Sends the operations of the generated client."""
