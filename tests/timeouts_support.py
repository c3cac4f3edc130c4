"""What the tests of time limits share: a loop whose time the test moves, and clients that send slowly."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable
from typing import Any

from wire import TIMEOUT, Client

# No limit but those that a test sets: what ends a connection is what the test is about.
OFF: dict[str, float] = {
    "head_time": 0,
    "body_wait": 0,
    "body_rate": 0,
    "handler_time": 0,
    "write_wait": 0,
    "keep_alive": 0,
    "crowded_keep_alive": 0,
    "connection_age": 0,
    "linger": 3600,
}


class SteppedLoop:
    """An event loop on which time passes when the test says so."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.now = 1000.0
        self.timers: list[SteppedTimer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> SteppedTimer:
        self.timers.append(SteppedTimer(self, self.now + delay, callback))
        return self.timers[-1]

    def pass_time(self, seconds: float) -> None:
        """Run the timers of so many seconds in their order, each at its time."""
        end = self.now + seconds
        while self.timers:
            first = min(self.timers, key=lambda timer: timer.at)
            if first.at > end:
                break
            self.timers.remove(first)
            self.now = max(self.now, first.at)
            first.callback()
        self.now = end

    def hold_up(self, seconds: float) -> None:
        """Let time pass in which no timer runs."""
        self.now += seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)


class SteppedTimer:
    """A timer of a SteppedLoop."""

    def __init__(self, loop: SteppedLoop, at: float, callback: Callable[[], None]) -> None:
        self.loop, self.at, self.callback = loop, at, callback

    def cancel(self) -> None:
        if self in self.loop.timers:
            self.loop.timers.remove(self)


def trickle(client: Client, pieces: Iterable[bytes], interval: float = 0.02) -> None:
    """Send a piece each `interval` seconds, until the server answers or ends the connection."""
    end = time.monotonic() + TIMEOUT
    for piece in pieces:
        assert time.monotonic() < end, "the server takes whatever is sent this slowly"
        try:
            client.send(piece)
        except ConnectionError:
            return
        readable, _, _ = select.select([client.socket], [], [], interval)
        if readable:
            return
    raise AssertionError("the server waited for all of it")


def was_reset(client: Client) -> bool:
    """Whether the connection ends with a reset, after everything that can still be read."""
    try:
        client.stream.read()
    except ConnectionResetError:
        return True
    return False


def wait_for_hang_up(client: Client) -> None:
    """Wait for the end of the connection without reading, which would let the server go on."""
    poll = select.poll()
    poll.register(client.socket, 0)  # errors and hang-ups only
    assert poll.poll(TIMEOUT * 1000), "the server still waits"
