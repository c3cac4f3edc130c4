"""`HttpProtocol`: bytes of one connection in, bytes out, in order.

Two readers look at every message.  csrc indexes the head and finds where the message ends; llhttp (httptools) is fed
exactly these bytes and must report exactly one complete message at their end.  When the two disagree the answer is 400
and the connection is closed: a defence against request smuggling (RFC 9112 section 11.2).  No header callback is ever
defined, because calling Python for each field costs more than parsing does.

One request is answered at a time; pipelined ones wait in order up to a limit, then reading pauses (RFC 9112 9.3.2).
"""

import asyncio
import sys
from collections import deque

import httptools

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from brrtrouter.core.csrc cimport (
    BRRT_FIELD_UPGRADE,
    BRRT_HEAD_CHUNKED,
    BRRT_HEAD_EXPECT_CONTINUE,
    BRRT_HEAD_EXPECT_OTHER,
    BRRT_HEAD_HAS_LENGTH,
    BRRT_HEAD_HAS_UPGRADE,
    BRRT_OK,
    BRRT_PARTIAL,
    brrt_chunked_read,
    brrt_head,
    brrt_head_find,
    brrt_head_index,
    brrt_head_skip,
    brrt_status,
    brrt_status_http,
    brrt_status_text,
)
from brrtrouter.core.request cimport Request
from brrtrouter.core.response cimport Response, encode_response, has_no_body, stream_head
from brrtrouter.core.service cimport Operation, Service

from brrtrouter.core.response import problem_response

cdef enum:
    # Dropped after the last answer before the connection is cut: what a client sends of a refused body before it reads.
    LINGER_BYTES = 16 * 1024 * 1024
    LINGER_SECONDS = 2     # after the last byte was sent
    OUT_BYTES = 65536      # of answers that are gathered for one write
    HEADS_PER_TICK = 64    # requests of one connection before the others have their turn

cdef bint EAGER_TASKS = sys.version_info >= (3, 12)
cdef object HttpRequestParser = httptools.HttpRequestParser
cdef object HttpParserError = httptools.HttpParserError
cdef object HttpParserUpgrade = httptools.HttpParserUpgrade
cdef object HttpParserInvalidMethodError = httptools.HttpParserInvalidMethodError

# Which problem a status is; the detail comes from the status list of csrc.
cdef dict SLUGS = {
    400: "bad-request",
    413: "request-body-too-large",
    414: "uri-too-long",
    417: "expectation-failed",
    431: "headers-too-large",
    501: "not-implemented",
    505: "version-not-supported",
}


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
            (<HttpProtocol>connection).drain()
        self.forget(None)

    def forget(self, connection):
        """A connection is gone."""
        self.connections.discard(connection)
        if self.drained is not None and not self.connections and not self.drained.done():
            self.drained.set_result(None)

    def abort(self):
        """Cut every connection."""
        for connection in list(self.connections):
            (<HttpProtocol>connection).cut()


