"""Which header lines tell a browser that scripts of another origin may read an answer (Fetch, "CORS protocol").

`brrtrouter.policy.cors` makes them when the application starts; a request only picks.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint32_t
from libc.string cimport memcmp

from brrtrouter.core.request cimport Request, latin1

cdef enum:
    ABSENT = -1
    REPEATED = -2


cdef int origin_field(Request request) noexcept:
    """The index of the Origin field, ABSENT, or REPEATED, which no browser sends."""
    cdef const char *base = PyBytes_AS_STRING(request.head)
    cdef const char *name
    cdef uint32_t i
    cdef int found = ABSENT
    for i in range(request.field_count):
        if request.fields[i].name_len != 6:
            continue
        name = base + request.fields[i].name_off
        if ((name[0] | 32) == c"o" and (name[1] | 32) == c"r" and (name[2] | 32) == c"i" and (name[3] | 32) == c"g"
                and (name[4] | 32) == c"i" and (name[5] | 32) == c"n"):
            found = <int>i if found == ABSENT else REPEATED
    return found


cdef bint is_options(Request request) noexcept:
    return request.method_span.len == 7 and memcmp(
        PyBytes_AS_STRING(request.head) + request.method_span.off, b"OPTIONS", 7) == 0


cdef class Grants:
    """Header lines of the answers of some operations, each line after its CR LF.

    otherwise: when nothing is granted to the origin that asks, or nobody says where they come from.  exact: by origin.
    matches: None, or says of any other origin whether it has a grant: then its text stands between `before` and `after`.
    """

    def __init__(self, bytes otherwise not None, dict exact not None, matches, bytes before not None,
                 bytes after not None):
        self.otherwise = otherwise
        self.exact = exact
        self.matches = matches
        self.before = before
        self.after = after

    cpdef bytes maybe_granted(self, str origin):
        """The lines for an origin that has a grant, else None."""
        found = self.exact.get(origin)
        if found is None and self.matches is not None and self.matches(origin):
            return self.before + origin.encode("latin-1") + self.after
        return found


cdef bint depends(Grants grants):
    return grants is not None and (bool(grants.exact) or grants.matches is not None)


cdef class CrossOrigin:
    """The grants of all operations.

    by_operation: for each operation its Grants, or None for no word about origins.  default: for requests that belong
    to no operation.  preflight: gives `(lines or None, Response or None)` for a request and its origin, which is None
    when it sends several; without a Response the request is answered as if it were no preflight.
    """

    def __init__(self, by_operation, Grants default not None, preflight):
        self.by_operation = tuple(by_operation)
        self.default = default
        self.preflight = preflight
        self.looks = any([depends(each) for each in (default, *self.by_operation)])

    cdef int mark(self, Request request, Py_ssize_t index) except -1:
        """Choose the lines of the answer by the operation and the Origin field."""
        cdef Grants grants = self.default if index < 0 else <Grants>self.by_operation[index]
        cdef int at = ABSENT
        cdef bint options = is_options(request)
        if self.looks or options:
            at = origin_field(request)
        if at != ABSENT and options and request.field_value(b"access-control-request-method", 29) is not None:
            request.preflight = True
        if grants is None:
            return 0
        request.lines = grants.otherwise
        if at >= 0:
            origin = origin_text(request, at)
            lines = grants.maybe_granted(origin)
            if lines is not None:
                request.lines = lines
        return 0

    cdef object answer(self, Request request):
        """The answer to a preflight; None when it is answered like any other request."""
        cdef int at = origin_field(request)
        lines, response = self.preflight(request, origin_text(request, at) if at >= 0 else None)
        request.lines = lines
        return response


cdef str origin_text(Request request, int at):
    return latin1(PyBytes_AS_STRING(request.head) + request.fields[at].value_off, request.fields[at].value_len)
