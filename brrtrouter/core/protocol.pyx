"""`HttpProtocol`: the bytes of one connection become requests; `connection.pyx` answers them.

Two readers look at every message.  csrc indexes the head and finds where the message ends; llhttp (httptools) is fed
exactly these bytes and must report exactly one complete message at their end.  When the two disagree the answer is 400
and the connection is closed: a defence against request smuggling (RFC 9112 section 11.2).  No header callback is ever
defined, because calling Python for each field costs more than parsing does.
"""

from collections import deque

import httptools

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp, memset

from brrtrouter.core.connection cimport BETWEEN, CHUNKED, CLOSING, HEAD, LENGTH, PARTIAL, Endpoint
from brrtrouter.core.csrc cimport (
    BRRT_FIELD_TRANSFER_ENCODING,
    BRRT_FIELD_UPGRADE,
    BRRT_HEAD_CHUNKED,
    BRRT_HEAD_EXPECT_CONTINUE,
    BRRT_HEAD_EXPECT_OTHER,
    BRRT_HEAD_HAS_LENGTH,
    BRRT_HEAD_HAS_UPGRADE,
    BRRT_HEAD_LATER_MINOR,
    BRRT_HEAD_UPGRADE,
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
from brrtrouter.core.response cimport encode_response
from brrtrouter.core.service cimport Operation, Service
from brrtrouter.core.stream cimport STREAM_HIGH, BodyStream
from brrtrouter.core.timed cimport TimedConnection

from brrtrouter.core.connection import ClientGone
from brrtrouter.core.response import problem_response

cdef enum:
    KNOWN_BYTES = 2048     # of a message whose head is remembered
    HEADS_PER_TICK = 64    # requests of one connection before the others have their turn
    # Heads that llhttp may not know as what they are, see for_judge.
    RESPELLED = BRRT_HEAD_HAS_UPGRADE | BRRT_HEAD_LATER_MINOR | BRRT_HEAD_CHUNKED
    # What decides whether head and body may be read in one step, see read_whole: a length and nothing else.
    FRAMING = RESPELLED | BRRT_HEAD_HAS_LENGTH | BRRT_HEAD_EXPECT_CONTINUE | BRRT_HEAD_EXPECT_OTHER

cdef object HttpRequestParser = httptools.HttpRequestParser
cdef object HttpParserError = httptools.HttpParserError
cdef object HttpParserUpgrade = httptools.HttpParserUpgrade
cdef object HttpParserInvalidMethodError = httptools.HttpParserInvalidMethodError

# Which problem a status is; the detail comes from the status list of csrc.
cdef dict SLUGS = {
    400: "bad-request",
    408: "request-timeout",
    413: "request-body-too-large",
    414: "uri-too-long",
    417: "expectation-failed",
    431: "headers-too-large",
    501: "not-implemented",
    505: "version-not-supported",
}


cdef class HttpProtocol(TimedConnection):
    """An asyncio protocol for one connection.

    peer: what is known of the other end before there is a transport; the endpoint has the last word.
    """

    def __init__(self, Endpoint endpoint not None, peer=None):
        self.endpoint = endpoint
        self.client = peer
        self.out = []
        self.waiting = deque()
        self.phase = HEAD
        self.sent = -1

    # -- events of the transport

    def connection_made(self, transport):
        self.client = self.endpoint.peer(transport, self.client)
        self.transport = transport
        self.write = transport.write
        self.new_judge()
        self.opened = self.since = self.endpoint.now
        self.endpoint.admit(self)
        if self.endpoint.service.meter is not None:
            self.endpoint.service.meter.connected()
        if self.endpoint.drained is not None:
            transport.close()

    def connection_lost(self, exc):
        if self.working is not None:
            self.endpoint.orphans.add(self)
        self.endpoint.forget(self)
        if self.endpoint.service.meter is not None:
            self.endpoint.service.meter.disconnected()
        if self.writable is not None and not self.writable.done():
            self.writable.set_exception(ClientGone())
        self.fail_stream("bad-request", "the client has gone")
        if self.answering is not None:
            self.answering.tell_gone()
            self.answering = None
        if self.upgraded is not None:
            self.upgraded.lost()
        self.phase = CLOSING
        self.waiting.clear()
        self.transport = self.write = None
        self.parser = self.feed = None  # they hold bound methods of this object: a cycle
        self.reading = None
        self.rest = None
        self.forget_known()

    def data_received(self, bytes data):
        if self.upgraded is not None:
            self.upgraded.received(data)
            return
        if self.phase == CLOSING:
            if not self.ending:
                self.pause_reading()  # the answers before the last one are still to be sent
                return
            self.dropped += PyBytes_GET_SIZE(data)
            if self.dropped > self.endpoint.linger_size:
                self.cut()
            return
        if self.rest is not None:
            data = self.rest + data
            self.rest = None
        self.consume(data)

    def eof_received(self):
        """The client will send no more: answers under way are still sent, then the connection is closed."""
        self.eof = True
        self.fail_stream("bad-request", "the body ends too early")
        if self.upgraded is not None or (self.task is None and not self.waiting):
            return False
        if self.answering is not None and self.answering.gone_at_eof:
            return False
        self.phase = CLOSING
        return True

    # -- events of the judge

    def on_body(self, bytes data):
        self.body_length += PyBytes_GET_SIZE(data)
        if self.drop_body:
            return
        if self.stream is not None:
            self.stream.feed(data)
            if self.stream.buffered > STREAM_HIGH:
                self.pause_reading()
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

    cdef int new_judge(self) except -1:
        self.parser = HttpRequestParser(self)
        self.feed = self.parser.feed_data
        return 0

    cdef int consume(self, bytes data) except -1:
        """Read messages until the bytes are used up, an error ends the connection, or too many requests wait."""
        cdef Py_ssize_t at = 0, length = PyBytes_GET_SIZE(data), used
        cdef int heads = 0
        self.consuming = True
        while at < length and self.phase != CLOSING:
            if self.phase == HEAD:
                if heads == HEADS_PER_TICK or self.writing_paused or self.upgrading or (
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
        cdef Py_ssize_t message_length
        if self.known is not None and self.searched == 0:
            skip = self.read_known(data, at)
            if skip != 0:
                return skip
        if self.searched == 0:
            skip = brrt_head_skip(base, length)
            if skip != 0:
                return skip
            if length == 1 and base[0] == c"\r":
                self.rest = data[at:]
                self.wait_for_head()
                return 0
        status = brrt_head_find(base, length, self.searched, &service.head_limits, &head_length)
        if status == BRRT_PARTIAL:
            self.rest = data if at == 0 else data[at:]
            self.searched = length
            self.wait_for_head()
            return 0
        self.searched = 0
        if status == BRRT_OK:
            status = brrt_head_index(base, head_length, &service.head_limits, &head, &where)
        if status != BRRT_OK:
            self.refuse(brrt_status_http(status), brrt_status_text(status).decode())
            return 0
        self.completed = 0
        self.body_length = 0
        message_length = head_length
        if head.flags & FRAMING == BRRT_HEAD_HAS_LENGTH and head.content_length <= <uint64_t>(length - head_length):
            message_length += <Py_ssize_t>head.content_length
        if at == 0 and message_length == length:
            owner = data
        else:
            owner = PyBytes_FromStringAndSize(base, head_length)
        request = Request.__new__(Request)
        request.adopt(owner, head_length, &head)
        request.client_ = self.client
        request.ids = service.request_ids
        request.fixed = service.fixed
        if message_length != head_length and self.takes_whole(request, service, head.content_length):
            return self.read_whole(request, data, at, message_length)
        if not self.judge_head(owner, head_length, &head, service.odd_methods):
            return 0
        self.begin(request, head.flags, head.content_length)
        return head_length

    cdef Py_ssize_t read_known(self, bytes data, Py_ssize_t at) except -1:
        """Read a message whose head is that of the message before, byte by byte; the bytes used, 0 for any other.

        Both readers and the matcher have no memory: what they found in these bytes they would find again.  Neither of
        them looks into a body of known length.
        """
        cdef const char *base = PyBytes_AS_STRING(data) + at
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data) - at
        cdef Request request
        if length < self.known_length or memcmp(base, PyBytes_AS_STRING(self.known), self.known_length) != 0:
            return 0
        if self.known_request is None or self.known_request.service is not self.endpoint.service:
            self.known_again = True
            return 0
        if length < self.known_length + self.known_body:
            return 0
        request = self.known_request.repeated()
        if self.known_body != 0:
            request.raw_body = PyBytes_FromStringAndSize(base + self.known_length, self.known_body)
        self.stage = BETWEEN
        self.since = self.endpoint.now
        self.submit(request)
        return self.known_length + self.known_body

    cdef int learn(self, Request request, Py_ssize_t body_length) except -1:
        """Remember the head of a whole message that was found to be good, before it is answered."""
        cdef bint again = self.known_again
        self.known_again = False
        if again:
            if request.repeatable():
                self.known_request = request.repeated()
                self.known_request.find_id()
                self.known_request.id_is_new = self.known_request.id_at == self.known_request.new_id
            return 0
        self.known_request = None
        if (PyBytes_GET_SIZE(request.head) > KNOWN_BYTES or not request.keep_alive or request.operation is None
                or (<Operation>request.operation).index < 0 or (<Operation>request.operation).stream_body):
            self.known = None
            return 0
        self.known = request.head
        self.known_length = request.head_length
        self.known_body = body_length
        return 0

    cdef bint takes_whole(self, Request request, Service service, uint64_t content_length) except -1:
        """Whether a body that has come with its head is taken as it is, once its route is known."""
        cdef Py_ssize_t limit = service.max_body
        cdef Operation operation
        if service.odd_methods is not None:
            return False
        service.route(request)
        request.service = service
        if request.operation is None:
            return False
        operation = <Operation>request.operation
        if operation.max_body >= 0:
            limit = operation.max_body
        return content_length <= <uint64_t>limit and not operation.stream_body

    cdef Py_ssize_t read_whole(self, Request request, bytes data, Py_ssize_t at, Py_ssize_t length) except -1:
        """Read a head and its body in one step: the judge is asked once and has to find the same one message.

        Only for what would be taken in two steps as well: see `begin`.
        """
        self.stage = BETWEEN
        self.since = self.endpoint.now
        if not self.judge(piece_of(data, at, length), True):
            return 0
        if self.completed != 1 or self.body_length != length - request.head_length:
            self.refuse(400, "the end of the message is in doubt")
            return 0
        request.raw_body = self.take_content()
        self.learn(request, length - request.head_length)
        self.submit(request)
        return length

    cdef bytes take_content(self):
        """The body that the judge has reported."""
        content, self.content = self.content, None
        return <bytes>content if type(content) is bytes else b"" if content is None else bytes(content)

    cdef int wait_for_head(self) noexcept:
        """A part of a head has come: its time runs from the first one."""
        if self.stage == BETWEEN:
            self.stage = PARTIAL
            self.since = self.endpoint.now
        return 0

    cdef bint judge_head(self, bytes owner, Py_ssize_t length, const brrt_head *head, frozenset odd_methods) except -1:
        """Let the judge see the head at the beginning of `owner`, spelled as it knows it."""
        cdef bytes judged = piece_of(owner, 0, length)
        if head.flags & RESPELLED:
            judged = for_judge(judged, head)
        if odd_methods is not None:
            judged = with_known_method(judged, head, odd_methods)
        return self.judge(judged, True)

    cdef bint judge(self, object data, bint is_head=False) except -1:
        """Feed the judge; False when it refused and the connection is ending.

        `is_head`: the bytes are a whole head.  A judge may refuse it unseen, having taken a field that says nothing
        here, Proxy-Connection or one in a trailer section, for the end of the connection: then a new judge looks.
        """
        try:
            self.feed(data)
        except HttpParserUpgrade:
            # After a CONNECT, whose message ends where these bytes end.
            self.new_judge()
        except HttpParserInvalidMethodError:
            self.refuse(501, "the method is not known to this server")
            return False
        except HttpParserError as error:
            if is_head and self.completed == 0 and self.body_length == 0:
                self.new_judge()
                return self.judge(data)
            self.refuse(400, str(error) or "the request is malformed")
            return False
        return True

    cdef int begin(self, Request request, uint32_t flags, uint64_t content_length) except -1:
        """Decide what the head can decide: route, expectations, size."""
        cdef Service service = self.endpoint.service
        cdef bint has_body = flags & BRRT_HEAD_CHUNKED or (flags & BRRT_HEAD_HAS_LENGTH and content_length != 0)
        cdef Operation operation
        self.stage = BETWEEN
        self.since = self.endpoint.now
        if self.completed != (0 if has_body else 1):
            return self.refuse(400, "the end of the message is in doubt")
        if flags & BRRT_HEAD_EXPECT_OTHER:
            return self.refuse(417, "the only expectation understood is 100-continue", request)
        if request.service is None:
            service.route(request)
            request.service = service
        if not has_body:
            if flags & (RESPELLED | BRRT_HEAD_EXPECT_CONTINUE) == 0:
                self.learn(request, 0)
            if flags & BRRT_HEAD_UPGRADE and request.operation is not None:
                self.upgrading = (<Operation>request.operation).upgrades
            return self.submit(request)
        self.forget_known()
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
        self.body_seen = 0
        self.body_active = 0
        self.phase = LENGTH
        if flags & BRRT_HEAD_CHUNKED:
            self.phase = CHUNKED
            memset(&self.chunked, 0, sizeof(self.chunked))
            self.chunked.extension_limit = service.chunk_extension_limit
            self.chunked.trailer_limit = service.trailer_limit
        if request.operation is not None and (<Operation>request.operation).stream_body:
            return self.begin_stream(request)
        return self.ask_for_body()

    cdef int begin_stream(self, Request request) except -1:
        """Let the handler start; the connection is kept only when the body is whole before the answer is."""
        cdef BodyStream stream = BodyStream.__new__(BodyStream)
        stream.loop = self.endpoint.loop
        stream.source = self
        stream.keep_alive = request.keep_alive
        request.keep_alive = False
        request.stream_ = self.stream = stream
        return self.submit(request)

    cdef int answer_unread(self, Request request) except -1:
        """Say what is wrong with the route before a body that nobody will read, and end the connection."""
        request.keep_alive = False
        self.phase = CLOSING
        return self.submit(request)

    cdef Py_ssize_t read_length(self, bytes data, Py_ssize_t at) except -1:
        cdef Py_ssize_t take = PyBytes_GET_SIZE(data) - at
        self.since = self.endpoint.now
        if <uint64_t>take > self.left:
            take = <Py_ssize_t>self.left
        if not self.judge(piece_of(data, at, take)):
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
        self.since = self.endpoint.now
        # In this order, so that the answer does not depend on how the bytes were cut into pieces.
        if self.chunked.total > <uint64_t>self.body_limit:
            self.refuse(413, f"the body has more than {self.body_limit} bytes", self.reading)
            return 0
        if status != BRRT_OK and status != BRRT_PARTIAL:
            self.refuse(brrt_status_http(status), brrt_status_text(status).decode(), self.reading)
            return 0
        if not self.judge(piece_of(data, at, <Py_ssize_t>used)):
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
        cdef BodyStream stream = self.stream
        if stream is not None:
            self.stream = None
            self.reading = None
            self.owes_continue = False
            self.phase = HEAD
            if not stream.answered:
                request.keep_alive = stream.keep_alive
            return stream.finish()
        request.raw_body = self.take_content()
        self.reading = None
        self.owes_continue = False
        self.drop_body = False
        self.phase = HEAD
        return self.submit(request)

    cdef int refuse(self, int status, str detail, Request request=None) except -1:
        """Answer with a problem after the answers that are pending, and read no further.

        `request` is None when its head could not be read.  When the body is read in pieces its handler is told instead.
        """
        if self.stream is not None:
            self.rest = None
            return self.fail_stream(SLUGS[status], detail)
        if request is None:
            request = Request.__new__(Request)
            request.http_minor = 1
            request.ids = self.endpoint.service.request_ids
            request.fixed = self.endpoint.service.fixed
            request.client_ = self.client
        request.keep_alive = False
        self.phase = CLOSING
        self.reading = None
        self.rest = None
        self.held = False
        self.content = None
        answer = encode_response(request, problem_response(SLUGS[status], detail))
        self.endpoint.service.count_refusal(request, status, PyBytes_GET_SIZE(answer))
        return self.submit(answer)


cdef inline bytes piece_of(bytes data, Py_ssize_t at, Py_ssize_t length):
    """Some of the bytes, without a copy when it is all of them."""
    if length == PyBytes_GET_SIZE(data):
        return data
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + at, length)


