from brrtrouter.core.service cimport Service


cdef class Watched:
    cdef int look(self) except -1


cdef class Clock:
    cdef public Service service
    cdef readonly object loop
    cdef readonly set connections
    cdef set orphans          # connections that are lost while a handler still works for them
    cdef object timer         # of the next tick; None while there is nothing to watch
    cdef double now           # seconds in which the loop ran; it advances with each tick only
    cdef double period        # between two ticks
    cdef double elapsed       # since the tick before, as far as it counts
    cdef double read_at       # what the loop's clock said at the last tick
    # The limits of `timed`.  Times are infinite where there is no limit.
    cdef Service timed
    cdef double head_time, body_wait, body_rate_time, handler_time, write_wait, linger, connection_age
    cdef double keep_alive, crowded_keep_alive
    cdef double idle_time     # the one of these two that counts now
    cdef double body_least    # bytes of a body that have to come in `body_rate_time`
    cdef Py_ssize_t linger_size
    cdef Py_ssize_t crowded     # percent
    cdef public Py_ssize_t max_connections

    cdef int admit(self, Watched connection) except -1
    cdef int rest(self) except -1
    cdef int take_limits(self) except -1
    cdef double counted(self, double seconds)
