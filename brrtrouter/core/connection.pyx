"""`Connection`: the answering half of a connection: requests wait in order, answers go out, the connection ends.

One request is answered at a time; pipelined ones wait in order up to a limit, then reading pauses (RFC 9112 9.3.2).
`protocol.pyx` is the reading half.
"""

import asyncio
import sys

from cpython.bytes cimport PyBytes_GET_SIZE

from brrtrouter.core.request cimport Request
from brrtrouter.core.response cimport Response, encode_response, has_no_body, stream_head
from brrtrouter.core.service cimport Service
from brrtrouter.core.stream cimport STREAM_HIGH, BodyStream

from brrtrouter.core.peer import Peer
from brrtrouter.errors import BodyStreamError

cdef enum:
    LINGER_SECONDS = 2     # after the last byte was sent
    OUT_BYTES = 65536      # of answers that are gathered for one write

cdef bint EAGER_TASKS = sys.version_info >= (3, 12)


class ClientGone(Exception):
    """Nobody reads the rest of a stream."""


cdef class Endpoint:
    """What all connections of one listener share.

    `service` may be replaced at any time: a request keeps the service it was matched with.  With `draining` set every
    answer closes its connection.
    """

    def __init__(self, Service service not None, loop):
        self.service = service
        self.loop = loop
        self.connections = set()

    def drain(self, drained):
        """Let every connection end after the answers that are under way; `drained` is a future set after the last."""
        self.draining = True
        self.drained = drained
        for connection in list(self.connections):
            (<Connection>connection).drain()
        self.forget(None)

    def forget(self, connection):
        """A connection is gone."""
        self.connections.discard(connection)
        if self.drained is not None and not self.connections and not self.drained.done():
            self.drained.set_result(None)

    def peer(self, transport):
        """The Peer that the requests of a new connection come from."""
        address = transport.get_extra_info("peername")
        return Peer(tuple(address[:2]) if isinstance(address, tuple) else None)

    def abort(self):
        """Cut every connection."""
        for connection in list(self.connections):
            (<Connection>connection).cut()


