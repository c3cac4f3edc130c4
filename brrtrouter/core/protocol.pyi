"""Types of protocol.pyx."""

from brrtrouter.core.connection import Connection, Endpoint

class HttpProtocol(Connection):
    """An asyncio protocol for one connection."""

    def __init__(self, endpoint: Endpoint) -> None: ...
