"""`Request`: one request and what was found in it, made lazily from the bytes of its head.

Nothing becomes a Python object before somebody asks: method, path, headers and cookies are spans of the head, which the
request keeps alive.  Values that the specification declares are put in by `arguments.pyx`.
"""

import os
import re

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DecodeLatin1, PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint32_t
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

from brrtrouter.core.lines import field_line

cdef enum:
    # Texts up to this length are decoded on the stack.
    STACK_TEXT = 1024

    # Random bytes that are asked for at once, and those of one id.
    RANDOM_BYTES = 4096
    ID_BYTES = NEW_ID // 2

cdef object field_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
cdef bytes randomness = b""
cdef Py_ssize_t randomness_used = 0


def _forget_randomness():
    """Let a forked process draw its own: two that share it would give the same ids."""
    global randomness, randomness_used
    randomness = b""
    randomness_used = 0


os.register_at_fork(after_in_child=_forget_randomness)


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


cdef inline uint8_t hex_digit(uint8_t value) noexcept:
    # Without a table or a branch, so that the compiler does many at once.
    return value + <uint8_t>48 + <uint8_t>(value > 9) * <uint8_t>39


cdef int make_id(uint8_t *out) except -1:
    """The digits of a random UUID (RFC 9562 section 5.4), from randomness that is drawn for many at once."""
    global randomness, randomness_used
    cdef const uint8_t *source
    cdef bytes drawn
    cdef int i
    if randomness_used + ID_BYTES > len(randomness):
        drawn = os.urandom(RANDOM_BYTES)  # another thread may do the same meanwhile
        randomness = drawn
        randomness_used = 0
    source = <const uint8_t *>PyBytes_AS_STRING(randomness) + randomness_used
    randomness_used += ID_BYTES
    for i in range(ID_BYTES):
        out[2 * i] = hex_digit(source[i] >> 4)
        out[2 * i + 1] = hex_digit(source[i] & 15)
    out[12] = c"4"
    out[16] = hex_digit(8 | ((source[8] >> 4) & 3))
    return 0


cdef inline bint is_id_byte(char c) noexcept:
    return (c"a" <= c <= c"z") or (c"0" <= c <= c"9") or (c"A" <= c <= c"Z") or (
        c == c"-" or c == c"_" or c == c"." or c == c"~" or c == c"+" or c == c"/" or c == c"=" or c == c":"
        or c == c"@")


@cython.final
cdef class RequestIds:
    """How requests get their ids, and whether answers tell them.

    header: the field with the id.  accept: a client may choose it, with letters, digits and `-_.~+/=:@`, at most
    `length` of them; otherwise, or when it sends several, the id is new: a random UUID without its hyphens.  echo:
    every answer has the field.  Raises ValueError for a header that is no name of a field.
    """

    def __init__(self, str header not None="X-Request-ID", *, bint accept=True, bint echo=True, int length=128):
        if not field_name(header):
            raise ValueError(f"{header!r} is no name of a header field")
        self.header = header
        self.accept = accept
        self.echo = echo
        self.length = length
        self.name = header.lower().encode()
        self.start = b"\r\n" + header.encode() + b": "

    cdef bint given(self, Request request) noexcept:
        """Take the id that the client chose; False when it did not, or not sanely."""
        cdef Py_ssize_t i
        cdef const char *text
        cdef uint32_t size
        cdef int at = request.find_field(PyBytes_AS_STRING(self.name), len(self.name), 0)
        if at < 0 or request.find_field(PyBytes_AS_STRING(self.name), len(self.name), at + 1) >= 0:
            return False
        text = PyBytes_AS_STRING(request.head) + request.fields[at].value_off
        size = request.fields[at].value_len
        if size == 0 or size > self.length:
            return False
        for i in range(size):
            if not is_id_byte(text[i]):
                return False
        request.id_at = text
        request.id_size = size
        return True