cdef class Connection:
    """What a connection does with the requests that were read from it."""

    cdef int consume(self, bytes data) except -1:
        """Read messages from bytes; the reading half does it."""
        raise NotImplementedError

    # -- the flow of bytes

    def pause_writing(self):
        self.writing_paused = True

    def resume_writing(self):
        self.writing_paused = False
        if self.writable is not None and not self.writable.done():
            self.writable.set_result(None)
        if self.ending:
            self.linger()
        self.resume()

    cdef int pause_reading(self) except -1:
        if not self.reading_paused:
            self.reading_paused = True
            self.transport.pause_reading()
        return 0

    def go_on(self):
        """Use bytes that were held."""
        self.resume()

    # -- bodies that are read in pieces

    cdef int fail_stream(self, str slug, str detail) except -1:
        """The rest of the body that is being read in pieces will not come; its request is the last one."""
        cdef BodyStream stream = self.stream
        if stream is not None:
            self.stream = None
            self.reading = None
            self.phase = CLOSING
            stream.fail(BodyStreamError(slug, detail))
        return 0

    def body_wanted(self):
        """A handler waits for the body: so may the client, for leave to send it."""
        if self.owes_continue and self.stream is not None:
            self.owes_continue = False
            self.out.append(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.flush()

    def body_taken(self):
        """A handler has made room for more of the body."""
        if self.reading_paused and not self.held and self.phase != CLOSING and self.transport is not None:
            self.reading_paused = False
            self.transport.resume_reading()

    cdef int ask_for_body(self) except -1:
        """Send the 100 that a client waits for (RFC 9110 10.1.1), once all answers before it are sent."""
        if self.owes_continue and self.task is None and not self.waiting:
            self.owes_continue = False
            self.out.append(b"HTTP/1.1 100 Continue\r\n\r\n")
        return 0

    # -- answering

    cdef int submit(self, object item) except -1:
        """Answer a request, or send the bytes of an error, now or when those before it are answered."""
        if self.task is not None or self.waiting or self.writing_paused:
            self.waiting.append(item)
            return 0
        return self.run(item)

    cdef int run(self, object item) except -1:
        cdef Request request
        cdef Service service
        if type(item) is bytes:
            return self.send(<bytes>item, True)
        request = <Request>item
        service = <Service>request.service
        if self.endpoint.draining:
            request.keep_alive = False
        result = service.handle(request)
        if type(result) is bytes:
            return self.send(<bytes>result, not request.keep_alive)
        if not request.suspended:
            result = self.send_stream(request, <Response>result)
        else:
            result = self.finish_later(request, service, result)
        self.start_task(result)
        return 0

    def start_task(self, coroutine):
        self.task = coroutine  # an eager task may end before it is known here
        task = new_task(self.endpoint.loop, coroutine)
        if self.task is coroutine:
            self.task = task

    async def finish_later(self, Request request, Service service, coroutine):
        """Await a result that takes time and send it."""
        try:
            result = await coroutine
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            if self.transport is None and isinstance(error, asyncio.CancelledError):
                return
            result = service.failure(request)
        if self.endpoint.draining:
            request.keep_alive = False
        if request.stream_ is not None:
            request.stream_.answered = True
        result = service.finish(request, result)
        if type(result) is bytes:
            self.conclude(request, <bytes>result)
        else:
            await self.send_stream(request, result)

    async def send_stream(self, Request request, Response response):
        """Send the items of a body as they come; a failure cuts the connection, so that it is not taken for the end."""
        cdef Service service = <Service>request.service
        cdef bint bodiless = has_no_body(response.status)
        cdef bint chunked = request.http_minor == 1 and not bodiless
        items = response.body
        if request.stream_ is not None:
            request.stream_.answered = True
        if not chunked and not bodiless:
            request.keep_alive = False
        try:
            head = stream_head(request, response, chunked)
        except Exception:
            failure = encode_response(request, service.failure(request))
            await self.close_items(request, items)
            self.conclude(request, failure)
            return
        tail = None
        try:
            await self.write_now(head)
            if not request.is_head and not bodiless:
                async for item in items:
                    data = item.encode() if isinstance(item, str) else bytes(memoryview(item))
                    if data:
                        await self.write_now(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
            tail = b"0\r\n\r\n" if chunked and not request.is_head else b""
        except ClientGone:
            pass
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            if self.transport is not None or not isinstance(error, asyncio.CancelledError):
                service.log_error(request)
        await self.close_items(request, items)
        if tail is None:
            self.task = None
            self.cut()
        else:
            self.conclude(request, <bytes>tail)

    async def close_items(self, Request request, items):
        """Let a producer that was stopped early clean up."""
        close = getattr(items, "aclose", None)
        if close is None:
            return
        try:
            await close()
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException:
            (<Service>request.service).log_error(request)

    cdef int conclude(self, Request request, bytes data) except -1:
        """Send the end of an answer that took a task, then go on with what waits."""
        self.task = None
        if self.transport is None:
            return 0
        self.send(data, not request.keep_alive or self.endpoint.draining)
        if not self.consuming:
            self.flush()
            self.resume()
        return 0

    async def write_now(self, bytes data):
        """Write and wait while the client reads too slowly; ClientGone when nobody reads any more."""
        self.flush()
        if self.transport is None or self.transport.is_closing():
            raise ClientGone
        self.transport.write(data)
        if self.writing_paused:
            self.writable = self.endpoint.loop.create_future()
            try:
                await self.writable
            finally:
                self.writable = None

    cdef int send(self, bytes data, bint last) except -1:
        """Put an answer out; after the last one the connection ends."""
        self.out.append(data)
        self.out_size += PyBytes_GET_SIZE(data)
        if last:
            self.fail_stream("bad-request", "the answer was sent before the body was read")
            self.phase = CLOSING
            self.waiting.clear()
            self.rest = None
        # Not one write for any number of large answers: only the transport knows how fast the client reads.
        if self.out_size >= OUT_BYTES or (last and not self.consuming):
            self.flush()
        return 0

    cdef int flush(self) except -1:
        """One write for all answers that are ready; ends the connection when it was the last one."""
        cdef Py_ssize_t count = len(self.out)
        if self.transport is None:
            self.out = []
            return 0
        if count != 0:
            self.transport.write(self.out[0] if count == 1 else b"".join(self.out))
            self.out.clear()
            self.out_size = 0
        if self.phase == CLOSING and self.task is None and not self.waiting and not self.ending:
            self.end()
        return 0

    cdef int resume(self) except -1:
        """Go on with what waits: requests that were read, then bytes that were not."""
        while self.waiting and self.task is None and not self.writing_paused and self.transport is not None:
            self.run(self.waiting.popleft())
            self.flush()
        if self.transport is None or self.writing_paused or self.task is not None:
            return 0
        if self.reading is not None and self.owes_continue:
            self.ask_for_body()
            self.flush()
        if self.held and self.phase != CLOSING:
            self.held = False
            rest = self.rest
            self.rest = None
            self.consume(rest)
        if self.reading_paused and not self.held and self.transport is not None and (
                self.stream is None or self.stream.buffered <= STREAM_HIGH):
            self.reading_paused = False
            self.transport.resume_reading()
        return 0

    # -- the end

    cdef bint is_idle(self):
        return self.task is None and not self.waiting and self.reading is None and not self.out

    cdef int end(self) except -1:
        """Lingering close (RFC 9112 9.6): finish our side, drop what still comes, so that no reset eats the answer."""
        if self.transport is None or self.transport.is_closing():
            return 0
        if self.eof or not self.transport.can_write_eof():
            self.transport.close()
            return 0
        self.ending = True
        self.transport.write_eof()
        self.transport.set_write_buffer_limits(0)  # so that resume_writing tells when the last byte is out
        if not self.writing_paused:
            self.linger()
        if self.reading_paused:
            self.reading_paused = False
            self.transport.resume_reading()
        return 0

    cdef int linger(self) except -1:
        """Everything is sent: the client has a moment to read it and to close."""
        self.linger_timer = self.endpoint.loop.call_later(LINGER_SECONDS, self.cut)
        return 0

    def drain(self):
        """End now when idle, else with the answer that is under way."""
        if self.transport is not None and self.phase == HEAD and self.is_idle():
            self.transport.close()

    def cut(self):
        """Close at once, without sending what is buffered."""
        if self.transport is not None:
            self.transport.abort()


cdef object new_task(loop, coroutine):
    if EAGER_TASKS:
        return asyncio.Task(coroutine, loop=loop, eager_start=True)
    return loop.create_task(coroutine)
