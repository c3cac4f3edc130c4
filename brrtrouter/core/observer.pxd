from libc.stdint cimport uint64_t

from brrtrouter.core.access cimport AccessLines
from brrtrouter.core.request cimport Request


cdef class Trace:
    # Nanoseconds since 1970; 0 for what was not reached.
    cdef readonly uint64_t arrived, matched, begun, authorized, valid, handled
    cdef readonly bint root
    cdef readonly uint64_t low     # of a root: the lower half of its trace id
    cdef public object error       # what was raised
    cdef public object spans       # what the tracer keeps of it
    cdef public str trace_id, span_id


cdef class Sampler:
    cdef readonly bint parent_based, reads_parent, always
    cdef uint64_t bound, state
    cdef uint64_t low
    cdef bint root, rejected

    cdef bint decide(self, Request request) noexcept


cdef class Observer:
    cdef AccessLines log
    cdef Sampler sampler
    cdef object tracer
    cdef object unsampled
    cdef object state
    cdef object parent
    cdef object current
    cdef bint owns_clock, timed

    cdef int arrive(self, Request request) except -1
    cdef int matched(self, Request request) except -1
    cdef int begin(self, Request request) except -1
    cdef int trace(self, Request request) except -1
    cdef int answered(self, Request request, int status, Py_ssize_t size) except -1
    cdef int ended(self, Request request, Py_ssize_t more) except -1
    cdef int refused(self, Request request, int status, Py_ssize_t size) except -1


cdef int authorized(Request request) except -1
cdef int valid(Request request) except -1
cdef int handled(Request request) except -1
