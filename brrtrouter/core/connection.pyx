"""`Connection`: the answering half of a connection: requests wait in order, answers go out, the connection ends.

One request is answered at a time; pipelined ones wait in order up to a limit, then reading pauses (RFC 9112 9.3.2).
`protocol.pyx` is the reading half, `timed.pyx` looks at the time.
"""

import asyncio
import os
import sys

from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE

from brrtrouter.core.clock cimport Clock, Watched
from brrtrouter.core.request cimport Request
from brrtrouter.core.response cimport Response, encode_response, has_no_body, stream_head, switch_head
from brrtrouter.core.service cimport Service
from brrtrouter.core.stream cimport STREAM_HIGH, BodyStream

from brrtrouter.core.peer import Peer
from brrtrouter.errors import BodyStreamError

cdef enum:
    OUT_BYTES = 65536      # of answers that are gathered for one write

cdef bint EAGER_TASKS = sys.version_info >= (3, 12)


class ClientGone(Exception):
    """Nobody reads the rest of a stream."""


cdef class Endpoint(Clock):
    """What all connections of one listener share.

    `service` may be replaced at any time: a request keeps the service it was matched with, its limits hold from the
    next tick of the clock on.  With `draining` set every answer closes its connection.
    """

    def drain(self, drained):
        """Let every connection end after the answers that are under way; `drained` is a future set after the last."""
        self.draining = True
        self.drained = drained
        for connection in list(self.connections):
            (<Connection>connection).drain()
        self.forget(None)

    def forget(self, connection):
        """A connection is gone."""
        Clock.forget(self, connection)
        if self.drained is not None and not self.connections and not self.drained.done():
            self.drained.set_result(None)

    def peer(self, transport, known=None):
        """The Peer that the requests of a new connection come from; `known` is what its protocol was made with."""
        if known is not None:
            return known
        address = transport.get_extra_info("peername")
        return Peer(tuple(address[:2]) if isinstance(address, tuple) else None)

    def abort(self):
        """Cut every connection."""
        for connection in list(self.connections):
            (<Connection>connection).cut()


