from libc.stdint cimport uint32_t

from brrtrouter.core.csrc cimport brrt_field, brrt_head, brrt_match, brrt_span
from brrtrouter.core.stream cimport BodyStream

cdef enum:
    INLINE_FIELDS = 12
    INLINE_CAPTURES = 6


cdef class Headers(dict):
    pass


cdef class Request:
    # The bytes of the head; every span below is an offset into it.
    cdef bytes head
    cdef brrt_span method_span, target_span, path_span, query_span
    cdef readonly bint keep_alive
    cdef readonly bint is_head
    # What the answer is when no operation was found: 404, 405, 400, 204 for OPTIONS; and the methods that there are.
    cdef int verdict
    cdef unsigned allowed
    # The result is a coroutine that must be awaited.
    cdef bint suspended
    cdef readonly int http_minor
    cdef uint32_t field_count
    # `fields` is `inline_fields`, or memory of this object when there are more.
    cdef brrt_field *fields
    cdef brrt_field inline_fields[INLINE_FIELDS]
    # Captures are offsets into `captured`: the head, or a decoded copy of an escaped path.
    cdef bytes captured
    cdef bint captured_high, captured_decoded
    cdef uint32_t capture_count
    cdef brrt_span *captures
    cdef brrt_span inline_captures[INLINE_CAPTURES]
    cdef int content_type, cookie  # indices of fields, -1 when absent
    cdef object service             # the service.Service that it was matched with
    cdef readonly object operation  # a service.Operation, None when no route matched
    cdef object method_
    cdef object path_params_, query_, headers_, cookies_, id_
    cdef object header_values, cookie_values  # declared and decoded, by lower-case name and by name
    cdef readonly bytes raw_body
    cdef public object body
    cdef public object auth
    cdef dict state_
    cdef object client_
    cdef BodyStream stream_  # of a body that is read while the handler runs, or that the handler asked for

    cdef int adopt(self, bytes owner, uint32_t offset, const brrt_head *head) except -1
    cdef int adopt_captures(self, const brrt_match *found, uint32_t path_offset) except -1
    cdef object field_value(self, const char *name, Py_ssize_t length)
    cdef brrt_span raw_capture(self, uint32_t index)


cdef str latin1(const char *s, Py_ssize_t length)
cdef object decode_text(const char *s, Py_ssize_t length, bint plus)
cdef str unquoted(str value)
