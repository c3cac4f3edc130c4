"""`Observer`: what else watches requests beside the `Meter`: the access log, tracing, and the id for logs.

It is told of the same moments as the meter.  A trace is decided upon before any object is made for it: the field
traceparent is read where it stands, and a number is drawn.  Only a request that is sampled gets a `Trace`, in which the
walk notes the times of its stages; spans are made of them by `brrtrouter.observe.tracing`.
"""

import os
from contextvars import ContextVar

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.contextvars cimport PyContextVar_Set, get_value
from libc.stdint cimport uint64_t
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

from brrtrouter.core.access cimport AccessLines
from brrtrouter.core.request cimport Request

cdef enum:
    PARENT = 55     # characters of a traceparent of version 00 (W3C Trace Context 2.2)
    FLAGS_AT = 53
    LOW_AT = 19     # of the lower half of the trace id

# The id of the request that is answered, where the settings ask for it: `log.context`.
current_request_id = ContextVar("brrtrouter_request_id", default=None)


cdef inline uint64_t clock(int which) noexcept:
    cdef timespec at
    clock_gettime(which, &at)
    return <uint64_t>at.tv_sec * 1000000000 + <uint64_t>at.tv_nsec


cdef inline int digit(char c) noexcept:
    """The value of a hexadecimal digit in lower case, else -1."""
    if c"0" <= c <= c"9":
        return c - 48
    return c - 87 if c"a" <= c <= c"f" else -1


cdef bint hexadecimal(const char *s, int length, bint *zero) noexcept:
    cdef int i
    zero[0] = True
    for i in range(length):
        if digit(s[i]) < 0:
            return False
        if s[i] != c"0":
            zero[0] = False
    return True


cdef bint is_parent(const char *s, Py_ssize_t length) noexcept:
    """Whether a text is a traceparent (W3C Trace Context 2.2, and 4 for versions to come)."""
    cdef bint zero, ignored
    if length < PARENT or (length > PARENT and (s[PARENT] != c"-" or (s[0] == c"0" and s[1] == c"0"))):
        return False
    if s[2] != c"-" or s[35] != c"-" or s[52] != c"-" or (s[0] == c"f" and s[1] == c"f"):
        return False
    if not hexadecimal(s, 2, &ignored) or not hexadecimal(s + FLAGS_AT, 2, &ignored):
        return False
    if not hexadecimal(s + 3, 32, &zero) or zero:
        return False
    return hexadecimal(s + 36, 16, &zero) and not zero


cdef class Trace:
    """What is noted of a sampled request.

    root: no other service has begun the trace; its id ends with the 64 bits of `low`, which the decision was made by.
    """


cdef class Sampler:
    """Which requests are sampled: those whose number, of 64 bits, is below `bound`; `2**64` for all.

    The number is the lower half of the trace id, as for TraceIdRatioBased of OpenTelemetry.  parent_based: the caller's
    decision is followed.  reads_parent: False when nobody's traceparent is looked at.
    """

    def __cinit__(self, bound, bint parent_based=True, bint reads_parent=True):
        if not 0 <= bound <= 2**64:
            raise ValueError("the bound is no share of 2**64")
        self.always = bound == 2**64
        self.bound = 0 if self.always else bound
        self.parent_based = parent_based
        self.reads_parent = reads_parent
        self.reseed()

    def reseed(self):
        """Draw other numbers than the process that this one was forked from."""
        self.state = int.from_bytes(os.urandom(8), "little")

    cdef bint decide(self, Request request) noexcept:
        cdef const char *text
        cdef uint64_t low = 0
        cdef int i, at = -1
        self.root = True
        self.rejected = False
        if self.reads_parent:
            at = request.find_field(b"traceparent", 11, 0)
            # Of two nobody can say which one is meant.
            if at >= 0 and request.find_field(b"traceparent", 11, at + 1) >= 0:
                at = -1
        if at >= 0:
            text = PyBytes_AS_STRING(request.head) + request.fields[at].value_off
            if is_parent(text, request.fields[at].value_len):
                self.root = False
                if self.parent_based:
                    self.rejected = not digit(text[FLAGS_AT + 1]) & 1
                    return not self.rejected
                for i in range(16):
                    low = low << 4 | <uint64_t>digit(text[LOW_AT + i])
                self.rejected = not self.always and low >= self.bound
                return not self.rejected
        # SplitMix64
        self.state += <uint64_t>0x9e3779b97f4a7c15
        low = self.state
        low = (low ^ (low >> 30)) * <uint64_t>0xbf58476d1ce4e5b9
        low = (low ^ (low >> 27)) * <uint64_t>0x94d049bb133111eb
        self.low = low ^ (low >> 31)
        return self.always or self.low < self.bound

    def would(self, Request request not None):
        """(sampled, root): the decision for a request."""
        sampled = self.decide(request)
        return sampled, self.root


