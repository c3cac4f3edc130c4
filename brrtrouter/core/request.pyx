"""`Request`: one request and what was found in it, made lazily from the bytes of its head.

Nothing becomes a Python object before somebody asks: method, path, headers and cookies are spans of the head, which the
request keeps alive.  Values that the specification declares are put in by `arguments.pyx`.
"""

import re
import uuid

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DecodeLatin1, PyUnicode_DecodeUTF8
from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy

from brrtrouter.core.csrc cimport (
    BRRT_FIELD_CONTENT_TYPE,
    BRRT_FIELD_COOKIE,
    BRRT_FIELD_HOST,
    BRRT_HAS_PERCENT,
    BRRT_HAS_PLUS,
    BRRT_HEAD_KEEP_ALIVE,
    BRRT_OK,
    brrt_field,
    brrt_head,
    brrt_match,
    brrt_pair,
    brrt_percent_decode,
    brrt_query_split,
    brrt_scan,
    brrt_span,
)
from brrtrouter.core.matcher cimport capture_str
from brrtrouter.core.stream cimport BodyStream, whole_body

cdef enum:
    # Texts up to this length are decoded on the stack.
    STACK_TEXT = 1024

# What an X-Request-ID may look like to be taken over; everything else gets a new one.
cdef object sane_id = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}").fullmatch


cdef str latin1(const char *s, Py_ssize_t length):
    """Field values are octets (RFC 9110 5.5): Latin-1 loses none of them."""
    return PyUnicode_DecodeLatin1(s, length, NULL)


cdef object decode_text(const char *s, Py_ssize_t length, bint plus):
    """Percent-decode to str; None when an escape is bad or the result is not UTF-8."""
    cdef char stack[STACK_TEXT]
    cdef char *out = stack
    cdef size_t written = 0
    cdef unsigned marks = brrt_scan(s, length)
    if not marks & (BRRT_HAS_PERCENT | (BRRT_HAS_PLUS if plus else 0)):
        return capture_str(s, length, True)
    if length > STACK_TEXT:
        out = <char *>PyMem_Malloc(length)
        if out == NULL:
            raise MemoryError
    try:
        if brrt_percent_decode(s, length, plus, out, &written) != BRRT_OK:
            return None
        return PyUnicode_DecodeUTF8(out, written, NULL)
    finally:
        if out != stack:
            PyMem_Free(out)


cdef class Headers(dict):
    """Header fields by lower-case name; look-ups ignore case (RFC 9110 5.1).

    Repeated fields are joined with ", " (RFC 9110 5.3), cookies with "; ".  Fields that the operation declares as
    parameters hold the decoded value instead of the text.
    """

    def __getitem__(self, key):
        return dict.__getitem__(self, key.lower())

    def __contains__(self, key):
        return isinstance(key, str) and dict.__contains__(self, key.lower())

    def get(self, key, default=None):
        """The value for a name, whatever its case, or `default`."""
        return dict.get(self, key.lower(), default)


