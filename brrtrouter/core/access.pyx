"""`AccessLines`: one line for each answered request, made where the request ends and written elsewhere.

The line is put together in one block of memory, without an object for it, because a thread that would do it with Python
objects takes the interpreter away from the requests.  All that clients send is escaped: outside of the escapes of JSON
a line has printable ASCII only, so that nobody can forge a line or speak to a terminal.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcpy
from libc.time cimport strftime, time_t, tm
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from brrtrouter.core.request cimport Request

import json as json_module

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object table, object key) except? NULL

cdef extern from "<time.h>" nogil:
    tm *gmtime_r(const time_t *at, tm *parts)

cdef enum:
    LONGEST = 2048      # bytes of a path or a query; the rest is cut
    LONGEST_FIELD = 512 # characters of other texts
    NAMES = 1024        # names of queries that are remembered
    FIXED = 2048        # more than what does not come from the client takes
    SECOND = 1_000_000_000

cdef bytes MASK = b"<REDACTED>"
cdef const char *HEX = b"0123456789abcdef"


cdef class AccessLines:
    """The lines of an access log.

    capacity: bytes that may wait to be taken; what comes when they are full is dropped and counted.  json: objects,
    else text for people.  errors_only, share: which lines are written: those with a status of 400 and more, or that
    share of all, and every one with 500 and more.  most: lines a second, 0 for any number.  secret: says whether the
    value of a name is not for logs.  agent: with User-Agent.  headers: names of more fields.  masks_client,
    hides_path: leave out what tells of persons.  wake: called when there is something to take.
    """

    def __cinit__(self, *, Py_ssize_t capacity, bint json=True, bint errors_only=False, double share=1.0,
                  uint64_t most=0, secret=None, bint agent=True, headers=(), bint masks_client=False,
                  bint hides_path=False, wake=None):
        self.room = <char *>PyMem_Malloc(capacity)
        if self.room == NULL:
            raise MemoryError
        self.capacity = capacity
        self.json = json
        self.errors_only = errors_only
        self.share = <uint64_t>(share * 4294967296.0)
        self.most = most
        self.secret = secret
        self.agent = agent
        self.headers = tuple(headers)
        self.masks_client = masks_client
        self.hides_path = hides_path
        self.wake = wake
        self.second = <uint64_t>-1
        self.stamped = -1
        self.names = {}
        self.routes = {}
        self.state = 0x9e3779b97f4a7c15

    def __dealloc__(self):
        PyMem_Free(self.room)

    def take(self):
        """(lines, how many were dropped since the last time)."""
        lines = PyBytes_FromStringAndSize(self.room, self.size)
        dropped = self.dropped
        self.size = 0
        self.dropped = 0
        return lines, dropped

    def write(self, Request request not None):
        """Write the line of a request at once, as if it had just been answered."""
        self.add(request, 0, 0)

    cdef bint wanted(self, int status, uint64_t now) noexcept:
        cdef uint64_t second = now // SECOND
        if second != self.second:
            self.tell_time(now)
            self.written = 0
        if self.errors_only:
            if 0 < status < 400:
                return False
        elif self.share < 4294967296 and 0 < status < 500:
            self.state = self.state * <uint64_t>6364136223846793005 + <uint64_t>1442695040888963407
            if (self.state >> 32) >= self.share:
                return False
        if self.most != 0 and self.written >= self.most:
            self.dropped += 1
            return False
        self.written += 1
        return True

    cdef int tell_time(self, uint64_t now) noexcept:
        """The clock that counts has come to another second: what the wall says, see `stamp`."""
        cdef timespec at
        clock_gettime(CLOCK_REALTIME, &at)
        self.second = now // SECOND
        self.offset = <uint64_t>at.tv_sec * SECOND + <uint64_t>at.tv_nsec - now
        return 0

    cdef int add(self, Request request, uint64_t began, uint64_t now) except -1:
        """Write the line of a request that has ended."""
        cdef Py_ssize_t most = FIXED + 6 * (min(<Py_ssize_t>request.path_span.len, LONGEST)
                                            + 2 * min(<Py_ssize_t>request.query_span.len, LONGEST) + 4 * LONGEST_FIELD)
        cdef Py_ssize_t before = self.size
        if not self.wanted(request.status, now):
            return 0
        most += 6 * LONGEST_FIELD * len(self.headers)
        if self.capacity - self.size < most:
            self.dropped += 1
            return 0
        try:
            if self.json:
                self.write_json(request, began, now)
            else:
                self.write_pretty(request, began, now)
        except Exception:
            self.size = before
            self.dropped += 1
        if before == 0 and self.size != 0 and self.wake is not None:
            self.wake()
        return 0

    # -- pieces; there is room for all of them

    cdef int put(self, const char *text, Py_ssize_t length) noexcept:
        memcpy(self.room + self.size, text, length)
        self.size += length
        return 0

    cdef int put_bytes(self, bytes text) noexcept:
        return self.put(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))

    cdef int put_number(self, uint64_t number) noexcept:
        cdef char digits[20]
        cdef int at = 20
        while True:
            at -= 1
            digits[at] = <char>(48 + number % 10)
            number //= 10
            if number == 0:
                break
        return self.put(digits + at, 20 - at)

    cdef int escaped(self, const char *text, Py_ssize_t length) noexcept:
        """What a client sent, as the inside of a string of JSON: octets as Latin-1."""
        cdef Py_ssize_t i
        cdef unsigned char c
        cdef char *to = self.room + self.size
        for i in range(length):
            c = <unsigned char>text[i]
            if 0x20 <= c < 0x7f and c != c'"' and c != c"\\":
                to[0] = <char>c
                to += 1
            elif c == c'"' or c == c"\\":
                to[0] = c"\\"
                to[1] = <char>c
                to += 2
            else:
                memcpy(to, b"\\u00", 4)
                to[4] = HEX[c >> 4]
                to[5] = HEX[c & 15]
                to += 6
        self.size = to - self.room
        return 0

    cdef int put_id(self, Request request) except -1:
        """The id of a request; one that was taken from its head was looked at, and has nothing to escape."""
        request.find_id()
        return self.put(request.id_at, min(request.id_size, LONGEST_FIELD))

    cdef int put_text(self, object text) except -1:
        """A text of any characters as a string of JSON."""
        cdef bytes dumped = json_module.dumps(text[:LONGEST_FIELD]).encode()
        return self.put_bytes(dumped)

    cdef bint is_secret(self, const char *name, Py_ssize_t length) except -1:
        cdef bytes key
        cdef PyObject *known
        if self.secret is None:
            return False
        key = name[:length]
        known = PyDict_GetItemWithError(self.names, key)
        if known != NULL:
            return <object>known is True
        verdict = bool(self.secret(key))
        if len(self.names) < NAMES:
            self.names[key] = verdict
        return verdict

    cdef int query(self, const char *text, Py_ssize_t length) except -1:
        """A query whose secret values are masked."""
        cdef Py_ssize_t at = 0, end, equals
        cdef const char *found
        while at < length:
            found = <const char *>memchr(text + at, c"&", length - at)
            end = length if found == NULL else found - text
            found = <const char *>memchr(text + at, c"=", end - at)
            equals = end if found == NULL else found - text
            if equals < end and self.is_secret(text + at, equals - at):
                self.escaped(text + at, min(equals - at + 1, LONGEST))
                self.put_bytes(MASK)
            else:
                self.escaped(text + at, end - at)
            if end < length:
                self.put(b"&", 1)
            at = end + 1
        return 0

    cdef bytes route(self, object operation):
        """The path template as a string of JSON."""
        cdef PyObject *known = PyDict_GetItemWithError(self.routes, operation)
        if known != NULL:
            return <bytes>known
        made = json_module.dumps(operation.path).encode()
        if len(self.routes) < 65536 and len(made) < FIXED // 2:
            self.routes[operation] = made
        return made if len(made) < FIXED // 2 else b'"..."'

    cdef object client(self, Request request):
        """The address of a client, None when it has none or is not to be told."""
        if request.client_ is None or self.masks_client:
            return None
        if request.client_.proxies is None:
            address = request.client_.address
        else:
            address = request.client
        return None if address is None else address[0]

    # -- lines

    cdef int write_time(self, uint64_t now) noexcept:
        cdef uint64_t wall = now + self.offset
        cdef time_t seconds = <time_t>(wall // SECOND)
        cdef uint64_t rest = wall % SECOND // 1000
        cdef tm parts
        cdef char micros[8]
        cdef int i
        if seconds != self.stamped:
            gmtime_r(&seconds, &parts)
            strftime(self.stamp, 20, b"%Y-%m-%dT%H:%M:%S", &parts)
            self.stamped = seconds
        self.put(self.stamp, 19)
        micros[0] = c"."
        for i in range(6, 0, -1):
            micros[i] = <char>(48 + rest % 10)
            rest //= 10
        micros[7] = c"Z"
        return self.put(micros, 8)

    cdef int write_milliseconds(self, uint64_t took) noexcept:
        cdef uint64_t micros = took // 1000
        cdef char digits[4]
        self.put_number(micros // 1000)
        micros %= 1000
        digits[0] = c"."
        digits[1] = <char>(48 + micros // 100)
        digits[2] = <char>(48 + micros // 10 % 10)
        digits[3] = <char>(48 + micros % 10)
        return self.put(digits, 4)

    cdef int write_json(self, Request request, uint64_t began, uint64_t now) except -1:
        cdef const char *head = NULL if request.head is None else PyBytes_AS_STRING(request.head)
        self.put(b'{"time":"', 9)
        self.write_time(now)
        self.put(b'","level":"info","logger":"brrtrouter.access","request_id":"', 60)
        self.put_id(request)
        self.put(b'"', 1)
        if head != NULL:
            self.put(b',"method":"', 11)
            self.escaped(head + request.method_span.off, min(request.method_span.len, 64))
            self.put(b'"', 1)
            if request.operation is not None:
                self.put(b',"route":', 9)
                self.put_bytes(self.route(request.operation))
            if not self.hides_path:
                self.put(b',"path":"', 9)
                self.escaped(head + request.path_span.off, min(request.path_span.len, LONGEST))
                self.put(b'"', 1)
            if request.query_span.len:
                self.put(b',"query":"', 10)
                self.query(head + request.query_span.off, min(request.query_span.len, LONGEST))
                self.put(b'"', 1)
        if request.status:
            self.put(b',"status":', 10)
            self.put_number(request.status)
        else:
            self.put(b',"status":null', 14)
        self.put(b',"duration_ms":', 15)
        self.write_milliseconds(now - began)
        self.put(b',"bytes":', 9)
        self.put_number(request.sent)
        self.fields(request)
        self.put(b"}\n", 2)
        return 0

    cdef int fields(self, Request request) except -1:
        """What not every request has."""
        cdef int at
        client = self.client(request)
        if client is not None:
            self.put(b',"client":', 10)
            self.put_address(client)
        if self.agent:
            at = request.find_field(b"user-agent", 10, 0)
            if at >= 0:
                self.put(b',"user_agent":"', 15)
                self.escaped(PyBytes_AS_STRING(request.head) + request.fields[at].value_off,
                             min(request.fields[at].value_len, LONGEST_FIELD))
                self.put(b'"', 1)
        for name in self.headers:
            value = request.header(name)
            if value is not None:
                self.put(b",", 1)
                self.put_text("header." + name)
                self.put(b":", 1)
                if self.is_secret(name.encode(), len(name)):
                    value = MASK.decode()
                self.put_text(value)
        if type(request.auth) is dict and not self.masks_client:
            for principal in request.auth.values():
                subject = getattr(principal, "subject", None)
                if subject is not None:
                    self.put(b',"subject":', 11)
                    self.put_text(str(subject))
                    break
        if request.trace is not None:
            trace_id, span_id = request.trace.trace_id, request.trace.span_id
            if trace_id is not None:
                self.put(b',"trace_id":', 12)
                self.put_text(trace_id)
                self.put(b',"span_id":', 11)
                self.put_text(span_id)
        return 0

    cdef int put_address(self, str client) except -1:
        """The address of a client; those of a connection are all the same text."""
        if client is not self.last_client:
            self.last_client = client
            self.last_text = json_module.dumps(client[:LONGEST_FIELD]).encode()
        return self.put_bytes(self.last_text)

    cdef int write_pretty(self, Request request, uint64_t began, uint64_t now) except -1:
        cdef const char *head = NULL if request.head is None else PyBytes_AS_STRING(request.head)
        self.write_time(now)
        self.put(b" ", 1)
        if request.status:
            self.put_number(request.status)
        else:
            self.put(b"---", 3)
        self.put(b" ", 1)
        if head != NULL:
            self.escaped(head + request.method_span.off, min(request.method_span.len, 64))
            self.put(b" ", 1)
            if self.hides_path:
                self.put_bytes(b"*" if request.operation is None else self.route(request.operation))
            else:
                self.escaped(head + request.path_span.off, min(request.path_span.len, LONGEST))
            if request.query_span.len:
                self.put(b"?", 1)
                self.query(head + request.query_span.off, min(request.query_span.len, LONGEST))
            self.put(b" ", 1)
        self.write_milliseconds(now - began)
        self.put(b" ms ", 4)
        self.put_number(request.sent)
        self.put(b" bytes id ", 10)
        self.put_id(request)
        self.fields(request)
        self.put(b"\n", 1)
        return 0
