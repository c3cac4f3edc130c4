from libc.stdint cimport uint32_t, uint64_t

from brrtrouter.core.connection cimport Connection
from brrtrouter.core.csrc cimport brrt_chunked
from brrtrouter.core.request cimport Request


cdef class HttpProtocol(Connection):
    cdef object client
    # The judge of framing, and what it reported while it was fed.
    cdef object parser
    cdef int completed
    cdef object content      # of the body so far: None, the first piece, or a bytearray
    cdef Py_ssize_t body_length
    # The reader of csrc: where it stands in the message that is being read.
    cdef uint64_t left
    cdef Py_ssize_t body_limit
    cdef bint drop_body
    cdef brrt_chunked chunked
    cdef Py_ssize_t searched # of which this many were searched for the end of a head
    cdef Py_ssize_t dropped

    cdef int hold(self, bytes rest, bint briefly) except -1
    cdef Py_ssize_t read_head(self, bytes data, Py_ssize_t at) except -1
    cdef int begin(self, Request request, bytes head, uint32_t flags, uint64_t content_length) except -1
    cdef int begin_stream(self, Request request) except -1
    cdef int answer_unread(self, Request request) except -1
    cdef Py_ssize_t read_length(self, bytes data, Py_ssize_t at) except -1
    cdef Py_ssize_t read_chunked(self, bytes data, Py_ssize_t at) except -1
    cdef bint judge(self, object data, bint is_head=*) except -1
    cdef int message_done(self) except -1
    cdef int refuse(self, int status, str detail, Request request=*) except -1