@cython.freelist(64)
@cython.final
cdef class Request:
    """One HTTP request, as handlers, middleware and security providers see it.

    method, path (raw, without the query), template; path_params, query, headers, cookies: values typed by the
    specification; undeclared ones are text. body: the decoded and validated body, raw_body its bytes. auth: what
    the security providers found, by scheme name. id: taken from X-Request-ID when that is sane, else new. state: a
    dict for middleware and handlers to share.
    """

    def __cinit__(self):
        self.fields = self.inline_fields
        self.captures = self.inline_captures

    def __dealloc__(self):
        if self.fields != self.inline_fields:
            PyMem_Free(self.fields)
        if self.captures != self.inline_captures:
            PyMem_Free(self.captures)

    cdef int adopt(self, bytes owner, uint32_t offset, const brrt_head *head) except -1:
        """Take the index of the head at `offset` of `owner`, whose bytes from there on are the head."""
        cdef uint32_t i
        cdef brrt_field *fields = self.inline_fields
        if head.count > INLINE_FIELDS:
            fields = <brrt_field *>PyMem_Malloc(head.count * sizeof(brrt_field))
            if fields == NULL:
                raise MemoryError
            self.fields = fields
        memcpy(fields, head.fields, head.count * sizeof(brrt_field))
        if head.path.off != head.target.off and head.first[BRRT_FIELD_HOST] >= 0:
            take_host_of_target(PyBytes_AS_STRING(owner) + offset, head, &fields[head.first[BRRT_FIELD_HOST]])
        self.method_span = head.method
        self.target_span = head.target
        self.path_span = head.path
        self.query_span = head.query
        if offset != 0:
            for i in range(head.count):
                fields[i].name_off += offset
                fields[i].value_off += offset
            self.method_span.off += offset
            self.target_span.off += offset
            self.path_span.off += offset
            self.query_span.off += offset
        self.field_count = head.count
        self.head = owner
        self.content_type = head.first[BRRT_FIELD_CONTENT_TYPE]
        self.cookie = head.first[BRRT_FIELD_COOKIE]
        self.keep_alive = (head.flags & BRRT_HEAD_KEEP_ALIVE) != 0
        self.http_minor = head.minor
        self.is_head = head.method.len == 4 and memcmp(
            PyBytes_AS_STRING(owner) + self.method_span.off, b"HEAD", 4) == 0
        return 0

    cdef int adopt_captures(self, const brrt_match *found, uint32_t path_offset) except -1:
        """Keep the captures of a match whose path began at `path_offset` of the head."""
        cdef uint32_t i, shift = 0
        cdef brrt_span *captures = self.inline_captures
        if found.count > INLINE_CAPTURES:
            captures = <brrt_span *>PyMem_Malloc(found.count * sizeof(brrt_span))
            if captures == NULL:
                raise MemoryError
            self.captures = captures
        if found.base == PyBytes_AS_STRING(self.head) + path_offset:
            self.captured = self.head
            shift = path_offset
        else:
            self.captured = PyBytes_FromStringAndSize(found.base, self.path_span.len)
            self.captured_decoded = True
        for i in range(found.count):
            captures[i].off = found.captures[i].off + shift
            captures[i].len = found.captures[i].len
        self.capture_count = found.count
        self.captured_high = found.high
        return 0

    cdef brrt_span raw_capture(self, uint32_t index):
        """Where a capture stands in the head, still escaped: each escape there is one byte in `captured`."""
        cdef brrt_span span = self.captures[index]
        cdef const char *raw = PyBytes_AS_STRING(self.head) + self.path_span.off
        cdef uint32_t at = 0, decoded = 0, start = 0
        if not self.captured_decoded:
            return span
        while decoded < span.off + span.len:
            if decoded == span.off:
                start = at
            at += 3 if raw[at] == c"%" else 1
            decoded += 1
        span.off = self.path_span.off + start
        span.len = at - start
        return span

    cdef object field_value(self, const char *name, Py_ssize_t length):
        """All values of a field (`name` in lower case) joined with ", ", cookies with "; "; or None."""
        cdef uint32_t i
        cdef const char *base = PyBytes_AS_STRING(self.head)
        cdef object found = None
        for i in range(self.field_count):
            if self.fields[i].name_len == length and same_name(base + self.fields[i].name_off, name, length):
                value = latin1(base + self.fields[i].value_off, self.fields[i].value_len)
                found = value if found is None else found + (
                    "; " if self.fields[i].id == BRRT_FIELD_COOKIE else ", ") + value
        return found

    def header(self, str name not None):
        """The text of a header field, whatever its case, repeated ones joined with ", "; None when absent.

        Cheaper than `headers` when only one field is needed.
        """
        cdef bytes key = name.lower().encode("latin-1", "replace")
        return self.field_value(key, len(key))

    @property
    def method(self):
        if self.method_ is None:
            self.method_ = latin1(PyBytes_AS_STRING(self.head) + self.method_span.off, self.method_span.len)
        return self.method_

    @property
    def path(self):
        """The raw path of the request target, percent-encoded as sent."""
        if self.path_span.len == 0:
            return "/"
        return latin1(PyBytes_AS_STRING(self.head) + self.path_span.off, self.path_span.len)

    @property
    def raw_query(self):
        """The query of the request target as sent, without '?'."""
        return latin1(PyBytes_AS_STRING(self.head) + self.query_span.off, self.query_span.len)

    @property
    def template(self):
        """The path template that matched, with the base path; None when none did."""
        return None if self.operation is None else self.operation.path

    @property
    def path_params(self):
        if self.path_params_ is None:
            self.path_params_ = {}
        return self.path_params_

    @property
    def query(self):
        if self.query_ is None:
            self.query_ = {}
            for name, value in self.query_pairs():
                add_value(self.query_, name, value)
        return self.query_

    def query_pairs(self):
        """All pairs of the query as decoded text, in order; malformed escapes are replaced by U+FFFD or kept."""
        return split_query(PyBytes_AS_STRING(self.head) + self.query_span.off, self.query_span.len)

    @property
    def headers(self):
        cdef uint32_t i
        cdef const char *base = PyBytes_AS_STRING(self.head)
        if self.headers_ is None:
            headers = Headers()
            for i in range(self.field_count):
                name = latin1(base + self.fields[i].name_off, self.fields[i].name_len).lower()
                value = latin1(base + self.fields[i].value_off, self.fields[i].value_len)
                if dict.__contains__(headers, name):
                    value = dict.__getitem__(headers, name) + ("; " if name == "cookie" else ", ") + value
                dict.__setitem__(headers, name, value)
            if self.header_values is not None:
                headers.update(self.header_values)
            self.headers_ = headers
        return self.headers_

    @property
    def cookies(self):
        if self.cookies_ is None:
            self.cookies_ = self.raw_cookies()
            if self.cookie_values is not None:
                self.cookies_.update(self.cookie_values)
        return self.cookies_

    def raw_cookies(self):
        """All cookies as text, not percent-decoded (RFC 6265 5.4); of a repeated name the first."""
        cookies = {}
        if self.cookie < 0:
            return cookies
        for line in self.cookie_lines():
            for piece in line.split(";"):
                name, equals, value = piece.strip(" \t").partition("=")
                if equals:
                    cookies.setdefault(name, unquoted(value))
        return cookies

    def cookie_lines(self):
        """The values of all Cookie fields."""
        cdef uint32_t i
        cdef const char *base = PyBytes_AS_STRING(self.head)
        return [
            latin1(base + self.fields[i].value_off, self.fields[i].value_len)
            for i in range(self.field_count) if self.fields[i].id == BRRT_FIELD_COOKIE
        ]

    def stream(self):
        """The body as an asynchronous iterator over its bytes, in pieces.

        Where the operation says `x-brrtrouter-stream: true` they come while the handler runs, else there is one.
        """
        if self.stream_ is None:
            self.stream_ = whole_body(self.raw_body)
        return self.stream_

    @property
    def state(self):
        """A dict for middleware and handlers to share what they know of this request."""
        if self.state_ is None:
            self.state_ = {}
        return self.state_

    @property
    def id(self):
        if self.id_ is None:
            given = self.header("x-request-id")
            self.id_ = given if given is not None and sane_id(given) else uuid.uuid4().hex
        return self.id_

    @property
    def client(self):
        """(host, port) of the client, None when it has no such address.

        Of the peer of the connection, or, where that is a trusted proxy, what it says.
        """
        return None if self.client_ is None else self.client_.about(self.header).client

    @property
    def client_certificate(self):
        """What the client has proven to be, as `ssl.SSLSocket.getpeercert` gives it; None without one."""
        return None if self.client_ is None else self.client_.certificate

    @property
    def base_url(self):
        """Scheme, host and prefix that the client has used: `https://api.example/prefix`; None without a host.

        A prefix is what a trusted proxy has taken off the path.
        """
        if self.client_ is None:
            return None
        about = self.client_.about(self.header)
        return f"{about.scheme}://{about.host}{about.prefix}" if about.host else None

    @property
    def scheme(self):
        """"https" when the client speaks TLS, to us or to a trusted proxy, else "http"."""
        return "http" if self.client_ is None else self.client_.about(self.header).scheme

    def __repr__(self):
        return f"<Request {self.method} {self.path}>"


