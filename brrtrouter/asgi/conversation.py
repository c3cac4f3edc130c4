"""`Conversation`: one request to a mounted ASGI application, both ends of its `receive` and `send`.

The application runs in a task of its own, which may go on after its answer.  Its messages are handed over one at a
time: `send` waits until the last piece was taken, so that an application is as slow as its client.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from brrtrouter.asgi.scope import encoded_path
from brrtrouter.asgi.types import DISCONNECT, REQUEST, RESPONSE_BODY, RESPONSE_START, Application, Message, Scope
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.errors import BodyStreamError

logger = logging.getLogger("brrtrouter.mount")

# Of one connection (RFC 9110 7.6.1), or written by the server itself.
NOT_TAKEN_OVER = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"transfer-encoding",
        b"te",
        b"trailer",
        b"upgrade",
        b"date",
    }
)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Conversation:
    """The exchange of one request and its answer.  `state` is what the lifespan of the application has left."""

    def __init__(self, application: Application, prefix: str, request: Request, state: dict[str, Any] | None) -> None:
        self._application = application
        self._prefix = prefix
        self._request = request
        self._state = state
        self._body = request.stream()
        self._body_ended = False
        self._refused: BodyStreamError | None = None
        self._start: Message | None = None
        self._waiting: Message | None = None  # a piece of the answer that nobody has taken yet
        self._changed = asyncio.Event()  # for the reader of the answer
        self._taken = asyncio.Event()  # for the application
        self._over = asyncio.Event()  # nobody reads the answer any more, or it is whole
        self._complete = False
        self._discards = False  # the rest of a body that is not sent
        self._ended = False
        self._error: BaseException | None = None
        self.task: asyncio.Task[None] | None = None

    # -- our side

    async def answer(self) -> Response:
        """Run the application up to the first piece of its answer.  Raises what it raises before that."""
        scope = self._scope()
        if scope is None:
            return problem_response("bad-request", "the path is not percent-encoded UTF-8")
        self._request.when_gone(self.leave)
        self.task = asyncio.get_running_loop().create_task(self._run(scope))
        try:
            first = await self._next()
        except BaseException:
            self.leave()
            raise
        if first is None and self._over.is_set():
            return problem_response("bad-request", "the client has gone")
        if first is None or self._start is None:
            raise self._refused or self._error or RuntimeError("the mounted application ended without an answer")
        if not first.get("more_body", False) and not self._request.is_head:
            self.leave()
            return self._response(bytes(first.get("body") or b"") or None)
        self._discards = self._request.is_head
        return self._response(Pieces(self, first))

    def leave(self) -> None:
        """Nobody reads the rest of the answer."""
        self._over.set()
        self._taken.set()

    async def _next(self) -> Message | None:
        """The next piece of the answer; None when there is none."""
        while self._waiting is None and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        piece, self._waiting = self._waiting, None
        self._taken.set()
        return piece

    async def rest(self) -> Message:
        """The next piece; an answer that breaks off raises, so that the client sees that it is not whole."""
        piece = await self._next()
        if piece is None:
            raise self._error or RuntimeError("the mounted application ended in the middle of its answer")
        return piece

    def _response(self, body: Any) -> Response:
        assert self._start is not None
        media_type, headers = None, []
        length = None
        for name, value in self._start.get("headers") or ():
            lower = bytes(name).lower()
            if lower == b"content-type":
                media_type = bytes(value).decode("latin-1")
            elif lower == b"content-length":
                length = bytes(value)
            elif lower not in NOT_TAKEN_OVER:
                headers.append((bytes(name).decode("latin-1"), bytes(value)))
        if isinstance(body, Pieces) and length is not None and length.isdigit():
            body.content_length = int(length)
        return Response(int(self._start["status"]), body, headers, media_type)

    def _scope(self) -> Scope | None:
        """The scope of the request; None when its path is not percent-encoded UTF-8."""
        request, peer = self._request, self._request.peer
        raw = request.path.encode("latin-1")
        outer = peer.root_path if peer is not None else ""
        try:
            path = unquote_to_bytes(raw).decode()
        except UnicodeDecodeError:
            return None
        if _BAD_ESCAPE.search(raw):
            return None
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": f"1.{request.http_minor}",
            "method": request.method,
            "scheme": request.scheme,
            "path": outer + path,
            "raw_path": encoded_path(outer) + raw,
            "query_string": request.raw_query.encode("latin-1"),
            "root_path": outer + self._prefix,
            "headers": request.raw_headers(),
            "client": request.client,
            "server": None,
            "extensions": {},
        }
        if self._state is not None:
            scope["state"] = self._state.copy()
        return scope

    # -- the side of the application

    async def _run(self, scope: Scope) -> None:
        try:
            await self._application(scope, self.receive, self.send)
        except asyncio.CancelledError:
            raise
        except (Exception, SystemExit) as error:
            self._error = error
            # Before the answer it is raised where the answer is waited for, in its middle where the rest is.
            if self._complete:
                logger.error("the application at %r failed after its answer", self._prefix, exc_info=error)
            elif self._over.is_set():
                logger.debug("the application at %r was left by its client", self._prefix, exc_info=error)
        finally:
            self._ended = True
            self._changed.set()

    async def receive(self) -> Message:
        """The body in pieces, then `http.disconnect` as soon as the answer is whole or the client has gone."""
        if not self._body_ended:
            try:
                return {"type": REQUEST, "body": await self._body.__anext__(), "more_body": True}
            except StopAsyncIteration:
                self._body_ended = True
                return {"type": REQUEST, "body": b"", "more_body": False}
            except BodyStreamError as error:
                self._body_ended = True
                self._refused = error
                return {"type": DISCONNECT}
        if self._refused is None:
            await self._over.wait()
        return {"type": DISCONNECT}

    async def send(self, message: Message) -> None:
        """Take one message of the answer.  Raises OSError when the client has gone, RuntimeError out of order."""
        kind = message["type"]
        if self._complete or (kind == RESPONSE_START) is not (self._start is None):
            raise RuntimeError(f"{kind} is out of place in this answer")
        if kind == RESPONSE_START:
            self._start = message
            return
        if kind != RESPONSE_BODY:
            raise RuntimeError(f"{kind} is no message of an answer")
        if self._discards:
            self._complete = not message.get("more_body", False)
            return
        if self._over.is_set():
            raise OSError("the client has gone")
        while self._waiting is not None and not self._over.is_set():
            self._taken.clear()
            await self._taken.wait()
        self._complete = not message.get("more_body", False)
        self._waiting = message
        self._changed.set()
        while not self._complete and self._waiting is message and not self._over.is_set():
            self._taken.clear()
            await self._taken.wait()
        if self._over.is_set() and not self._complete:
            raise OSError("the client has gone")


class Pieces:
    """The body of an answer as it comes; `aclose` tells the application that nobody reads on.

    content_length: set when the application has announced it.
    """

    content_length: int

    def __init__(self, conversation: Conversation, first: Message) -> None:
        self._conversation = conversation
        self._next: Message | None = first
        self._last = False

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        while not self._last:
            message, self._next = self._next or await self._conversation.rest(), None
            self._last = not message.get("more_body", False)
            body = bytes(message.get("body") or b"")
            if body:
                return body
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._conversation.leave()
