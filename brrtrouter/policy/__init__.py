"""Policy: who may call an operation and what wraps it.  Pure Python, no sockets, no event loops."""