cdef class Observer:
    """What is told of every request.

    log: `AccessLines`.  sampler, tracer: which requests are traced, and what makes spans of them: `begin(request,
    trace)`, which sets `trace.spans`, `end(request, trace, status)`, and `leave()` for a request that is not sampled,
    unless the variable `state` says `unsampled` already.  parent: the variable that tells the traceparent of one.
    current: the variable for the id of the request.  metered: a meter reads the clock.
    """

    def __init__(self, *, AccessLines log=None, Sampler sampler=None, tracer=None, state=None, unsampled=None,
                 parent=None, current=None, bint metered=False):
        self.log = log
        self.sampler = sampler
        self.tracer = tracer
        self.state = state
        self.unsampled = unsampled
        self.parent = parent
        self.current = current
        self.owns_clock = not metered
        self.timed = log is not None

    cdef int arrive(self, Request request) except -1:
        """The head of a request was read, and will be matched."""
        cdef Trace trace
        if self.sampler is not None and self.sampler.decide(request):
            request.trace = trace = Trace.__new__(Trace)
            trace.root = self.sampler.root
            trace.low = self.sampler.low
            trace.arrived = clock(CLOCK_REALTIME)
        request.decided = True
        request.rejected = self.sampler is not None and self.sampler.rejected
        return 0

    cdef int matched(self, Request request) except -1:
        if request.trace is not None:
            (<Trace>request.trace).matched = clock(CLOCK_REALTIME)
        return 0

    cdef int begin(self, Request request) except -1:
        """A request is about to be answered."""
        if request.began == 0 and self.timed:
            request.began = clock(CLOCK_MONOTONIC)
        if self.sampler is not None:
            self.trace(request)
        if self.current is not None:
            PyContextVar_Set(self.current, request.id)
        return 0

    cdef int trace(self, Request request) except -1:
        """Make the context of the request the current one."""
        if not request.decided:  # a head like the one before was not matched again
            self.arrive(request)
        if request.trace is not None:
            if request.began == 0:
                request.began = clock(CLOCK_MONOTONIC)
            (<Trace>request.trace).begun = clock(CLOCK_REALTIME)
            if (<Trace>request.trace).arrived == 0:
                (<Trace>request.trace).arrived = (<Trace>request.trace).begun
            self.tracer.begin(request, request.trace)
            return 0
        if get_value(self.state) is not self.unsampled:
            self.tracer.leave()
        if request.rejected:
            PyContextVar_Set(self.parent, (request.header("traceparent"), request.header("tracestate")))
        elif get_value(self.parent) is not None:
            PyContextVar_Set(self.parent, None)
        return 0

    cdef int answered(self, Request request, int status, Py_ssize_t size) except -1:
        """The answer is known; `size` bytes are all of it, or its head."""
        request.status = status
        request.sent = size
        return 0

    cdef int ended(self, Request request, Py_ssize_t more) except -1:
        """Nothing is left to do for a request, once; `more` bytes went out after its head."""
        cdef uint64_t began = request.began
        if began == 0:
            return 0
        if self.owns_clock:
            request.began = 0
        request.sent += more
        if self.log is not None:
            self.log.add(request, began, clock(CLOCK_MONOTONIC))
        if request.trace is not None:
            trace, request.trace = request.trace, None
            self.tracer.end(request, trace, request.status)
        return 0

    cdef int refused(self, Request request, int status, Py_ssize_t size) except -1:
        """A message was refused before it was a whole request."""
        cdef uint64_t at
        if self.log is not None:
            request.status = status
            request.sent = size
            at = clock(CLOCK_MONOTONIC)
            self.log.add(request, at, at)
        if request.trace is not None:
            trace, request.trace = request.trace, None
            self.tracer.begin(request, trace)
            self.tracer.end(request, trace, status)
        return 0


cdef int authorized(Request request) except -1:
    """A sampled request has passed the check of its credentials."""
    (<Trace>request.trace).authorized = clock(CLOCK_REALTIME)
    return 0


cdef int valid(Request request) except -1:
    """Parameters and body of a sampled request are valid: the handler is next."""
    cdef Trace trace = <Trace>request.trace
    trace.valid = clock(CLOCK_REALTIME)
    trace.spans.enter(trace)
    return 0


cdef int handled(Request request) except -1:
    """The handler of a sampled request has ended."""
    if (<Trace>request.trace).handled == 0:
        (<Trace>request.trace).handled = clock(CLOCK_REALTIME)
    return 0


def note_error(Request request not None, error):
    """Tell the trace of a request, if it has one, what was raised."""
    if request.trace is not None:
        (<Trace>request.trace).error = error
