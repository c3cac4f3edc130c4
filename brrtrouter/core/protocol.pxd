from libc.stdint cimport uint32_t, uint64_t

from brrtrouter.core.csrc cimport brrt_chunked, brrt_head
from brrtrouter.core.request cimport Request
from brrtrouter.core.service cimport Service
from brrtrouter.core.timed cimport TimedConnection


# Which problem a status is.
cdef dict SLUGS


cdef class HttpProtocol(TimedConnection):
    cdef object client
    # The judge of framing, and what it reported while it was fed.
    cdef object parser
    cdef object feed         # its feed_data, found once
    cdef int completed
    cdef object content      # of the body so far: None, the first piece, or a bytearray
    # The reader of csrc: where it stands in the message that is being read.
    cdef uint64_t left
    cdef Py_ssize_t body_limit
    cdef bint drop_body
    cdef brrt_chunked chunked
    cdef Py_ssize_t searched # of which this many were searched for the end of a head
    cdef Py_ssize_t dropped

    cdef int new_judge(self) except -1
    cdef int hold(self, bytes rest, bint briefly) except -1
    cdef Py_ssize_t read_head(self, bytes data, Py_ssize_t at) except -1
    cdef Py_ssize_t read_known(self, bytes data, Py_ssize_t at) except -1
    cdef int learn(self, Request request, Py_ssize_t body_length) except -1
    cdef bint takes_whole(self, Request request, Service service, uint64_t content_length) except -1
    cdef Py_ssize_t read_whole(self, Request request, bytes data, Py_ssize_t at, Py_ssize_t length) except -1
    cdef bytes take_content(self)
    cdef bint judge_head(self, bytes owner, Py_ssize_t length, const brrt_head *head, frozenset odd_methods) except -1
    cdef int wait_for_head(self) noexcept
    cdef int begin(self, Request request, uint32_t flags, uint64_t content_length) except -1
    cdef int begin_stream(self, Request request) except -1
    cdef int answer_unread(self, Request request) except -1
    cdef Py_ssize_t read_length(self, bytes data, Py_ssize_t at) except -1
    cdef Py_ssize_t read_chunked(self, bytes data, Py_ssize_t at) except -1
    cdef bint judge(self, object data, bint is_head=*) except -1
    cdef int message_done(self) except -1
