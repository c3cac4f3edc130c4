"""Our application under another server: one ASGI scope is one walk through the service.

An answer that is ready at once costs no task.  Where the handler takes time, or the answer is a stream, one task
listens for what the other server has to say: pieces of the body when the handler wants them, and that the client has
gone, which ends the handler.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from brrtrouter.asgi.scope import exchange_of
from brrtrouter.asgi.types import (
    DISCONNECT,
    REQUEST,
    RESPONSE_BODY,
    RESPONSE_START,
    Fields,
    Message,
    Receive,
    Scope,
    Send,
)
from brrtrouter.core.connection import ClientGone
from brrtrouter.core.exchange import Exchange
from brrtrouter.core.peer import Proxies
from brrtrouter.core.response import Response, problem_response
from brrtrouter.core.service import Service

logger = logging.getLogger("brrtrouter.server")
BODILESS = (204, 304)  # RFC 9110 8.6


class BrokenAnswer(RuntimeError):
    """Tells the other server to cut a connection: an answer ended too early, and the client must see that."""


async def serve_http(service: Service, proxies: Proxies | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request; a client that has gone is answered no more."""
    exchange = exchange_of(service, scope, proxies)
    try:
        listener, refusal = await _open(exchange, scope, receive)
        if refusal is not None:
            await _send_whole(send, await exchange.respond(refusal), scope["method"])
            return
        await _answer(service, exchange, listener, scope["method"], receive, send)
    except ClientGone:
        pass
    finally:
        exchange.ended(0)


async def _open(exchange: Exchange, scope: Scope, receive: Receive) -> tuple[Listener | None, Response | None]:
    """Read the body, or the listener that will; or what the request is refused with."""
    if exchange.refusal is not None or not _may_have_body(exchange, scope):
        return None, exchange.refusal
    if not exchange.takes_body:
        await _drop_body(exchange, receive)
        return None, None
    if exchange.streams:
        return Listener(exchange, receive, streams=True), None
    return None, await _read_whole(exchange, receive)


async def _answer(
    service: Service, exchange: Exchange, listener: Listener | None, method: str, receive: Receive, send: Send
) -> None:
    result = exchange.walk()
    try:
        if exchange.suspended:
            listener = listener or Listener(exchange, receive)
            result = await listener.guard(result, _seconds(service, exchange))
        status, fields, body = await exchange.respond(result)
        if isinstance(body, bytes):
            if listener is not None:
                listener.stop()
            await _send_whole(send, (status, fields, body), method)
        else:
            listener = listener or Listener(exchange, receive)
            await _send_stream(exchange, listener, send, (status, fields, body), method)
    finally:
        if listener is not None:
            listener.stop()


async def refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """No operation is a WebSocket: the handshake is answered with 404, or with what the other server makes of it."""
    await receive()
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1000, "reason": ""})
        return
    body: bytes = problem_response("not-found", "no operation has this path").body
    fields = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": 404, "headers": fields})
    await send({"type": "websocket.http.response.body", "body": body})


def _seconds(service: Service, exchange: Exchange) -> float:
    """How long the handler may take, 0 for no end: where it reads its body in pieces, that is up to the client."""
    operation = exchange.request.operation
    if exchange.streams:
        return 0.0
    if operation is None or operation.deadline < 0:
        return service.limits.handler_time
    return float(operation.deadline)


def _may_have_body(exchange: Exchange, scope: Scope) -> bool:
    """In HTTP/1 the head says so; later versions need not say it, nor does what stands between a server and us."""
    if exchange.has_body or scope.get("http_version", "1.1")[:1] != "1":
        return True
    return scope["method"] not in ("GET", "HEAD", "OPTIONS", "DELETE", "TRACE")


async def _drop_body(exchange: Exchange, receive: Receive) -> None:
    """Read what nobody wants, within the limit, for clients that listen only after they have spoken.

    One that waits for leave to send its body is not given it.
    """
    left = 0 if exchange.request.header("expect") else exchange.body_limit
    while left > 0:
        message = await receive()
        if message["type"] != REQUEST:
            raise ClientGone
        left -= len(message.get("body") or b"")
        if not message.get("more_body", False):
            return


async def _read_whole(exchange: Exchange, receive: Receive) -> Response | None:
    """Give the request its body; or what it is refused with.  Raises ClientGone when not all of it comes."""
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] != REQUEST:
            raise ClientGone
        data = message.get("body") or b""
        more = message.get("more_body", False)
        size += len(data)
        if size > exchange.body_limit:
            return exchange.too_large()
        if data:
            pieces.append(data)
    if size or exchange.has_body:
        exchange.set_body(bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces))
    return None


