from brrtrouter.core.request cimport Request


cdef class Grants:
    cdef readonly bytes otherwise
    cdef dict exact
    cdef object matches
    cdef bytes before, after

    cpdef bytes maybe_granted(self, str origin)


cdef class CrossOrigin:
    cdef tuple by_operation
    cdef Grants default
    cdef object preflight
    cdef bint looks  # whether any answer depends on who asks

    cdef int mark(self, Request request, Py_ssize_t index) except -1
    cdef object answer(self, Request request)
