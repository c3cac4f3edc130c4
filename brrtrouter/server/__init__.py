"""Sockets and the life of a server."""
