"""`Response` and its encoding: one allocation for head and body, from pieces that are made once.

Wire format: RFC 9112 sections 4 and 6, Date by RFC 9110 section 6.6.1.  Header fields that an application sets are
checked here and nowhere else: a CR, LF or NUL in one raises and is never written (RFC 9110 5.5).
"""

import time
from http import HTTPStatus

import orjson

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy
from posix.time cimport clockid_t, clock_gettime, timespec

from brrtrouter.core.lines cimport FixedFields, checked_value, valid_name
from brrtrouter.core.request cimport Request

from brrtrouter.errors import PROBLEMS, problem
from brrtrouter.jsontext import dumps

cdef extern from *:
    """
    #include <time.h>
    /* The clock that is read for every answer may lag by a tick: Date has whole seconds. */
    #ifdef CLOCK_REALTIME_COARSE
    #define BRRT_DATE_CLOCK CLOCK_REALTIME_COARSE
    #else
    #define BRRT_DATE_CLOCK CLOCK_REALTIME
    #endif
    """
    const clockid_t BRRT_DATE_CLOCK

cdef enum:
    DIGITS = 20  # of the largest length

cdef object orjson_dumps = orjson.dumps  # found once, not for every answer
# What the encoder itself writes.
cdef frozenset OWN_FIELDS = frozenset({b"content-length", b"transfer-encoding", b"date", b"connection"})

cdef dict phrases = {status.value: status.phrase for status in HTTPStatus}
cdef dict prefixes = {}
cdef bytes date_line = b""
cdef long date_second = -1


cdef bytes dump_json(object value):
    """JSON text; the detour for integers of any size is taken only when orjson refuses."""
    try:
        return orjson_dumps(value)
    except TypeError:
        return dumps(value)


cdef tuple DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
cdef tuple MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


