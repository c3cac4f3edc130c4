"""Types of timed.pyx."""

from brrtrouter.core.connection import Connection

class TimedConnection(Connection):
    """A connection that ends when its time is over."""
