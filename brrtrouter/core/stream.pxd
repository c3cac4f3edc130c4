cdef enum:
    STREAM_HIGH = 262144  # bytes of a body that wait for their reader; then the connection is read no more
    STREAM_LOW = 65536    # until so many are left


cdef class BodyStream:
    cdef object source       # told when bytes are wanted and when they were taken; None without a connection
    cdef object loop
    cdef object chunks       # deque of bytes
    cdef Py_ssize_t buffered
    cdef readonly Py_ssize_t received
    cdef readonly bint complete
    cdef object error
    cdef object waiter
    cdef bint keep_alive     # what the request asks of the connection; it holds only when the body was read whole
    cdef bint answered       # the head of the answer is made: too late to keep the connection

    cdef int feed(self, bytes data) except -1
    cdef int finish(self) except -1
    cdef int fail(self, object error) except -1
    cdef int wake(self) except -1


cdef BodyStream whole_body(object data)