cdef class Connection(Watched):
    """What a connection does with the requests that were read from it."""

    # -- what the reading half does; Cython knows no abstract methods, so that the places are filled here

    cdef int consume(self, bytes data) except -1:
        """Read messages from bytes."""
        raise NotImplementedError

    cdef int refuse(self, int status, str detail, Request request=None) except -1:
        """Answer with a problem after the answers that are pending, and read no further."""
        raise NotImplementedError

    # -- the flow of bytes

    def pause_writing(self):
        self.writing_paused = True

    def resume_writing(self):
        self.writing_paused = False
        if self.upgraded is not None:
            self.upgraded.writable()
        self.wake()
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
            self.gather(b"HTTP/1.1 100 Continue\r\n\r\n")
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
            self.gather(b"HTTP/1.1 100 Continue\r\n\r\n")
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
        if self.is_last():
            request.keep_alive = False
        result = service.handle(request)
        if type(result) is bytes:
            self.upgrading = False
            return self.send(<bytes>result, not request.keep_alive)
        if request.suspended:
            self.working = request
            self.asked = self.endpoint.now
            result = self.finish_later(request, service, result)
        else:
            result = self.send_later(request, result)
        self.answering = request
        self.start_task(result)
        return 0

    def start_task(self, coroutine):
        self.task = coroutine  # an eager task may end before it is known here
        task = new_task(self.endpoint.loop, coroutine)
        if self.task is coroutine:
            self.task = task

    async def finish_later(self, Request request, Service service, coroutine):
        """Await a result that takes time and send it, unless the client was told meanwhile that it took too long."""
        try:
            result = await coroutine
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            late = self.working is not request
            if (late or self.transport is None) and isinstance(error, asyncio.CancelledError):
                if not late:
                    self.endpoint.orphans.discard(self)
                    service.count_end(request, 0)
                return
            result = service.failure(request)
        if self.working is not request:
            await self.close_items(request, getattr(result, "body", None))
            return
        self.working = None
        if self.transport is None:
            self.endpoint.orphans.discard(self)
        if self.is_last():
            request.keep_alive = False
        if request.stream_ is not None:
            request.stream_.answered = True
        result = service.finish(request, result)
        if type(result) is bytes:
            self.conclude(request, <bytes>result)
        else:
            await self.send_later(request, result)

    async def send_later(self, Request request, result):
        """Send an answer that is not whole yet: a stream, or a coroutine for one or for bytes."""
        if not isinstance(result, Response):
            try:
                result = await result
            except asyncio.CancelledError:
                (<Service>request.service).count_end(request, 0)
                if self.transport is not None:
                    self.task = None
                    self.cut()
                return
        if type(result) is bytes:
            self.conclude(request, <bytes>result)
        elif (<Response>result).status == 101 and self.upgrading:
            await self.switch(request, result)
        else:
            await self.send_stream(request, result)

    async def switch(self, Request request, Response response):
        """Give the connection to another protocol (RFC 9110 section 7.8): `response.body`, until its `run` returns.

        A session has `run(connection, data)`, with the bytes that came behind the request, and is told of what
        happens: `received(data)`, `writable()`, `lost()`.
        """
        cdef Service service = <Service>request.service
        session = response.body
        request.keep_alive = True
        try:
            head = switch_head(request, response)
        except Exception:
            request.keep_alive = False
            failure = encode_response(request, service.failure(request))
            service.count_answer(request, failure)
            self.conclude(request, failure)
            return
        before = self.written
        service.count_head(request, 101, PyBytes_GET_SIZE(head))
        rest, self.rest = self.rest, None
        self.held = False
        self.upgraded = session
        self.gather(head)
        self.flush()
        self.body_taken()
        try:
            await session.run(self, rest or b"")
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            if self.transport is not None or not isinstance(error, asyncio.CancelledError):
                service.log_error(request)
        self.upgraded = None
        request.keep_alive = False
        service.count_end(request, max(self.written - before - PyBytes_GET_SIZE(head), 0))
        self.conclude(request, b"")

    async def send_stream(self, Request request, Response response):
        """Send the items of a body as they come; a failure cuts the connection, so that it is not taken for the end."""
        cdef Service service = <Service>request.service
        cdef bint bodiless = has_no_body(response.status)
        cdef long long before
        items = response.body
        length = None if bodiless else getattr(items, "content_length", None)
        cdef bint chunked = request.http_minor == 1 and not bodiless and length is None
        if request.stream_ is not None:
            request.stream_.answered = True
        if not chunked and not bodiless and length is None:
            request.keep_alive = False
        try:
            head = stream_head(request, response, chunked, -1 if length is None else length)
        except Exception:
            failure = encode_response(request, service.failure(request))
            service.count_answer(request, failure)
            await self.close_items(request, items)
            self.conclude(request, failure)
            return
        tail = None
        service.count_head(request, response.status, PyBytes_GET_SIZE(head))
        self.flush()
        before = self.written + self.direct_bytes + PyBytes_GET_SIZE(head)
        try:
            if request.is_head or bodiless:
                await self.write_now(head)
            elif hasattr(items, "send_to"):
                await items.send_to(self, head)
            else:
                await self.write_now(head)
                await self.send_items(items, chunked, length)
            tail = b"0\r\n\r\n" if chunked and not request.is_head else b""
        except ClientGone:
            pass
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            if self.transport is not None or not isinstance(error, asyncio.CancelledError):
                service.log_error(request)
        service.count_end(
            request, max(self.written + self.direct_bytes - before, 0) + (0 if tail is None else len(<bytes>tail)))
        await self.close_items(request, items)
        if tail is None:
            self.task = None
            self.cut()
        else:
            self.conclude(request, <bytes>tail)

    async def send_items(self, items, bint chunked, length):
        """Send the items of a stream; of one that has said its length neither more nor less."""
        sent = 0
        async for item in items:
            data = item.encode() if isinstance(item, str) else bytes(memoryview(item))
            sent += len(data)
            if length is not None and sent > length:
                break
            if data:
                await self.write_now(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        if length is not None and sent != length:
            raise ValueError(f"a stream has not the {length} bytes that it has announced")

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
        self.answering = None
        self.upgrading = False
        self.since = self.endpoint.now
        if self.transport is None:
            return 0
        self.send(data, not request.keep_alive or self.is_last())
        if not self.consuming:
            self.flush()
            self.resume()
        return 0

    async def write_now(self, bytes data):
        """Write and wait while the client reads too slowly; ClientGone when nobody reads any more."""
        if self.write_soon(data):
            await self.until_woken()

    def write_soon(self, bytes data):
        """Write and do not wait; whether the client reads too slowly.  ClientGone when nobody reads any more."""
        self.flush()
        if self.transport is None or self.transport.is_closing():
            raise ClientGone
        self.write(data)
        self.written += PyBytes_GET_SIZE(data)
        self.unsent = True
        return self.writing_paused

    def stop_reading(self):
        """Let what comes wait in the system, until `body_taken`; for sessions of other protocols."""
        if self.transport is not None:
            self.pause_reading()

    async def until_woken(self):
        """Wait until `writable` is set: by the transport, by the system, or by the end of the connection."""
        self.writable = self.endpoint.loop.create_future()
        try:
            await self.writable
        finally:
            self.writable = None

    def wake(self):
        """Let the task that writes go on."""
        if self.writable is not None and not self.writable.done():
            self.writable.set_result(None)

    # -- past the transport

    async def own_socket(self):
        """A duplicate of the socket, for the caller to close, once all bytes before are out.

        None where bytes have to go through the transport: with TLS, and in memory.
        """
        self.flush()
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ClientGone
        sock = transport.get_extra_info("socket")
        if sock is None or transport.get_extra_info("sslcontext") is not None:
            return None
        if transport.get_write_buffer_size():
            transport.set_write_buffer_limits(0)  # so that writing is paused until the buffer is empty
            while self.writing_paused:
                await self.until_woken()
            transport.set_write_buffer_limits()
        return os.dup(sock.fileno())

    async def until_writable(self, int descriptor):
        """Wait until the socket of `own_socket` has room."""
        loop = self.endpoint.loop
        self.unsent = True
        loop.add_writer(descriptor, self.wake)
        try:
            await self.until_woken()
        finally:
            loop.remove_writer(descriptor)

    async def next_turn(self):
        """Let other connections have their turn."""
        await asyncio.sleep(0)
        if self.transport is None or self.transport.is_closing():
            raise ClientGone

    cdef int gather(self, bytes data) except -1:
        """Put bytes out with the next write."""
        if self.first is None:
            self.first = data
        else:
            self.out.append(data)
        self.out_size += PyBytes_GET_SIZE(data)
        return 0

    cdef int send(self, bytes data, bint last) except -1:
        """Put an answer out; after the last one the connection ends."""
        self.gather(data)
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
        cdef bytes data = self.first
        if self.transport is None:
            self.first = None
            self.out.clear()
            return 0
        if data is not None:
            if PyList_GET_SIZE(self.out) != 0:
                self.out.insert(0, data)
                data = b"".join(self.out)
                self.out.clear()
            self.first = None
            self.written += self.out_size
            self.out_size = 0
            self.unsent = True
            self.write(data)
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

    cdef int forget_known(self) except -1:
        self.known = None
        self.known_request = None
        self.known_again = False
        return 0

    cdef bint is_idle(self):
        return self.task is None and not self.waiting and self.reading is None and self.first is None

    cdef bint is_last(self):
        """Whether the next answer is the last one, whatever the client asks for."""
        return self.endpoint.draining or self.aged

    cdef int end(self) except -1:
        """Lingering close (RFC 9112 9.6): finish our side, drop what still comes, so that no reset eats the answer.

        The clock sees when everything is sent, and when the client then had its moment to read it and to close.
        """
        if self.transport is None or self.transport.is_closing():
            return 0
        if self.eof or not self.transport.can_write_eof():
            self.transport.close()
            return 0
        self.ending = True
        self.since = self.endpoint.now
        self.transport.write_eof()
        if self.reading_paused:
            self.reading_paused = False
            self.transport.resume_reading()
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
