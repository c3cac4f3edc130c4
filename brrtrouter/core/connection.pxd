from brrtrouter.core.clock cimport Clock, Watched
from brrtrouter.core.request cimport Request
from brrtrouter.core.response cimport Response
from brrtrouter.core.service cimport Service
from brrtrouter.core.stream cimport BodyStream

cdef enum Phase:
    HEAD      # reading a head
    LENGTH    # reading a body of known length
    CHUNKED   # reading a chunked body
    CLOSING   # an answer was sent that ends the connection: what still comes is dropped

cdef enum Stage:
    FIRST     # no head has come yet
    BETWEEN   # the last head was whole, nothing of the next one has come
    PARTIAL   # a part of the next head has come


cdef class Endpoint(Clock):
    cdef public bint draining
    cdef object drained


cdef class Connection(Watched):
    cdef Endpoint endpoint
    cdef object transport
    cdef object write        # the transport's, found once
    # Of the time, on the clock of the endpoint.
    cdef double opened       # when the client came
    cdef double since        # when it was last heard of, or answered: what is waited for counts from here
    cdef double asked        # when the handler at work was asked
    cdef double sent_at      # when the client was last seen to take what was written
    cdef Py_ssize_t written  # bytes given to the transport
    cdef Py_ssize_t sent     # of these, what had left it when it was last looked at; -1 when it was empty
    cdef Py_ssize_t taken    # of the body, by its handler, when that was last looked at
    cdef Request working     # whose handler is at work
    cdef bint unsent         # the transport may still have something to send
    cdef bint aged           # the next answer is the last one
    cdef Stage stage         # in the phase HEAD
    # Of the message that is being read, what answering has to know.
    cdef BodyStream stream   # of the request that is being read, when its handler takes the body in pieces
    cdef Phase phase
    cdef Request reading
    cdef bint owes_continue  # the client waits for a 100 before it sends the body
    cdef bytes rest          # bytes that were received and not used yet
    # The head of the last message, which need not be read again when it comes again; see HttpProtocol.read_known.
    cdef bytes known         # perhaps with more behind it; None without one
    cdef Py_ssize_t known_length, known_body  # of the head, and of the body behind it
    cdef Request known_request  # what it was found to be, when it has come twice
    cdef bint known_again    # the message that is being read has this head
    # Answering: one request at a time, the others wait in order.
    cdef bytes first         # what goes out next, and, in `out`, what goes out with it
    cdef list out
    cdef Py_ssize_t out_size # bytes in both
    cdef object waiting      # deque of Requests and, last, the bytes of an error that ends the connection
    cdef object task         # of the request that is being answered
    cdef Request answering   # that request, to be told when the client goes
    cdef bint consuming
    cdef bint held           # `rest` waits for answers to be sent, not for more bytes
    cdef bint eof            # the client will send no more
    cdef bint reading_paused
    cdef bint writing_paused
    cdef object writable     # future for streams while writing is paused
    cdef bint ending         # the last answer was given to the transport, our side is finished
    cdef bint upgrading      # what comes next may belong to another protocol: the last request asks for that
    cdef object upgraded     # the session that has the connection now, see `switch`
    cdef public long long direct_bytes  # sent past the transport, whose buffer does not show them

    cdef int consume(self, bytes data) except -1
    cdef int refuse(self, int status, str detail, Request request=*) except -1
    cdef int pause_reading(self) except -1
    cdef int fail_stream(self, str slug, str detail) except -1
    cdef int ask_for_body(self) except -1
    cdef int submit(self, object item) except -1
    cdef int run(self, object item) except -1
    cdef int conclude(self, Request request, bytes data) except -1
    cdef int gather(self, bytes data) except -1
    cdef int send(self, bytes data, bint last) except -1
    cdef int flush(self) except -1
    cdef int resume(self) except -1
    cdef int end(self) except -1
    cdef int forget_known(self) except -1
    cdef bint is_last(self)
    cdef bint is_idle(self)