class Listener:
    """The one place that calls `receive` while a handler or a stream is at work.

    streams: the handler takes the body in pieces; nothing is received before it wants one.
    """

    def __init__(self, exchange: Exchange, receive: Receive, *, streams: bool = False) -> None:
        self.gone = False
        self._late = False
        self._exchange = exchange
        self._receive = receive
        self._owner = asyncio.current_task()
        self._wanted: asyncio.Event | None = None
        loop = asyncio.get_running_loop()
        if streams:
            self._wanted = asyncio.Event()
            exchange.open_stream(loop, self)
        self._task: asyncio.Task[None] | None = loop.create_task(self._listen())

    async def guard(self, work: Any, seconds: float) -> Any:
        """Await a coroutine; what it raises is a failure.  Raises ClientGone when the client went meanwhile.

        After so many seconds, if not 0, it is cancelled and answered with 504.
        """
        timer = asyncio.get_running_loop().call_later(seconds, self._expire) if seconds else None
        try:
            result = await work
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            result = self._too_late(error)
            if result is None:
                self.pass_cancellation(error)
                result = self._exchange.failure()
        else:
            if self._late or self.gone:
                self._absolve()  # the handler has not minded
        finally:
            if timer is not None:
                timer.cancel()
        if self.gone:
            raise ClientGone
        return result

    def _expire(self) -> None:
        self._late = True
        if self._owner is not None:
            self._owner.cancel()

    def _absolve(self) -> None:
        """The cancellation of the task was ours and has done its work."""
        if sys.version_info >= (3, 11) and self._owner is not None and self._owner.cancelling():
            self._owner.uncancel()

    def _too_late(self, error: BaseException) -> Response | None:
        """The answer in place of a handler that was cancelled because its time was over."""
        if not self._late or self.gone or not isinstance(error, asyncio.CancelledError):
            return None
        request = self._exchange.request
        logger.warning("request %s: %s %s had no answer in time", request.id, request.method, request.path)
        self._absolve()
        detail = "the server took too long to answer this request"
        return problem_response("handler-timeout", detail, extra={"request_id": request.id})

    def pass_cancellation(self, error: BaseException) -> None:
        """ClientGone for our own cancellation; that of the other server goes on; any other error is none of ours."""
        if not isinstance(error, asyncio.CancelledError) or self._owner is None:
            return
        if self.gone:
            self._absolve()
            raise ClientGone from None
        # Before 3.11 nobody can tell it from a future that the handler waited for.
        if sys.version_info < (3, 11) or self._owner.cancelling():
            raise error

    def stop(self) -> None:
        """Listen no more; what has come stays what it is."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    # -- the source of a BodyStream

    def body_wanted(self) -> None:
        """The handler waits for a piece."""
        if self._wanted is not None:
            self._wanted.set()

    def body_taken(self) -> None:
        """The handler has taken a piece; that it wants another one it says itself."""

    # -- the task

    async def _listen(self) -> None:
        if self._wanted is not None and not await self._pass_on(self._wanted):
            return
        ended = False
        while (message := await self._message())["type"] != DISCONNECT:
            if ended:
                return  # it says the end of the body again and again: nothing else will be heard
            ended = not message.get("more_body", False)
        self.gone = True
        if self._task is not None and self._owner is not None:
            self._owner.cancel()

    async def _pass_on(self, wanted: asyncio.Event) -> bool:
        """Whether the body came to its end."""
        while True:
            await wanted.wait()
            wanted.clear()
            data = b""
            while not data:
                message = await self._message()
                if message["type"] != REQUEST:
                    self.gone = True
                    self._exchange.fail("bad-request", "the client has gone")
                    return False
                data = message.get("body") or b""
                if data and not self._exchange.feed(bytes(data)):
                    return False
                if not message.get("more_body", False):
                    self._exchange.end_stream()
                    return True

    async def _message(self) -> Message:
        try:
            return await self._receive()
        except OSError:
            return {"type": DISCONNECT}


async def _send_whole(send: Send, parts: tuple[int, Fields, Any], method: str) -> None:
    status, fields, body = parts
    await send({"type": RESPONSE_START, "status": status, "headers": fields})
    await send({"type": RESPONSE_BODY, "body": b"" if method == "HEAD" else body})


async def _send_stream(
    exchange: Exchange, listener: Listener, send: Send, parts: tuple[int, Fields, AsyncIterator[Any]], method: str
) -> None:
    """Send the items of a body as they come; after the head only a cut connection can say that something failed."""
    status, fields, items = parts

    async def put(message: Message) -> None:
        try:
            await send(message)
        except OSError:
            raise ClientGone from None

    broken = False
    length, sent = getattr(items, "content_length", None), 0
    try:
        await put({"type": RESPONSE_START, "status": status, "headers": fields})
        if method != "HEAD" and status not in BODILESS:
            async for item in items:
                data = item.encode() if isinstance(item, str) else bytes(memoryview(item))
                sent += len(data)
                if listener.gone:
                    raise ClientGone
                if length is not None and sent > length:
                    break
                if data:
                    await put({"type": RESPONSE_BODY, "body": data, "more_body": True})
            if length is not None and sent != length:
                raise ValueError(f"a stream has not the {length} bytes that it has announced")
        listener.stop()
        await put({"type": RESPONSE_BODY, "body": b"", "more_body": False})
    except (ClientGone, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        listener.pass_cancellation(error)
        exchange.log_error()
        broken = True
    finally:
        listener.stop()
        exchange.ended(sent)
        await _close(exchange, items)
    if broken:
        raise BrokenAnswer(f"the answer to request {exchange.request.id} broke off")


async def _close(exchange: Exchange, items: Any) -> None:
    """Let a producer that was stopped early clean up."""
    close: Callable[[], Any] | None = getattr(items, "aclose", None)
    if close is None:
        return
    try:
        await close()
    except Exception:
        exchange.log_error()