cdef bytes imf_fixdate(seconds):
    """A date as RFC 9110 section 5.6.7 wants it, in English whatever the locale is."""
    at = time.gmtime(seconds)
    return (f"{DAYS[at.tm_wday]}, {at.tm_mday:02} {MONTHS[at.tm_mon - 1]} {at.tm_year:04} "
            f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT").encode()


cdef bytes current_date():
    """The Date field line, formatted once a second."""
    global date_line, date_second
    cdef timespec now
    clock_gettime(BRRT_DATE_CLOCK, &now)
    if now.tv_sec != date_second:
        date_line = b"\r\nDate: " + imf_fixdate(now.tv_sec)
        date_second = now.tv_sec
    return date_line


cdef bytes prefix_for(int status, str media_type):
    """Status line and Content-Type up to the value of Content-Length; made once for each pair."""
    key = (status, media_type)
    found = prefixes.get(key)
    if found is None:
        found = status_line(status) + b"\r\n"
        if media_type is not None:
            found += b"Content-Type: " + checked_value("Content-Type", media_type) + b"\r\n"
        found += b"Content-Length: "
        if len(prefixes) < 4096:  # media types come from the application, but it may compute them
            prefixes[key] = found
    return found


cdef bytes own_lines(Request request, object headers):
    """Connection, the id of the request and the application's header fields, as they go out after a first CR LF."""
    if headers:
        return request_lines(request) + field_lines(headers, request)
    return plain_lines(request) + request.id_line()


cdef bytes field_lines(object headers, Request request):
    """The application's own header fields, each checked, and what every answer has when it is not among them."""
    cdef bytes id_name = request.ids.name if request.ids is not None and request.ids.echo else None
    cdef FixedFields fixed = request.fixed
    cdef set own = None
    lines = []
    for name, value in headers.items() if hasattr(headers, "items") else headers:
        raw = name.encode("latin-1") if isinstance(name, str) else bytes(name)
        if not valid_name(raw):
            raise ValueError(f"{name!r} is no name of a header field")
        lower = raw.lower()
        if lower in OWN_FIELDS:
            raise ValueError(f"the header field {name!r} is set by the server")
        if lower == id_name:
            id_name = None
        if lower == b"upgrade":
            lines.append(b"\r\nConnection: Upgrade")  # RFC 9110 7.8
        if fixed is not None and lower in fixed.names:
            own = {lower} if own is None else own | {lower}
        for item in value if isinstance(value, (list, tuple)) else (value,):
            lines.append(b"\r\n" + raw + b": " + checked_value(name, item if isinstance(item, bytes) else str(item)))
    if fixed is not None:
        encrypted = request.encrypted()
        lines.append(fixed.lines(encrypted) if own is None else fixed.without(own, encrypted))
    if id_name is not None:
        lines.append(request.id_line())
    return b"".join(lines)


cdef bytes request_lines(Request request):
    """The header lines that the request decides, whatever the answer is."""
    cdef bytes line
    if request.keep_alive and request.http_minor == 1:
        return request.decided_lines()
    return (b"\r\nConnection: keep-alive" if request.keep_alive else b"\r\nConnection: close") + request.decided_lines()


cdef bytes plain_lines(Request request):
    """The header lines of an answer for which the application has set none."""
    if request.fixed is None:
        return request_lines(request)
    return request_lines(request) + request.fixed.lines(request.encrypted())


cdef inline int decimal(Py_ssize_t value, char *end) noexcept:
    """Write a length so that it ends before `end`; how many digits it has."""
    cdef int count = 0
    while True:
        count += 1
        end[-count] = <char>(c"0" + value % 10)
        value //= 10
        if value == 0:
            return count


cdef bytes assemble(bytes prefix, Py_ssize_t length, bytes lines, Request told, bytes body):
    """prefix + digits of length (unless negative) + date + lines + the id of `told` + empty line + body.

    `told` is None where no id is told, or where it stands in `lines`.  All in one allocation.
    """
    cdef char digits[DIGITS]
    cdef int count = decimal(length, digits + DIGITS) if length >= 0 else 0
    cdef bytes date = current_date()
    cdef Py_ssize_t total = (PyBytes_GET_SIZE(prefix) + count + PyBytes_GET_SIZE(date) + PyBytes_GET_SIZE(lines) + 4
                             + PyBytes_GET_SIZE(body))
    cdef bytes out
    cdef char *at
    if told is not None:
        told.find_id()
        total += PyBytes_GET_SIZE(told.ids.start) + told.id_size
    out = PyBytes_FromStringAndSize(NULL, total)
    at = put(put(PyBytes_AS_STRING(out), PyBytes_AS_STRING(prefix), PyBytes_GET_SIZE(prefix)),
             digits + DIGITS - count, count)
    at = put(at, PyBytes_AS_STRING(date), PyBytes_GET_SIZE(date))
    at = put(at, PyBytes_AS_STRING(lines), PyBytes_GET_SIZE(lines))
    if told is not None:
        at = put(put(at, PyBytes_AS_STRING(told.ids.start), PyBytes_GET_SIZE(told.ids.start)), told.id_at, told.id_size)
    put(put(at, b"\r\n\r\n", 4), PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
    return out


cdef inline char *put(char *at, const char *piece, Py_ssize_t length) noexcept:
    """Write a piece; where the next one goes."""
    memcpy(at, piece, length)
    return at + length


cdef bytes encode_plain(Request request, int status, bytes prefix, bytes body):
    """An answer without header fields of its own."""
    cdef Request told = request if request.tells_id() else None
    if has_no_body(status):
        return assemble(status_line(status), -1, plain_lines(request), told, b"")
    return assemble(prefix, PyBytes_GET_SIZE(body), plain_lines(request), told, b"" if request.is_head else body)


cdef bytes encode_response(Request request, Response response):
    """The bytes of a response whose body is not a stream."""
    cdef object media_type = media_type_for(response.body, response.media_type)
    cdef int status = response.status
    cdef bytes body = body_bytes(response.body, media_type)
    cdef bytes lines = own_lines(request, response.headers)
    prefix = prefix_for(status, media_type)
    if has_no_body(status):
        return assemble(status_line(status), -1, lines, None, b"")
    return assemble(prefix, PyBytes_GET_SIZE(body), lines, None, b"" if request.is_head else body)


cdef object media_type_for(object value, object media_type):
    """The Content-Type of a body; None when there is neither."""
    if media_type or value is None:
        return media_type
    return "application/octet-stream" if isinstance(value, (bytes, bytearray, memoryview)) else "application/json"


cdef bytes body_bytes(object value, object media_type):
    if value is None:
        return b""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str) and not is_json(media_type):
        return (<str>value).encode()
    return dump_json(value)


def sent_body(Response response not None):
    """(media type or None, bytes): the body of a response, which is no stream, as it goes out.

    Raises TypeError for what JSON has no place for.
    """
    media_type = media_type_for(response.body, response.media_type)
    return media_type, body_bytes(response.body, media_type)


cdef bint has_no_body(int status):
    """204 and 304 have neither a body nor framing fields (RFC 9110 8.6, RFC 9112 6.1)."""
    return status == 204 or status == 304


cdef bytes status_line(int status):
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is no final HTTP status")
    return f"HTTP/1.1 {status} {phrases.get(status, '')}".encode()


cdef bytes stream_head(Request request, Response response, bint chunked, Py_ssize_t length):
    """The head of a stream: chunked, or with a length, or neither (-1) where the end of the connection is its end."""
    cdef bytes lines = own_lines(request, response.headers)
    if chunked:
        lines = b"\r\nTransfer-Encoding: chunked" + lines
    elif length >= 0:
        lines = b"\r\nContent-Length: %d" % length + lines
    media_type = response.media_type or "application/octet-stream"
    lines = b"\r\nContent-Type: " + checked_value("Content-Type", media_type) + lines
    return assemble(status_line(response.status), -1, lines, None, b"")


cdef bytes switch_head(Request request, Response response):
    """The head of a 101, which has neither a body nor framing fields."""
    return assemble(b"HTTP/1.1 101 Switching Protocols", -1, own_lines(request, response.headers), None, b"")


cdef tuple response_parts(Request request, Response response):
    """(status, fields, body): what another server encodes; field names in lower case, the body bytes or a stream.

    Date is left to that server, and so is everything that concerns the connection.
    """
    cdef bint stream = response.is_stream()
    cdef object body = response.body if stream else b""
    cdef list fields = []
    cdef bytes lines = request.decided_lines()
    if response.headers:
        lines += field_lines(response.headers, request)
    else:
        if request.fixed is not None:
            lines += request.fixed.lines(request.encrypted())
        lines += request.id_line()
    status_line(response.status)
    for line in lines.split(b"\r\n")[1:]:
        name, _, value = line.partition(b": ")
        if name == b"Connection":
            continue
        fields.append((name.lower(), value))
    if has_no_body(response.status):
        return response.status, fields, body
    if stream:
        media_type = response.media_type or "application/octet-stream"
        if hasattr(body, "content_length"):
            fields.insert(0, (b"content-length", str(body.content_length).encode()))
    else:
        media_type = media_type_for(response.body, response.media_type)
        body = body_bytes(response.body, media_type)
        fields.insert(0, (b"content-length", str(len(body)).encode()))
    if media_type is not None:
        fields.insert(0, (b"content-type", checked_value("Content-Type", media_type)))
    return response.status, fields, body


cdef bint is_json(str media_type):
    essence = media_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")


cdef class Response:
    """An HTTP answer.

    body: None, bytes, text, anything that JSON can express, or an asynchronous iterator of bytes or text, which is sent
    as it comes: chunked, or as long as its attribute `content_length` says.  headers: a mapping, or (name, value)
    pairs; a list of values repeats the field.  media_type: the Content-Type; by default application/json for values
    and application/octet-stream for bytes.

    Raises ValueError when it is encoded: a malformed header name or value, or one of the fields that the server sets
    itself (Content-Length, Transfer-Encoding, Date, Connection).
    """

    def __init__(self, int status=200, body=None, headers=None, media_type=None):
        self.status = status
        self.body = body
        self.headers = headers
        self.media_type = media_type

    cdef bint is_stream(self):
        body = self.body
        return body is not None and not isinstance(body, (dict, list, str, bytes, int)) and hasattr(body, "__aiter__")

    def add_header(self, str name not None, value):
        """Add a header field, keeping those of the same name."""
        if self.headers is None:
            self.headers = []
        elif hasattr(self.headers, "items"):
            self.headers = list(self.headers.items())
        else:
            self.headers = list(self.headers)
        self.headers.append((name, value))

    def __repr__(self):
        return f"<Response {self.status}>"


def problem_response(str slug not None, str detail not None, *, faults=(), extra=None, headers=None):
    """The answer for a problem of `brrtrouter.errors.PROBLEMS` as application/problem+json (RFC 9457)."""
    return Response(PROBLEMS[slug].status, orjson.dumps(problem(slug, detail, faults=faults, extra=extra)), headers,
                    "application/problem+json")
