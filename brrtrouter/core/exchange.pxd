from brrtrouter.core.request cimport Request
from brrtrouter.core.service cimport Service
from brrtrouter.core.stream cimport BodyStream


cdef class Exchange:
    cdef Service service
    cdef readonly Request request      # empty when its head was refused
    cdef readonly object refusal       # a Response in place of the walk, or None
    cdef readonly Py_ssize_t body_limit
    cdef readonly bint has_body
    cdef BodyStream stream

    cdef int read(self, bytes head, bytes method, bytes target, list fields, object peer) except -1
    cdef int count(self, tuple parts) except -1
    cdef int begin(self, unsigned flags, unsigned long long content_length) except -1
