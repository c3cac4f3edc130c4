"""What systemd says and wants to hear: sockets that it has opened, readiness, the watchdog.

Both are plain environment variables and datagrams, sd_listen_fds(3) and sd_notify(3); no library is needed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping

from brrtrouter.server.sockets import ServerError

FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START


def take_descriptor(environ: MutableMapping[str, str] | None = None) -> int | None:
    """The descriptor of the one socket that systemd has opened for this process, None when there is none.

    The variables are removed, so that no child takes it for its own.  Raises ServerError for more than one socket.
    """
    environ = os.environ if environ is None else environ
    process, count = environ.get("LISTEN_PID", ""), environ.get("LISTEN_FDS", "")
    if process != str(os.getpid()) or not count.isdecimal() or int(count) == 0:
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(name, None)
    if int(count) > 1:
        raise ServerError(f"{count} sockets are handed over by LISTEN_FDS; this server listens with one")
    return FIRST_DESCRIPTOR


class Notifier:
    """Tells systemd about the state of the service; without NOTIFY_SOCKET it tells nobody.

    `interval`: seconds between two signs of life, half of what WATCHDOG_USEC allows; None when none are wanted.
    """

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        wanted, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(os.getpid()))
        asked = self._address and wanted.isdecimal() and int(wanted) > 0 and process == str(os.getpid())
        self.interval = int(wanted) / 2e6 if asked else None

    def ready(self) -> None:
        """The service answers, after its start or after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The service drains."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """A sign of life for the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # Nobody listening is no reason to stop serving.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode(), self._address)
