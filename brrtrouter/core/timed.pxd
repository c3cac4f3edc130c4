from brrtrouter.core.connection cimport Connection, Endpoint


cdef class TimedConnection(Connection):
    cdef Py_ssize_t body_length  # of the body that is being read, so far
    cdef Py_ssize_t body_seen    # of these at the beginning of the stretch of time that is measured
    cdef double body_active      # seconds of that stretch in which the client could send

    cdef double time_for(self, Endpoint clock)
    cdef int look_at_handler(self, Endpoint clock) except -1
    cdef bint look_at_writing(self, Endpoint clock) except -1
    cdef int look_at_head(self, Endpoint clock) except -1
    cdef int look_at_body(self, Endpoint clock) except -1
    cdef int expire(self) except -1
    cdef int reset(self) except -1
