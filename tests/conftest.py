"""Fixtures that several test modules use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from wire import Client

from brrtrouter import App
from brrtrouter.server.handle import Server
from brrtrouter.testing import running


@pytest.fixture
def serve() -> Iterator[Callable[[App], Server]]:
    """Start a server for an application; it is stopped at the end of the test."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(running(app))


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Open a connection to a server; it is closed at the end of the test, before servers that were started earlier."""
    with ExitStack() as stack:
        yield lambda server, **options: stack.enter_context(Client(server.url, **options))