cdef void take_host_of_target(const char *s, const brrt_head *head, brrt_field *host) noexcept:
    """Let Host say what a target in absolute-form says, whatever it was (RFC 9112 3.2.2)."""
    cdef uint32_t scheme = 7 if s[head.target.off + 4] == c":" else 8  # "http://" or "https://"
    host.value_off = head.target.off + scheme
    host.value_len = head.path.off - host.value_off


cdef inline bint same_name(const char *name, const char *lower, Py_ssize_t length) noexcept:
    cdef Py_ssize_t i
    cdef unsigned char c
    for i in range(length):
        c = <unsigned char>name[i]
        if c >= c"A" and c <= c"Z":
            c |= 0x20
        if c != <unsigned char>lower[i]:
            return False
    return True


cdef str unquoted(str value):
    return value[1:len(value) - 1] if len(value) >= 2 and value.startswith('"') and value.endswith('"') else value


cdef int add_value(dict values, str name, object value) except -1:
    """Text for one occurrence, a list of texts for more."""
    if name not in values:
        values[name] = value
    elif isinstance(values[name], list):
        values[name].append(value)
    else:
        values[name] = [values[name], value]
    return 0


cdef list split_query(const char *s, Py_ssize_t length):
    cdef size_t cap, count = 0, i
    cdef brrt_pair *pairs
    if length == 0:
        return []
    cap = length
    pairs = <brrt_pair *>PyMem_Malloc(cap * sizeof(brrt_pair))
    if pairs == NULL:
        raise MemoryError
    try:
        brrt_query_split(s, length, pairs, cap, &count)
        return [
            (lenient(s + pairs[i].name.off, pairs[i].name.len), lenient(s + pairs[i].value.off, pairs[i].value.len))
            for i in range(count)
        ]
    finally:
        PyMem_Free(pairs)


cdef str lenient(const char *s, Py_ssize_t length):
    """Text that no parameter declares: what cannot be decoded stays as it was sent."""
    text = decode_text(s, length, True)
    return latin1(s, length) if text is None else text
