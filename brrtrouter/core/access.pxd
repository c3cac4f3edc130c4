from libc.stdint cimport uint64_t
from libc.time cimport time_t

from brrtrouter.core.request cimport Request


cdef class AccessLines:
    cdef char *room
    cdef Py_ssize_t size, capacity
    cdef readonly uint64_t dropped
    cdef bint json, errors_only, agent, masks_client, hides_path
    cdef uint64_t share, state         # of 2**32
    cdef uint64_t most, written, second
    cdef object secret, wake, headers
    cdef dict names, routes
    cdef uint64_t offset               # of the wall clock, in nanoseconds
    cdef char stamp[20]                # `2026-01-31T12:00:00`
    cdef time_t stamped
    cdef str last_client
    cdef bytes last_text

    cdef bint wanted(self, int status, uint64_t now) noexcept
    cdef int add(self, Request request, uint64_t began, uint64_t now) except -1
    cdef int tell_time(self, uint64_t now) noexcept
    cdef int put(self, const char *text, Py_ssize_t length) noexcept
    cdef int put_bytes(self, bytes text) noexcept
    cdef int put_number(self, uint64_t number) noexcept
    cdef int escaped(self, const char *text, Py_ssize_t length) noexcept
    cdef int put_id(self, Request request) except -1
    cdef int put_text(self, object text) except -1
    cdef int query(self, const char *text, Py_ssize_t length) except -1
    cdef bint is_secret(self, const char *name, Py_ssize_t length) except -1
    cdef bytes route(self, object operation)
    cdef object client(self, Request request)
    cdef int write_json(self, Request request, uint64_t began, uint64_t now) except -1
    cdef int write_pretty(self, Request request, uint64_t began, uint64_t now) except -1
    cdef int write_time(self, uint64_t now) noexcept
    cdef int write_milliseconds(self, uint64_t took) noexcept
    cdef int put_address(self, str client) except -1
    cdef int fields(self, Request request) except -1
