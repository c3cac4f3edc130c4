from brrtrouter.core.arguments cimport ArgumentParser, Schema
from brrtrouter.core.cors cimport CrossOrigin
from brrtrouter.core.csrc cimport brrt_head_limits
from brrtrouter.core.lines cimport FixedFields
from brrtrouter.core.matcher cimport Matcher
from brrtrouter.core.request cimport Request, RequestIds
from brrtrouter.core.meter cimport Meter
from brrtrouter.core.observer cimport Observer
from brrtrouter.core.response cimport Response

cpdef enum Mode:
    # How a callable that takes a request gives its result.
    SYNC    # returns it
    INLINE  # a coroutine function whose code never suspends: driven in place, without a Task
    TASK    # a coroutine function that may suspend: runs in a Task


cdef class Body:
    cdef readonly bint required
    cdef tuple content      # (bodies.Accepted, Schema or None) in the order of precedence
    cdef Schema json_schema
    cdef bint plain_json    # `application/json` is declared: the common case needs no negotiation

    cdef tuple choose(self, object sent)


cdef class Operation:
    cdef readonly str method
    cdef readonly str path
    cdef readonly str handler
    cdef readonly object model
    cdef ArgumentParser parser
    cdef Body request_body
    cdef object security
    cdef Mode security_mode
    cdef object call
    cdef Mode mode
    cdef readonly int success_status
    cdef dict media_types     # status -> media type of a plain result
    cdef bytes json_prefix    # for a JSON result with the success status, None when that goes out as something else
    cdef readonly Py_ssize_t max_body
    cdef readonly bint stream_body
    cdef readonly double deadline
    cdef readonly bint raw_content  # content codings of a body are the handler's matter
    cdef readonly bint foreign
    cdef readonly bint upgrades     # to another protocol, by a request that asks for it
    cdef object scope         # None, or opens the account of what the patterns of one request take
    cdef public FixedFields fixed  # of its answers in place of those of the service, None for these
    cdef Py_ssize_t index     # in `Service.operations`, -1 for what answers beyond them

    cdef object media_type(self, int status)


cdef class Service:
    cdef readonly Matcher matcher
    cdef readonly tuple operations
    cdef readonly object limits
    cdef brrt_head_limits head_limits
    cdef readonly Py_ssize_t max_body
    cdef readonly Py_ssize_t max_json_depth
    cdef readonly int max_pipeline
    cdef readonly unsigned chunk_extension_limit, trailer_limit
    cdef readonly bint auto_options, first_fault
    cdef Py_ssize_t max_errors
    cdef readonly frozenset odd_methods  # None when every method is one that the judge of messages knows
    cdef readonly FixedFields fixed
    cdef object around
    cdef object around_factory
    cdef Mode around_mode
    cdef readonly object log_error
    cdef int max_ranges
    cdef object mounts  # the raw path of a request that no template matches -> an Operation, or None
    cdef readonly object finisher  # the last word about answers, None when nobody has one
    cdef readonly bint finishes_all
    cdef readonly RequestIds request_ids
    cdef readonly object decoders
    cdef readonly Meter meter         # None when nothing is counted
    cdef readonly Observer observer   # None when nothing is logged or traced
    cdef readonly CrossOrigin cors    # None without a word about other origins

    cdef int route(self, Request request) except -1
    cdef int find(self, Request request) except -1
    cdef object handle(self, Request request)
    cdef object walk(self, Request request)
    cdef object start(self, Request request)
    cdef int note_refusal(self, Request request, Operation operation, object refusal) except -1
    cdef object after_security(self, Request request, Operation operation)
    cdef object prepare(self, Request request, Operation operation)
    cdef object judge_parts(self, Request request, Operation operation)
    cdef object invalid(self, list faults, bint parameters)
    cdef object malformed(self, object faults, object fault, str slug, str kind)
    cdef object decode_content(self, Request request, Operation operation)
    cdef object read_body(self, Request request, Body body, object faults)
    cdef object check_stream(self, Request request, Body body, object faults)
    cdef object read_media(self, Request request, Body body, object faults)
    cdef object invoke(self, Request request, Operation operation)
    cdef object selected(self, Request request, object result)
    cdef object unrouted(self, Request request)
    cdef str allow_line(self, unsigned bits)
    cdef object finish(self, Request request, object result)
    cdef object finished(self, Request request, object result)
    cdef object encode(self, Request request, object result)
    cdef int count_answer(self, Request request, bytes answer) except -1
    cdef int count_head(self, Request request, int status, Py_ssize_t size) except -1
    cdef int count_end(self, Request request, Py_ssize_t more) except -1
    cdef int count_refusal(self, Request request, int status, Py_ssize_t size) except -1
    cdef Response failure(self, Request request)


cdef object drive(object coroutine)
cdef Py_ssize_t index_of(Request request)
cdef Response normalize(Request request, object result)