cdef class HttpProtocol:
    """An asyncio protocol for one connection."""

    def __init__(self, Endpoint endpoint not None):
        self.endpoint = endpoint
        self.out = []
        self.waiting = deque()
        self.phase = HEAD

    # -- events of the transport

    def connection_made(self, transport):
        peer = transport.get_extra_info("peername")
        self.client = tuple(peer[:2]) if isinstance(peer, tuple) else None
        self.transport = transport
        self.parser = HttpRequestParser(self)
        self.endpoint.connections.add(self)
        if self.endpoint.draining:
            transport.close()

    def connection_lost(self, exc):
        self.endpoint.forget(self)
        if self.linger_timer is not None:
            self.linger_timer.cancel()
        if self.writable is not None and not self.writable.done():
            self.writable.set_exception(ClientGone())
        self.phase = CLOSING
        self.waiting.clear()
        self.transport = None
        self.parser = None  # it holds bound methods of this object: a cycle
        self.reading = None
        self.rest = None

    def data_received(self, bytes data):
        if self.phase == CLOSING:
            if not self.ending:
                self.pause_reading()  # the answers before the last one are still to be sent
                return
            self.dropped += PyBytes_GET_SIZE(data)
            if self.dropped > LINGER_BYTES:
                self.cut()
            return
        if self.rest is not None:
            data = self.rest + data
            self.rest = None
        self.consume(data)

    def eof_received(self):
        """The client will send no more: answers under way are still sent, then the connection is closed."""
        self.eof = True
        if self.task is None and not self.waiting:
            return False
        self.phase = CLOSING
        return True

    def pause_writing(self):
        self.writing_paused = True

    def resume_writing(self):
        self.writing_paused = False
        if self.writable is not None and not self.writable.done():
            self.writable.set_result(None)
        if self.ending:
            self.linger()
        self.resume()

    # -- events of the judge

    def on_body(self, bytes data):
        self.body_length += PyBytes_GET_SIZE(data)
        if self.drop_body:
            return
        if self.content is None:
            self.content = data
        elif type(self.content) is bytes:
            # Not a list of pieces: those of a chunked body may be so small that each costs more than it holds.
            self.content = bytearray(self.content) + data
        else:
            self.content += data

    def on_message_complete(self):
        self.completed += 1

    # -- reading

    cdef int consume(self, bytes data) except -1:
        """Read messages until the bytes are used up, an error ends the connection, or too many requests wait."""
        cdef Py_ssize_t at = 0, length = PyBytes_GET_SIZE(data), used
        cdef int heads = 0
        self.consuming = True
        while at < length and self.phase != CLOSING:
            if self.phase == HEAD:
                if heads == HEADS_PER_TICK or self.writing_paused or (
                        len(self.waiting) >= self.endpoint.service.max_pipeline):
                    self.hold(data[at:], heads == HEADS_PER_TICK)
                    break
                heads += 1
                used = self.read_head(data, at)
            elif self.phase == LENGTH:
                used = self.read_length(data, at)
            else:
                used = self.read_chunked(data, at)
            if used == 0:
                break
            at += used
        self.consuming = False
        return self.flush()

    cdef int hold(self, bytes rest, bint briefly) except -1:
        """Read no more until answers are sent, or, `briefly`, until other connections had their turn."""
        self.rest = rest
        self.searched = 0
        self.held = True
        self.pause_reading()
        if briefly:
            self.endpoint.loop.call_soon(self.go_on)
        return 0

    cdef int pause_reading(self) except -1:
        if not self.reading_paused:
            self.reading_paused = True
            self.transport.pause_reading()
        return 0

    def go_on(self):
        """Use bytes that were held."""
        self.resume()

    cdef Py_ssize_t read_head(self, bytes data, Py_ssize_t at) except -1:
        """Read one head; the bytes used, 0 when it is not complete or was refused."""
        cdef const char *base = PyBytes_AS_STRING(data) + at
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data) - at
        cdef Py_ssize_t skip
        cdef uint32_t head_length = 0
        cdef size_t where = 0
        cdef brrt_head head
        cdef brrt_status status
        cdef Service service = self.endpoint.service
        cdef Request request
        cdef bytes owner
        if self.searched == 0:
            skip = brrt_head_skip(base, length)
            if skip != 0:
                return skip
            if length == 1 and base[0] == c"\r":
                self.rest = data[at:]
                return 0
        status = brrt_head_find(base, length, self.searched, &service.head_limits, &head_length)
        if status == BRRT_PARTIAL:
            self.rest = data if at == 0 else data[at:]
            self.searched = length
            return 0
        self.searched = 0
        if status == BRRT_OK:
            status = brrt_head_index(base, head_length, &service.head_limits, &head, &where)
        if status != BRRT_OK:
            self.refuse(brrt_status_http(status), brrt_status_text(status).decode())
            return 0
        owner = data if at == 0 and head_length == length else data[at:at + head_length]
        self.completed = 0
        self.body_length = 0
        if not self.judge(without_upgrade(owner, &head) if head.flags & BRRT_HEAD_HAS_UPGRADE else owner):
            return 0
        request = Request.__new__(Request)
        request.adopt(owner, 0, &head)
        request.client_ = self.client
        self.begin(request, owner, head.flags, head.content_length)
        return head_length

    cdef bint judge(self, object data) except -1:
        """Feed the judge; False when it refused and the connection is ending."""
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade:
            # After a CONNECT, whose message ends where these bytes end.
            self.parser = HttpRequestParser(self)
        except HttpParserInvalidMethodError:
            self.refuse(501, "the method is not known to this server")
            return False
        except HttpParserError as error:
            self.refuse(400, str(error) or "the request is malformed")
            return False
        return True

    cdef int begin(self, Request request, bytes head, uint32_t flags, uint64_t content_length) except -1:
        """Decide what the head can decide: route, expectations, size."""
        cdef Service service = self.endpoint.service
        cdef bint has_body = flags & BRRT_HEAD_CHUNKED or (flags & BRRT_HEAD_HAS_LENGTH and content_length != 0)
        cdef Operation operation
        if self.completed != (0 if has_body else 1):
            return self.refuse(400, "the end of the message is in doubt")
        if flags & BRRT_HEAD_EXPECT_OTHER:
            return self.refuse(417, "the only expectation understood is 100-continue", request)
        service.route(request)
        request.service = service
        if not has_body:
            return self.submit(request)
        self.body_limit = service.max_body
        if request.operation is not None and (<Operation>request.operation).max_body >= 0:
            self.body_limit = (<Operation>request.operation).max_body
        if flags & BRRT_HEAD_HAS_LENGTH and content_length > <uint64_t>self.body_limit:
            if request.operation is None:
                return self.answer_unread(request)
            return self.refuse(413, f"the body has {content_length} bytes, the limit is {self.body_limit}", request)
        if flags & BRRT_HEAD_EXPECT_CONTINUE:
            if request.operation is None:
                return self.answer_unread(request)
            self.owes_continue = True
        self.reading = request
        self.drop_body = request.operation is None
        self.left = content_length
        self.phase = LENGTH
        if flags & BRRT_HEAD_CHUNKED:
            self.phase = CHUNKED
            memset(&self.chunked, 0, sizeof(self.chunked))
            self.chunked.extension_limit = service.chunk_extension_limit
            self.chunked.trailer_limit = service.trailer_limit
        return self.ask_for_body()

    cdef int answer_unread(self, Request request) except -1:
        """Say what is wrong with the route before a body that nobody will read, and end the connection."""
        request.keep_alive = False
        self.phase = CLOSING
        return self.submit(request)

    cdef int ask_for_body(self) except -1:
        """Send the 100 that a client waits for (RFC 9110 10.1.1), once all answers before it are sent."""
        if self.owes_continue and self.task is None and not self.waiting:
            self.owes_continue = False
            self.out.append(b"HTTP/1.1 100 Continue\r\n\r\n")
        return 0

    cdef Py_ssize_t read_length(self, bytes data, Py_ssize_t at) except -1:
        cdef Py_ssize_t take = PyBytes_GET_SIZE(data) - at
        if <uint64_t>take > self.left:
            take = <Py_ssize_t>self.left
        if not self.judge(data if at == 0 and take == PyBytes_GET_SIZE(data) else data[at:at + take]):
            return 0
        self.left -= take
        if self.completed != (1 if self.left == 0 else 0):
            self.refuse(400, "the end of the message is in doubt")
            return 0
        if self.left == 0:
            self.message_done()
        return take

    cdef Py_ssize_t read_chunked(self, bytes data, Py_ssize_t at) except -1:
        cdef size_t used = 0
        cdef brrt_status status = brrt_chunked_read(
            &self.chunked, PyBytes_AS_STRING(data) + at, PyBytes_GET_SIZE(data) - at, &used)
        # In this order, so that the answer does not depend on how the bytes were cut into pieces.
        if self.chunked.total > <uint64_t>self.body_limit:
            self.refuse(413, f"the body has more than {self.body_limit} bytes", self.reading)
            return 0
        if status != BRRT_OK and status != BRRT_PARTIAL:
            self.refuse(brrt_status_http(status), brrt_status_text(status).decode(), self.reading)
            return 0
        if not self.judge(data[at:at + <Py_ssize_t>used]):
            return 0
        if self.completed != (1 if status == BRRT_OK else 0) or (
                status == BRRT_OK and <uint64_t>self.body_length != self.chunked.total):
            self.refuse(400, "the end of the message is in doubt")
            return 0
        if status == BRRT_OK:
            self.message_done()
        return used

    cdef int message_done(self) except -1:
        cdef Request request = self.reading
        request.raw_body = b"" if self.content is None else bytes(self.content)
        self.content = None
        self.reading = None
        self.owes_continue = False
        self.drop_body = False
        self.phase = HEAD
        return self.submit(request)

    cdef int refuse(self, int status, str detail, Request request=None) except -1:
        """Answer with a problem after the answers that are pending, and read no further.

        `request` is None when its head could not be read.
        """
        if request is None:
            request = Request.__new__(Request)
            request.http_minor = 1
        request.keep_alive = False
        self.phase = CLOSING
        self.reading = None
        self.rest = None
        self.held = False
        self.content = None
        return self.submit(encode_response(request, problem_response(SLUGS[status], detail)))

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
        if self.reading_paused and not self.held and self.transport is not None:
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


cdef bytes without_upgrade(bytes head_bytes, const brrt_head *head):
    """The same head for the judge, with every Upgrade field under another name.

    This server never changes the protocol, but the judge would take the message to end with its head.
    """
    cdef bytes renamed = PyBytes_FromStringAndSize(PyBytes_AS_STRING(head_bytes), PyBytes_GET_SIZE(head_bytes))
    cdef uint32_t i
    for i in range(head.count):
        if head.fields[i].id == BRRT_FIELD_UPGRADE:
            PyBytes_AS_STRING(renamed)[head.fields[i].name_off] = c"x"
    return renamed


cdef object new_task(loop, coroutine):
    if EAGER_TASKS:
        return asyncio.Task(coroutine, loop=loop, eager_start=True)
    return loop.create_task(coroutine)