@cython.freelist(64)
@cython.final
cdef class Request:
    """One HTTP request, as handlers, middleware and security providers see it.

    method, path (raw, without the query), template; path_params, query, headers, cookies: values typed by the
    specification; undeclared ones are text. body: the decoded and validated body, raw_body its bytes. auth: what
    the security providers found, by scheme name. id: what the client calls the request when that is sane, else new.
    state: a dict for middleware and handlers to share.
    """

    def __cinit__(self):
        self.fields = self.inline_fields
        self.captures = self.inline_captures

    def __dealloc__(self):
        if self.fields != self.inline_fields:
            PyMem_Free(self.fields)
        if self.captures != self.inline_captures:
            PyMem_Free(self.captures)

    cdef int adopt(self, bytes owner, uint32_t length, const brrt_head *head) except -1:
        """Take the index of the head that `owner` begins with."""
        cdef brrt_field *fields = self.inline_fields
        if head.count > INLINE_FIELDS:
            fields = <brrt_field *>PyMem_Malloc(head.count * sizeof(brrt_field))
            if fields == NULL:
                raise MemoryError
            self.fields = fields
        memcpy(fields, head.fields, head.count * sizeof(brrt_field))
        if head.path.off != head.target.off and head.first[BRRT_FIELD_HOST] >= 0:
            take_host_of_target(PyBytes_AS_STRING(owner), head, &fields[head.first[BRRT_FIELD_HOST]])
        self.method_span = head.method
        self.path_span = head.path
        self.query_span = head.query
        self.field_count = head.count
        self.head = owner
        self.head_length = length
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

    cdef bint repeatable(self) noexcept:
        """Whether `repeated` may be asked: all that is known of the head stands in this object."""
        return self.fields == self.inline_fields and self.captures == self.inline_captures

    cdef Request repeated(self):
        """A new request whose head is the same bytes, with all that follows from them: index, route, captures.

        Nothing that a handler may change is taken over, so that it does not matter what became of this one.
        """
        cdef Request other = Request.__new__(Request)
        other.head = self.head
        other.head_length = self.head_length
        other.method_span = self.method_span
        other.path_span = self.path_span
        other.query_span = self.query_span
        other.keep_alive = True
        other.is_head = self.is_head
        other.verdict = self.verdict
        other.allowed = self.allowed
        other.preflight = self.preflight
        other.lines = self.lines
        other.http_minor = self.http_minor
        other.field_count = self.field_count
        memcpy(other.inline_fields, self.inline_fields, self.field_count * sizeof(brrt_field))
        other.captured = self.captured
        other.captured_high = self.captured_high
        other.captured_decoded = self.captured_decoded
        other.capture_count = self.capture_count
        memcpy(other.inline_captures, self.inline_captures, self.capture_count * sizeof(brrt_span))
        other.content_type = self.content_type
        other.cookie = self.cookie
        other.service = self.service
        other.operation = self.operation
        other.ids = self.ids
        other.fixed = self.fixed
        other.id_is_new = self.id_is_new
        other.client_ = self.client_
        return other

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

    cdef int find_field(self, const char *name, Py_ssize_t length, uint32_t start) noexcept:
        """The index of the first field from `start` on with a name, given in lower case; -1 when there is none."""
        cdef uint32_t i
        cdef const char *base = PyBytes_AS_STRING(self.head)
        for i in range(start, self.field_count):
            if self.fields[i].name_len == length and same_name(base + self.fields[i].name_off, name, length):
                return <int>i
        return -1

    cdef bint has_conditions(self) noexcept:
        """Whether a field with a condition is there: If-Match and the like (RFC 9110 section 13.1)."""
        return (self.find_field(b"if-none-match", 13, 0) >= 0 or self.find_field(b"if-modified-since", 17, 0) >= 0
                or self.find_field(b"if-match", 8, 0) >= 0 or self.find_field(b"if-unmodified-since", 19, 0) >= 0)

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

    def raw_headers(self):
        """All header fields as (name in lower case, value), as bytes and in their order."""
        cdef uint32_t i
        cdef const char *base = PyBytes_AS_STRING(self.head)
        cdef list found = []
        for i in range(self.field_count):
            name = base[self.fields[i].name_off:self.fields[i].name_off + self.fields[i].name_len]
            value = base[self.fields[i].value_off:self.fields[i].value_off + self.fields[i].value_len]
            found.append((name.lower(), value))
        return found

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

    def when_gone(self, callback, bint at_eof=False):
        """Let `callback()` be called when the connection ends before the answer does.

        at_eof: a client that sends no more is taken for gone, though it could still read.
        """
        self.on_gone = callback
        self.gone_at_eof = at_eof

    cdef int tell_gone(self) except -1:
        callback, self.on_gone = self.on_gone, None
        if callback is not None:
            callback()
        return 0

    @property
    def last_event_id(self):
        """The id of the last event that the client has seen, when it comes back to an event stream; else None."""
        text = self.header("last-event-id")  # UTF-8, as browsers send it
        return None if text is None else text.encode("latin-1").decode("utf-8", "replace")

    @property
    def state(self):
        """A dict for middleware and handlers to share what they know of this request."""
        if self.state_ is None:
            self.state_ = {}
        return self.state_

    @property
    def id(self):
        if self.id_ is None:
            self.find_id()
            self.id_ = latin1(self.id_at, self.id_size)
        return self.id_

    cdef int find_id(self) except -1:
        """Decide what the id is, once."""
        if self.id_at != NULL or (
                self.ids is not None and self.ids.accept and not self.id_is_new and self.ids.given(self)):
            return 0
        make_id(<uint8_t *>self.new_id)
        self.id_at = self.new_id
        self.id_size = NEW_ID
        return 0

    cdef bint tells_id(self) noexcept:
        """Whether the answer tells the id."""
        return self.ids is not None and self.ids.echo

    cdef bytes id_line(self):
        """The field line with the id after a CR LF; empty where answers do not tell it."""
        if not self.tells_id():
            return b""
        self.find_id()
        return self.ids.start + self.id_at[:self.id_size]

    cdef bytes decided_lines(self):
        """Header lines of the answer that the request decides."""
        if self.added_lines is None:
            return b"" if self.lines is None else self.lines
        return self.added_lines if self.lines is None else self.lines + self.added_lines

    cdef bint encrypted(self):
        """Whether the client speaks TLS, where fields of the answer depend on that."""
        return self.fixed.depends and self.scheme == "https"

    def add_answer_field(self, str name not None, str value not None):
        """Let the answer have a header field, whoever makes the answer.  Raises ValueError for what cannot be one."""
        line = field_line(name, value)
        self.added_lines = line if self.added_lines is None else self.added_lines + line

    def precondition(self, *, etag=None, last_modified=None, exists=True):
        """Hold the conditions of the request against the current state (RFC 9110 section 13): None to go on.

        Otherwise the answer: 412 for a change that was based on another state, 304 for GET and HEAD when the client has
        the state already.  etag: `"x"` or `W/"x"`.  last_modified: POSIX seconds or a datetime.  exists: whether there
        is something at this place.
        """
        from brrtrouter.core.preconditions import precondition
        return precondition(self, etag, last_modified, exists)

    @property
    def client(self):
        """(host, port) of the client, None when it has no such address.

        Of the peer of the connection, or, where that is a trusted proxy, what it says.
        """
        return None if self.client_ is None else self.client_.about(self.header).client

    @property
    def peer(self):
        """The `brrtrouter.core.peer.Peer` that is the other end of the connection; None without one."""
        return self.client_

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
