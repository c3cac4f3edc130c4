"""`Exchange`: one request that another server has taken from the network, and its answer in parts.

The other server gives the parts of a head.  They are put together again and read by the same index as a head that our
own server has received, so that the same grammar and the same limits hold.  What comes out is not bytes but status,
header fields and body, for the other server to encode.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t

from brrtrouter.core.csrc cimport (
    BRRT_HEAD_CHUNKED,
    BRRT_HEAD_EXPECT_OTHER,
    BRRT_HEAD_HAS_LENGTH,
    BRRT_OK,
    BRRT_PARTIAL,
    brrt_head,
    brrt_head_find,
    brrt_head_index,
    brrt_status,
    brrt_status_http,
    brrt_status_text,
)
from brrtrouter.core.protocol cimport SLUGS
from brrtrouter.core.request cimport Request
from brrtrouter.core.response cimport Response, response_parts
from brrtrouter.core.service cimport Operation, Service
from brrtrouter.core.stream cimport BodyStream

from brrtrouter.core.response import problem_response
from brrtrouter.errors import BodyStreamError

# Later versions are told apart by nothing here; of HTTP/1.0 no Host and no expectations are asked.
cdef tuple VERSIONS = (b" HTTP/1.0\r\n", b" HTTP/1.1\r\n")


cdef class Exchange:
    """A request from its parts.

    method, target: as they stand in a request line.  minor: 0 for HTTP/1.0, 1 for every later version.  fields: a list
    of (name, value) in their order, as bytes.  peer: a `brrtrouter.core.peer.Peer`.

    `refusal` is a Response when the head decides that nothing will be walked; `request` may be empty then.  Else the
    body is to be given whole (`set_body`) or in pieces (`open_stream`), then `walk` gives the result.
    """

    def __init__(self, Service service not None, bytes method not None, bytes target not None, bint minor,
                 list fields not None, peer):
        cdef list lines = [method, b" ", target, VERSIONS[minor]]
        self.service = service
        for name, value in fields:
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"\r\n")
        self.read(b"".join(lines), method, target, fields, peer)

    cdef int read(self, bytes head, bytes method, bytes target, list fields, object peer) except -1:
        cdef brrt_head index
        cdef uint32_t length = 0
        cdef size_t where = 0
        cdef Py_ssize_t size = PyBytes_GET_SIZE(head)
        cdef brrt_status status = brrt_head_find(PyBytes_AS_STRING(head), size, 0, &self.service.head_limits, &length)
        if status == BRRT_OK:
            status = brrt_head_index(PyBytes_AS_STRING(head), length, &self.service.head_limits, &index, &where)
        self.request = Request.__new__(Request)
        self.request.ids = self.service.request_ids
        self.request.fixed = self.service.fixed
        self.request.client_ = peer
        if status != BRRT_OK and status != BRRT_PARTIAL:
            self.refusal = refused(brrt_status_http(status), brrt_status_text(status).decode())
            return 0
        if status == BRRT_PARTIAL or length != size or not as_given(&index, method, target, fields):
            self.refusal = problem_response("bad-request", "a part of the head holds what separates its parts")
            return 0
        self.request.adopt(head, length, &index)
        return self.begin(index.flags, index.content_length)

    cdef int begin(self, unsigned flags, unsigned long long content_length) except -1:
        """What the head can decide, as in `HttpProtocol.begin`."""
        cdef Request request = self.request
        if flags & BRRT_HEAD_EXPECT_OTHER:
            self.refusal = refused(417, "the only expectation understood is 100-continue")
            return 0
        self.service.route(request)
        request.service = self.service
        self.has_body = flags & BRRT_HEAD_CHUNKED or (flags & BRRT_HEAD_HAS_LENGTH and content_length != 0)
        self.body_limit = self.service.max_body
        if request.operation is None:
            return 0
        if (<Operation>request.operation).max_body >= 0:
            self.body_limit = (<Operation>request.operation).max_body
        if flags & BRRT_HEAD_HAS_LENGTH and content_length > <unsigned long long>self.body_limit:
            self.refusal = refused(413, f"the body has {content_length} bytes, the limit is {self.body_limit}")
        return 0

    @property
    def streams(self):
        """Whether the handler starts before the body is read."""
        return self.request.operation is not None and (<Operation>self.request.operation).stream_body

    @property
    def takes_body(self):
        """Whether an operation was found; without one nobody reads a body."""
        return self.request.operation is not None

    @property
    def suspended(self):
        """Whether the result of `walk` is a coroutine that is to be awaited."""
        return self.request.suspended

    def too_large(self):
        """The answer when more than `body_limit` bytes came."""
        return refused(413, f"the body has more than {self.body_limit} bytes")

    def set_body(self, bytes body):
        """The whole body; None when there is none."""
        self.request.raw_body = body

    def open_stream(self, loop, source):
        """Let the handler read the body in pieces; `source.body_wanted()` is called when it waits for one."""
        self.stream = BodyStream.__new__(BodyStream)
        self.stream.loop = loop
        self.stream.source = source
        self.request.stream_ = self.stream

    def feed(self, bytes data not None):
        """One more piece; False when that is more than the limit, which the handler is told."""
        if self.stream.received + PyBytes_GET_SIZE(data) > self.body_limit:
            self.fail("request-body-too-large", f"the body has more than {self.body_limit} bytes")
            return False
        self.stream.feed(data)
        return True

    def end_stream(self):
        """There are no more pieces."""
        self.stream.finish()

    def fail(self, str slug not None, str detail not None):
        """The rest of the body will not come."""
        if self.stream is not None and not self.stream.complete:
            self.stream.fail(BodyStreamError(slug, detail))

    def walk(self):
        """Walk the request; its result, or with `suspended` a coroutine for it."""
        if self.service.meter is not None:
            self.service.meter.begin(self.request)
        if self.service.observer is not None:
            self.service.observer.begin(self.request)
        return self.service.walk(self.request)

    def failure(self):
        """The answer for an exception that is being handled, which is logged."""
        return self.service.failure(self.request)

    def log_error(self):
        """Log the exception that is being handled."""
        self.service.log_error(self.request)

    async def respond(self, result):
        """(status, header fields, body) of a result; the body is bytes, or an asynchronous iterator."""
        try:
            response = self.service.finished(self.request, result)
            if not isinstance(response, Response):
                response = await response
            parts = response_parts(self.request, <Response?>response)
        except Exception:
            parts = response_parts(self.request, self.service.failure(self.request))
        self.count(parts)
        return parts

    cdef int count(self, tuple parts) except -1:
        """Count an answer; what the other server makes of its head is not known here."""
        cdef bint whole = type(parts[2]) is bytes
        cdef Py_ssize_t size = len(parts[2]) if whole else 0
        if self.request.began == 0:
            return self.service.count_refusal(self.request, parts[0], size)
        self.service.count_head(self.request, parts[0], size)
        return self.service.count_end(self.request, 0) if whole else 0

    def ended(self, Py_ssize_t sent):
        """Nothing is left to do for the request, after so many bytes of a stream; told once or more often."""
        self.service.count_end(self.request, sent)


cdef object refused(int status, str detail):
    return problem_response(SLUGS[status], detail)


cdef bint as_given(const brrt_head *index, bytes method, bytes target, list fields) except -1:
    """Whether the index found the very parts that the head was put together from."""
    cdef uint32_t i = 0
    if index.count != <uint32_t>len(fields) or index.method.len != <uint32_t>PyBytes_GET_SIZE(method) or (
            index.target.len != <uint32_t>PyBytes_GET_SIZE(target)):
        return False
    for name, _ in fields:
        if index.fields[i].name_len != len(name):
            return False
        i += 1
    return True
