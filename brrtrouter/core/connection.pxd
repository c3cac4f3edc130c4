from brrtrouter.core.request cimport Request
from brrtrouter.core.response cimport Response
from brrtrouter.core.service cimport Service
from brrtrouter.core.stream cimport BodyStream

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


cdef class Connection:
    cdef Endpoint endpoint
    cdef object transport
    # Of the message that is being read, what answering has to know.
    cdef BodyStream stream   # of the request that is being read, when its handler takes the body in pieces
    cdef Phase phase
    cdef Request reading
    cdef bint owes_continue  # the client waits for a 100 before it sends the body
    cdef bytes rest          # bytes that were received and not used yet
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
    cdef object linger_timer

    cdef int consume(self, bytes data) except -1
    cdef int pause_reading(self) except -1
    cdef int fail_stream(self, str slug, str detail) except -1
    cdef int ask_for_body(self) except -1
    cdef int submit(self, object item) except -1
    cdef int run(self, object item) except -1
    cdef int conclude(self, Request request, bytes data) except -1
    cdef int send(self, bytes data, bint last) except -1
    cdef int flush(self) except -1
    cdef int resume(self) except -1
    cdef int end(self) except -1
    cdef int linger(self) except -1
    cdef bint is_idle(self)