cdef bytes for_judge(bytes head_bytes, const brrt_head *head):
    """The same head, of the same length, as the judge knows it.

    Every Upgrade field has another name: this server never changes the protocol, but the judge would take the message
    to end with its head.  A later minor version is HTTP/1.1 (RFC 9110 2.5).  Blanks after `chunked` are spaces.
    """
    cdef bytes spelled = PyBytes_FromStringAndSize(PyBytes_AS_STRING(head_bytes), PyBytes_GET_SIZE(head_bytes))
    cdef char *text = PyBytes_AS_STRING(spelled)
    cdef uint32_t i, at
    if head.flags & BRRT_HEAD_LATER_MINOR:
        text[head.target.off + head.target.len + 8] = c"1"
    for i in range(head.count):
        if head.fields[i].id == BRRT_FIELD_UPGRADE:
            text[head.fields[i].name_off] = c"x"
        elif head.fields[i].id == BRRT_FIELD_TRANSFER_ENCODING:
            at = head.fields[i].value_off + head.fields[i].value_len
            while text[at] == c"\t" or text[at] == c" ":
                text[at] = c" "
                at += 1
    return spelled


cdef bytes with_known_method(bytes head_bytes, const brrt_head *head, frozenset odd_methods):
    """The same head for the judge, with POST for a method of the service that the judge may not know.

    csrc has seen that the method is a token and where it ends.  Of all methods only CONNECT has a say in where a
    message ends (RFC 9112 section 6.3), and that one is no odd method.
    """
    if head_bytes[:head.method.len] not in odd_methods:
        return head_bytes
    return b"POST" + head_bytes[head.method.len:]
