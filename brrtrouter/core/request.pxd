from libc.stdint cimport uint32_t, uint64_t

from brrtrouter.core.csrc cimport brrt_field, brrt_head, brrt_match, brrt_span
from brrtrouter.core.lines cimport FixedFields
from brrtrouter.core.stream cimport BodyStream

cdef enum:
    INLINE_FIELDS = 12
    INLINE_CAPTURES = 6
    NEW_ID = 32    # hexadecimal digits


cdef class Headers(dict):
    pass


cdef class RequestIds:
    cdef readonly str header
    cdef readonly bint accept, echo
    cdef readonly Py_ssize_t length
    cdef bytes name   # in lower case
    cdef bytes start  # of the field line, after a CR LF

    cdef bint given(self, Request request) noexcept


cdef class Request:
    # The bytes of the head, perhaps with more behind it; every span below is an offset into it.
    cdef bytes head
    cdef uint32_t head_length
    cdef brrt_span method_span, path_span, query_span
    cdef readonly bint keep_alive
    cdef readonly bint is_head
    # What the answer is when no operation was found: 404, 405, 400, 204 for OPTIONS; and the methods that there are.
    cdef int verdict
    cdef unsigned allowed
    # The result is a coroutine that must be awaited.
    cdef bint suspended
    cdef bint preflight        # a CORS-preflight request, see cors.pyx
    cdef bytes lines           # header lines of the answer that its request decides, each after its CR LF; or None
    cdef bytes added_lines     # more of them, which are known only when it is answered
    cdef FixedFields fixed     # fields of every answer, None without any
    cdef uint64_t began        # when answering began, in nanoseconds; 0 while nothing is counted, see meter.pyx
    # What an Observer notes: the answer, whether tracing was decided upon, and what is kept of a sampled request.
    cdef int status
    cdef bint decided, rejected
    cdef uint64_t sent
    cdef object trace
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
    # Where the id stands, NULL until it is needed: in the head, or in `new_id`.
    cdef const char *id_at
    cdef Py_ssize_t id_size
    cdef char new_id[NEW_ID]
    cdef bint id_is_new  # it is known already that the head has none
    cdef RequestIds ids  # None where no server has read the request
    cdef object header_values, cookie_values  # declared and decoded, by lower-case name and by name
    cdef readonly bytes raw_body
    cdef public object body
    cdef public object auth
    cdef dict state_
    cdef object client_
    cdef object on_gone
    cdef bint gone_at_eof
    cdef BodyStream stream_  # of a body that is read while the handler runs, or that the handler asked for

    cdef int adopt(self, bytes owner, uint32_t length, const brrt_head *head) except -1
    cdef int adopt_captures(self, const brrt_match *found, uint32_t path_offset) except -1
    cdef bint repeatable(self) noexcept
    cdef Request repeated(self)
    cdef object field_value(self, const char *name, Py_ssize_t length)
    cdef int find_field(self, const char *name, Py_ssize_t length, uint32_t start) noexcept
    cdef bint has_conditions(self) noexcept
    cdef int find_id(self) except -1
    cdef bint tells_id(self) noexcept
    cdef bytes id_line(self)
    cdef bytes decided_lines(self)
    cdef bint encrypted(self)
    cdef brrt_span raw_capture(self, uint32_t index)
    cdef int tell_gone(self) except -1


cdef str latin1(const char *s, Py_ssize_t length)
cdef object decode_text(const char *s, Py_ssize_t length, bint plus)
cdef str unquoted(str value)
