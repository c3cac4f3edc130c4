"""Types of protocol.pyx."""

from brrtrouter.core.connection import Endpoint
from brrtrouter.core.peer import Peer
from brrtrouter.core.timed import TimedConnection

class HttpProtocol(TimedConnection):
    """An asyncio protocol for one connection; `peer` is what is known of the other end before there is a transport."""

    def __init__(self, endpoint: Endpoint, peer: Peer | None = None) -> None: ...
