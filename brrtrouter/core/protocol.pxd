from libc.stdint cimport uint32_t, uint64_t

from brrtrouter.core.csrc cimport brrt_chunked
from brrtrouter.core.request cimport Request
from brrtrouter.core.response cimport Response
from brrtrouter.core.service cimport Service

cdef enum Phase:
    HEAD      # reading a head
    LENGTH    # reading a body of known length
    CHUNKED   # reading a chunked body
    CLOSING   # an answer was sent that ends the connection: what still comes is dropped


cdef class Endpoint:
    cdef public Service service
    cdef readonly set connections
    cdef readonly object loop
    cdef public bint draining
    cdef object drained


cdef class HttpProtocol:
    cdef Endpoint endpoint
    cdef object transport
    cdef object client
    # The judge of framing, and what it reported while it was fed.
    cdef object parser
    cdef int completed
    cdef object content      # of the body so far: None, the first piece, or a bytearray
    cdef Py_ssize_t body_length
    # The reader of csrc: where it stands in the message that is being read.
    cdef Phase phase
    cdef Request reading
    cdef uint64_t left
    cdef Py_ssize_t body_limit
    cdef bint drop_body
    cdef bint owes_continue  # the client waits for a 100 before it sends the body
    cdef brrt_chunked chunked
    cdef bytes rest          # bytes that were received and not used yet
    cdef Py_ssize_t searched # of which this many were searched for the end of a head
    # Answering: one request at a time, the others wait in order.
    cdef list out
    cdef Py_ssize_t out_size # bytes in `out`
    cdef object waiting      # deque of Requests and, last, the bytes of an error that ends the connection
    cdef object task         # of the request that is being answered
    cdef bint consuming
    cdef bint held           # `rest` waits for answers to be sent, not for more bytes
    cdef bint eof            # the client will send no more
    cdef bint reading_paused
    cdef bint writing_paused
    cdef object writable     # future for streams while writing is paused
    cdef bint ending         # the last answer was given to the transport, our side is finished
    cdef Py_ssize_t dropped
    cdef object linger_timer

    cdef int consume(self, bytes data) except -1
    cdef int hold(self, bytes rest, bint briefly) except -1
    cdef int pause_reading(self) except -1
    cdef Py_ssize_t read_head(self, bytes data, Py_ssize_t at) except -1
    cdef int begin(self, Request request, bytes head, uint32_t flags, uint64_t content_length) except -1
    cdef int answer_unread(self, Request request) except -1
    cdef int ask_for_body(self) except -1
    cdef Py_ssize_t read_length(self, bytes data, Py_ssize_t at) except -1
    cdef Py_ssize_t read_chunked(self, bytes data, Py_ssize_t at) except -1
    cdef bint judge(self, object data) except -1
    cdef int message_done(self) except -1
    cdef int refuse(self, int status, str detail, Request request=*) except -1
    cdef int submit(self, object item) except -1
    cdef int run(self, object item) except -1
    cdef int conclude(self, Request request, bytes data) except -1
    cdef int send(self, bytes data, bint last) except -1
    cdef int flush(self) except -1
    cdef int resume(self) except -1
    cdef int end(self) except -1
    cdef int linger(self) except -1
    cdef bint is_idle(self)
