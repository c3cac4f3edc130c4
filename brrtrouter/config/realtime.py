"""Settings of what stays open: event streams and WebSockets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sse:
    """Event streams.

    keep_alive: seconds without an event after which a comment is sent, 0 for none.
    """

    keep_alive: float = 15.0


@dataclass(frozen=True, slots=True)
class WebSocketSettings:
    """WebSockets (RFC 6455).  Sizes in bytes, times in seconds.

    message, frame: the largest that is taken.  fragments: of one message.  queue: messages that wait for the handler
    before no more is read.  ping_interval: between two pings, 0 for none.  ping_timeout: how long the answer to one may
    take, 0 for ever.  close_wait: how long the end of a connection may take that was agreed on.  deflate: messages may
    be compressed (RFC 7692).  origins: whose pages may connect, beside those of the server's own origin; "*" for all.
    """

    message: int = 1024 * 1024
    frame: int = 1024 * 1024
    fragments: int = 4096
    queue: int = 32
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    close_wait: float = 5.0
    deflate: bool = False
    origins: tuple[str, ...] = ()
