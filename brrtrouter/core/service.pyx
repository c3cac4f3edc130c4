"""`Service`: everything that is decided when an application starts, and the walk of one request through it.

A service never changes; a reload makes another.  The order of checks is the one of docs/architecture.md:
route (404, 405), size (413, in the protocol), security (401, 403), parameters (400), media type (415), body (400),
middleware and handler, encoding.  Nothing here raises because of what a client sent: outcomes are results.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport uint32_t
from libc.string cimport memcmp

from brrtrouter.core.arguments cimport ArgumentParser, Schema
from brrtrouter.core.cors cimport CrossOrigin
from brrtrouter.core.csrc cimport (
    BRRT_FIELD_CONTENT_TYPE,
    BRRT_NO_MATCH,
    BRRT_NO_METHOD,
    BRRT_NO_SPACE,
    BRRT_OK,
    brrt_match,
    brrt_matcher_method,
    brrt_status,
    brrt_status_text,
)
from brrtrouter.core.jsonread cimport read_json
from brrtrouter.core.lines cimport FixedFields
from brrtrouter.core.matcher cimport Matcher
from brrtrouter.core.meter cimport INVALID, Meter
from brrtrouter.core.observer cimport Observer, authorized, handled, valid
from brrtrouter.core.request cimport Request, RequestIds
from brrtrouter.core.response cimport Response, dump_json, encode_plain, encode_response, prefix_for

from brrtrouter.core.bodies import UNJUDGED, Accepted, BodyError, judge
from brrtrouter.core.codings import CodingError, Decoders
from brrtrouter.core.media import parse_media_type, precedence
from brrtrouter.core.response import problem_response
from brrtrouter.errors import BodyStreamError, Fault

cdef extern from "Python.h":
    int PyIter_Send(object iterator, object value, PyObject **result) except -1

cdef enum:
    STACK_PATH = 1024
    YIELDED = 1  # PYGEN_NEXT


# Methods that llhttp reads as HTTP in every release; others may be unknown to it or belong to other protocols.
cdef frozenset JUDGED_METHODS = frozenset(
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"])


cdef object drive(object coroutine):
    """The result of a coroutine that does not suspend, without a Task and without an exception for its result."""
    cdef PyObject *result = NULL
    cdef int state = PyIter_Send(coroutine, None, &result)
    value = <object>result
    Py_DECREF(value)
    if state == YIELDED:
        coroutine.close()
        raise RuntimeError("a coroutine suspended although its code has nothing to wait for")
    return value


def run_inline(coroutine):
    """Drive a coroutine that never suspends and return its result; RuntimeError when it does suspend."""
    return drive(coroutine)


cdef class Body:
    """What an operation accepts as its body.

    `content` is an iterable of `brrtrouter.spec.model.MediaType`s, `limits` a `brrtrouter.config.Limits`.
    """

    def __init__(self, bint required, content, limits):
        entries = [
            (Accepted(media, limits), None if media.schema is None else Schema(media.schema))
            for media in sorted(content, key=precedence)
        ]
        self.required = required
        self.content = tuple(entries)
        self.plain_json = False
        for accepted, schema in entries:
            if accepted.media.essence == "application/json" and not accepted.media.parameters:
                self.plain_json = True
                self.json_schema = schema

    cdef tuple choose(self, object sent):
        """(decoder, Schema or None) for a `brrtrouter.core.media.MediaType`; None when no entry accepts it."""
        for accepted, schema in self.content:
            decode = accepted.decoder(sent)
            if decode is not None:
                return (decode, schema)
        return None

    @property
    def accepts(self):
        """The declared media types and ranges."""
        return [entry[0].media.essence for entry in self.content]


cdef int status_of(bytes answer) noexcept:
    """The status of an encoded answer: `HTTP/1.1 200 ...`."""
    cdef const char *text = PyBytes_AS_STRING(answer)
    return (text[9] - 48) * 100 + (text[10] - 48) * 10 + (text[11] - 48)


cdef bint is_json(str essence):
    return essence == "application/json" or essence.endswith("+json")


cdef class Operation:
    """One operation with everything a request to it needs.

    call: takes the request, gives the result as `mode` says.  security: None, or takes the request and gives None to
    let it pass or a Response to refuse it; where `security_mode` is TASK, also a coroutine for one of these when it
    has to wait.  media_types: status -> media type of a plain
    result.  parser None: the operation takes no parameters and no body (built-in endpoints).  stream_body: the handler
    starts before the body is read, and reads it from `request.stream()`.  raw_content: it gets a body with a
    Content-Encoding as it came.  deadline: seconds until the handler has to have an answer, 0 for no end, -1 for the
    limit `handler_time`.  foreign: an application of its own answers, and nothing is said of origins in its place.
    upgrades: a request may be answered with 101 and a body that takes the connection, see `Connection.switch`.
    scope: None, or gives a context manager that is open while parameters and body are judged.
    """

    def __init__(self, *, method, path, handler, call, mode, model=None, parser=None, body=None, security=None,
                 security_mode=Mode.SYNC, success_status=200, media_types=None, max_body=-1, stream_body=False,
                 raw_content=False, deadline=-1.0, foreign=False, upgrades=False, scope=None):
        self.index = -1
        self.foreign = foreign
        self.upgrades = upgrades
        self.scope = scope
        self.method = method
        self.path = path
        self.handler = handler
        self.call = call
        self.mode = mode
        self.model = model
        self.parser = parser
        self.request_body = body
        self.security = security
        self.security_mode = security_mode
        self.success_status = success_status
        self.media_types = media_types or {}
        self.max_body = max_body
        self.stream_body = stream_body
        self.deadline = deadline
        self.raw_content = raw_content
        if self.media_types.get(success_status) is None:
            self.json_prefix = prefix_for(success_status, "application/json")

    def replace(self, call, mode):
        """The same operation with another handler."""
        made = Operation(
            method=self.method, path=self.path, handler=self.handler, call=call, mode=mode, model=self.model,
            parser=self.parser, body=self.request_body, security=self.security, security_mode=self.security_mode,
            success_status=self.success_status, media_types=self.media_types, max_body=self.max_body,
            stream_body=self.stream_body, raw_content=self.raw_content, deadline=self.deadline, foreign=self.foreign,
            upgrades=self.upgrades, scope=self.scope)
        made.fixed = self.fixed
        return made

    @property
    def suspends(self):
        """Whether answering may take a Task."""
        return self.mode == TASK or (self.security is not None and self.security_mode == TASK)

    cdef object media_type(self, int status):
        return self.media_types.get(status)

    def __repr__(self):
        return f"<Operation {self.method} {self.path} -> {self.handler}>"


cdef class Service:
    """Matcher, operations and limits, frozen.

    matcher: its values are indices into `operations`.  limits: a `brrtrouter.config.Limits`.  first_fault: a client is
    told the first fault of its request only.  around: None, or what wraps the whole walk: takes the request and a
    callable for the rest, see `wrap`.  log_error: called with the request while an exception of a handler is being
    handled.  finisher: None, or what has the last word: takes the request and a Response, gives a Response that goes
    out, or an awaitable for one; with `finishes_all` about every answer, else about those with header fields to
    conditional requests.  request_ids: a `RequestIds`, None for the usual one.  decoders: a
    `brrtrouter.core.codings.Decoders` for content codings of bodies, None for none.  meter: counts requests, by the
    places of their operations in `operations`.  cors: what answers say to other origins, by the same places.
    observer: logs and traces requests.
    fixed: header fields of every answer.
    """

    def __init__(self, Matcher matcher not None, operations, limits, *, bint auto_options=True,
                 bint first_fault=False, around=None, around_mode=Mode.SYNC, log_error, finisher=None,
                 bint finishes_all=False, RequestIds request_ids=None, decoders=None, mounts=None,
                 Meter meter=None, CrossOrigin cors=None, Observer observer=None, FixedFields fixed=None):
        self.matcher = matcher
        self.operations = tuple(operations)
        self.limits = limits
        self.head_limits.line = limits.request_line
        self.head_limits.field = limits.header_field
        self.head_limits.total = limits.head
        self.head_limits.fields = limits.header_count
        self.max_body = limits.body
        self.max_json_depth = limits.json_depth
        self.max_pipeline = limits.pipeline
        self.chunk_extension_limit = limits.chunk_extensions
        self.trailer_limit = limits.trailers
        self.auto_options = auto_options
        self.first_fault = first_fault
        self.max_errors = 1 if first_fault else limits.errors
        self.odd_methods = frozenset([op.method.encode() for op in self.operations]) - JUDGED_METHODS or None
        self.around = None if around is None else around(self.answer)
        self.around_factory = around
        self.around_mode = around_mode
        self.log_error = log_error
        self.max_ranges = limits.ranges
        self.finisher = finisher
        self.finishes_all = finishes_all
        self.request_ids = RequestIds() if request_ids is None else request_ids
        self.decoders = Decoders({}) if decoders is None else decoders
        self.mounts = mounts
        self.meter = meter
        self.observer = observer
        self.cors = cors
        self.fixed = fixed
        for index, operation in enumerate(self.operations):
            (<Operation>operation).index = index

    def replace(self, operations):
        """The same service with other operations for the same routes."""
        return Service(self.matcher, operations, self.limits, auto_options=self.auto_options,
                       first_fault=self.first_fault, around=self.around_factory, around_mode=self.around_mode,
                       log_error=self.log_error, finisher=self.finisher, finishes_all=self.finishes_all,
                       request_ids=self.request_ids, decoders=self.decoders, mounts=self.mounts,
                       meter=self.meter, cors=self.cors, observer=self.observer, fixed=self.fixed)

    cdef int route(self, Request request) except -1:
        """Everything that the head of a request decides."""
        if self.observer is not None:
            self.observer.arrive(request)
        self.find(request)
        if request.trace is not None:
            self.observer.matched(request)
        if request.operation is not None and (<Operation>request.operation).fixed is not None:
            request.fixed = (<Operation>request.operation).fixed
        if self.cors is not None and (request.operation is None or not (<Operation>request.operation).foreign):
            self.cors.mark(request, index_of(request))
            if request.operation is not None and index_of(request) < 0:
                request.preflight = False  # a folder of files answers OPTIONS itself
        return 0

    cdef int find(self, Request request) except -1:
        """Set `operation` and the captures, or `verdict`."""
        cdef brrt_match found
        cdef char scratch[STACK_PATH]
        cdef const char *head = PyBytes_AS_STRING(request.head)
        cdef const char *path = head + request.path_span.off
        cdef Py_ssize_t length = request.path_span.len
        cdef const char *query = head + request.query_span.off
        cdef int method = brrt_matcher_method(self.matcher.frozen, head + request.method_span.off,
                                              request.method_span.len)
        cdef brrt_status status
        cdef bytes room
        if length == 0:
            path = b"/"
            length = 1
        status = self.matcher.find(method, path, length, query, request.query_span.len, scratch, STACK_PATH, &found)
        if status == BRRT_NO_SPACE:
            room = PyBytes_FromStringAndSize(NULL, length)
            status = self.matcher.find(method, path, length, query, request.query_span.len, PyBytes_AS_STRING(room),
                                       length, &found)
        if status == BRRT_OK:
            request.operation = <object>PyTuple_GET_ITEM(
                self.operations, <object>PyTuple_GET_ITEM(self.matcher.values_, found.route))
            if found.count:
                request.adopt_captures(&found, request.path_span.off)
            return 0
        if status == BRRT_NO_MATCH and self.mounts is not None:
            request.operation = self.mounts(path[:length])
        request.verdict = status
        request.allowed = found.allowed
        return 0

    def answer(self, Request request not None):
        """Walk the request up to its result: a Response, a plain result, or a coroutine for one."""
        return self.start(request)

    cdef object handle(self, Request request):
        """The encoded answer; or a streaming Response; or, with `request.suspended` set, a coroutine for a result."""
        if self.meter is not None:
            self.meter.begin(request)
        if self.observer is not None:
            self.observer.begin(request)
        result = self.walk(request)
        if request.suspended:
            return result
        return self.finish(request, result)

    cdef object walk(self, Request request):
        """The result; or, with `request.suspended` set, a coroutine for it."""
        try:
            if self.around is None:
                result = self.start(request)
            else:
                result = self.around(request)
                if self.around_mode == TASK:
                    request.suspended = True
        except KeyboardInterrupt:
            raise
        except BaseException:
            result = self.failure(request)
            request.suspended = False
        return result

    cdef object start(self, Request request):
        cdef Operation operation
        if request.preflight:
            answer = self.cors.answer(request)
            if answer is not None:
                return answer
        if request.operation is None:
            return self.unrouted(request)
        operation = <Operation>request.operation
        if operation.security is None:
            return self.after_security(request, operation)
        try:
            refusal = operation.security(request)
        except BaseException:
            return self.failure(request)
        if refusal is None:
            return self.after_security(request, operation)
        if operation.security_mode == TASK and not isinstance(refusal, Response):
            request.suspended = True
            return self.secure_later(request, operation, refusal)
        self.note_refusal(request, operation, refusal)
        return refusal

    async def secure_later(self, Request request, Operation operation, object checking):
        try:
            refusal = await checking
        except Exception:
            return self.failure(request)
        if refusal is not None:
            self.note_refusal(request, operation, refusal)
            return refusal
        request.suspended = False
        result = self.after_security(request, operation)
        if request.suspended:
            result = await result
        request.suspended = True
        return result

    cdef int note_refusal(self, Request request, Operation operation, object refusal) except -1:
        """Count what security has refused, which a client that asks too often is not."""
        if self.meter is not None and not (isinstance(refusal, Response) and (<Response>refusal).status == 429):
            self.meter.note_refusal(request, operation.index, refusal)
        return 0

    cdef object after_security(self, Request request, Operation operation):
        if request.trace is not None:
            authorized(request)
        refusal = self.prepare(request, operation)
        if refusal is not None:
            if self.meter is not None:
                self.meter.note(request, operation.index, INVALID)
            return refusal
        return self.invoke(request, operation)

    cdef object prepare(self, Request request, Operation operation):
        """Decode and validate parameters and body.  None, or the Response that says what is wrong."""
        if operation.parser is None:
            return None
        if operation.scope is None:
            return self.judge_parts(request, operation)
        with operation.scope():
            return self.judge_parts(request, operation)

    cdef object judge_parts(self, Request request, Operation operation):
        cdef object faults = None
        faults = operation.parser.parse(request)
        if faults is not None and (self.first_fault or operation.request_body is None):
            return self.invalid(faults, True)
        if operation.request_body is not None:
            if not operation.raw_content and request.find_field(b"content-encoding", 16, 0) >= 0:
                refusal = self.decode_content(request, operation) if faults is None else self.invalid(faults, True)
                if refusal is not None:
                    return refusal
            if request.stream_ is not None:
                return self.check_stream(request, operation.request_body, faults)
            return self.read_body(request, operation.request_body, faults)
        return None

    cdef object invalid(self, list faults, bint parameters):
        """The answer for values that are not valid: all of them, up to the limit `errors`, or only the first."""
        cdef Py_ssize_t count = len(faults)
        if self.first_fault:
            detail = "a value is not valid"
        elif count > self.max_errors:
            detail = f"more than {self.max_errors} values are not valid; the first {self.max_errors} are listed"
        else:
            detail = "1 value is not valid" if count == 1 else f"{count} values are not valid"
        return problem_response("parameter-validation-failed" if parameters else "body-validation-failed", detail,
                                faults=faults[:self.max_errors])

    cdef object malformed(self, object faults, object fault, str slug, str kind):
        """The answer for a body that cannot be decoded; what is wrong with parameters comes first."""
        if faults is None:
            detail = f"the body is not {kind}" if slug == "malformed-body" else fault.message
            return problem_response(slug, detail, faults=[fault])
        return self.invalid(faults + [fault], True)

    cdef object decode_content(self, Request request, Operation operation):
        """Decode a body with a content coding (RFC 9110 section 8.4), or say that it is not taken."""
        text = request.header("content-encoding")
        if request.stream_ is None and not request.raw_body:
            return None
        try:
            decode = self.decoders.find(text, request.stream_ is not None)
            if decode is not None:
                request.raw_body = decode(
                    request.raw_body, operation.max_body if operation.max_body >= 0 else self.max_body)
        except CodingError as error:
            return problem_response(error.slug, str(error), headers=error.headers)
        return None

    cdef object read_body(self, Request request, Body body, object faults):
        cdef Schema schema = body.json_schema
        cdef Py_ssize_t length = 0 if request.raw_body is None else PyBytes_GET_SIZE(request.raw_body)
        cdef bint bad_parameters = faults is not None
        if length == 0:
            if body.required:
                faults = (faults or []) + [Fault("body", "", "required", "a body is required")]
        elif not body.plain_json or not plain_json_type(request):
            return self.read_media(request, body, faults)
        else:
            try:
                request.body = read_json(request.raw_body, self.max_json_depth)
            except ValueError as error:
                return self.malformed(faults, Fault("body", "", "syntax", str(error)), "malformed-body", "JSON")
            if schema is not None and not schema.accepts(request.body):
                faults = schema.add_faults(faults, request.body, "body", "")
        if faults is None:
            return None
        return self.invalid(faults, bad_parameters)

    cdef object check_stream(self, Request request, Body body, object faults):
        """What can be said of a body before it is read: its media type."""
        if faults is not None:
            return self.invalid(faults, True)
        content_type = content_type_of(request, body)
        sent = parse_media_type(content_type)
        if sent is None or body.choose(sent) is None:
            return unsupported(None if request.content_type < 0 else content_type, body)
        return None

    cdef object read_media(self, Request request, Body body, object faults):
        """Decode and validate a body whose media type is not plain JSON, by the table of `bodies.py`."""
        cdef Schema schema
        cdef bint bad_parameters = faults is not None
        content_type = content_type_of(request, body)
        sent = parse_media_type(content_type)
        entry = None if sent is None else body.choose(sent)
        if entry is None:
            if bad_parameters:
                return self.invalid(faults, True)
            return unsupported(None if request.content_type < 0 else content_type, body)
        try:
            outcome = entry[0](request.raw_body, sent)
        except BodyError as error:
            return self.malformed(faults, error.fault, error.slug, sent.essence)
        request.body = outcome.value
        if outcome.faults:
            faults = (faults or []) + outcome.faults
        schema = entry[1]
        if schema is not None and outcome.judged is not UNJUDGED and not schema.accepts(outcome.judged):
            faults = (faults or []) + judge(schema.source, outcome)
        if not faults:
            return None
        return self.invalid(faults, bad_parameters)

    cdef object invoke(self, Request request, Operation operation):
        if request.trace is not None:
            valid(request)
        if operation.mode == TASK:
            request.suspended = True
            return self.guarded(request, operation)
        try:
            if operation.mode == INLINE:
                return self.selected(request, drive(operation.call(request)))
            return self.selected(request, operation.call(request))
        except KeyboardInterrupt:
            raise
        except BaseException:
            return self.failure(request)

    async def guarded(self, Request request, Operation operation):
        try:
            return self.selected(request, await operation.call(request))
        except BodyStreamError as error:
            return problem_response(error.slug, str(error))
        except (Exception, SystemExit):
            return self.failure(request)

    cdef object selected(self, Request request, object result):
        """A file becomes what the request asks of it: all, a part, or nothing when the client has it."""
        if isinstance(result, Response) and (<Response>result).is_stream() and hasattr(result.body, "for_request"):
            return result.body.for_request(request, result, self.max_ranges)
        return result

    cdef object unrouted(self, Request request):
        """404, 405 with Allow (RFC 9110 15.5.6), 400 for a malformed path, or the answer to OPTIONS (9.3.7)."""
        cdef int status = request.verdict
        if request.path == "*":
            return Response(204, None, {"Allow": self.allow_line(<unsigned>-1)})
        if status == BRRT_NO_MATCH:
            return problem_response("not-found", "no operation has this path")
        if status != BRRT_NO_METHOD:
            return problem_response("bad-request", f"the path: {brrt_status_text(status).decode()}")
        allow = {"Allow": self.allow_line(request.allowed)}
        if self.auto_options and request.method == "OPTIONS":
            return Response(204, None, allow)
        return problem_response("method-not-allowed", f"the path does not have the method {request.method}",
                                headers=allow)

    cdef str allow_line(self, unsigned bits):
        return ", ".join(sorted(self.matcher.methods_of(bits)))

    cdef object finish(self, Request request, object result):
        """The bytes of an answer, counted; a streaming Response stays as it is for the protocol to send."""
        if request.trace is not None:
            handled(request)
        answer = self.encode(request, result)
        if type(answer) is bytes:
            self.count_answer(request, <bytes>answer)
        return answer

    cdef int count_answer(self, Request request, bytes answer) except -1:
        """Count an answer that is whole."""
        if self.observer is not None:
            self.observer.answered(request, status_of(answer), PyBytes_GET_SIZE(answer))
            self.observer.ended(request, 0)
        if self.meter is not None:
            self.meter.answered(request, index_of(request), status_of(answer), PyBytes_GET_SIZE(answer))
            self.meter.ended(request, index_of(request), 0)
        return 0

    cdef int count_head(self, Request request, int status, Py_ssize_t size) except -1:
        """Count an answer whose body is a stream, by its head."""
        if self.observer is not None:
            self.observer.answered(request, status, size)
        if self.meter is not None:
            self.meter.answered(request, index_of(request), status, size)
        return 0

    cdef int count_end(self, Request request, Py_ssize_t more) except -1:
        """A request is done with, after `more` bytes behind the head of its answer, or without an answer."""
        if self.observer is not None:
            self.observer.ended(request, more)
        if self.meter is not None:
            self.meter.ended(request, index_of(request), more)
        return 0

    cdef int count_refusal(self, Request request, int status, Py_ssize_t size) except -1:
        """Count a message that is refused before it is a whole request."""
        if self.observer is not None:
            self.observer.refused(request, status, size)
        if self.meter is not None:
            self.meter.refused(request, index_of(request), status, size)
        return 0

    cdef object encode(self, Request request, object result):
        """Encode a result; a streaming Response stays as it is for the protocol to send.

        A coroutine for one or the other when the finisher takes time.
        """
        cdef Operation operation
        cdef Response response
        try:
            if not self.finishes_all and (type(result) is dict or type(result) is list):
                operation = <Operation>request.operation
                if operation.json_prefix is not None:
                    return encode_plain(request, operation.success_status, operation.json_prefix, dump_json(result))
            result = self.finished(request, result)
            if not isinstance(result, Response):
                return self.finish_later(request, result)
            response = <Response>result
            if response.status == 101 or response.is_stream():
                return response
            return encode_response(request, response)
        except Exception:
            return encode_response(request, self.failure(request))

    cdef object finished(self, Request request, object result):
        """A result as the Response that goes out, or an awaitable for that.  Raises what the finisher raises."""
        cdef Response response = normalize(request, result)
        if response.status == 101:
            return response
        if self.finisher is None or not (self.finishes_all or (response.headers and request.has_conditions())):
            return response
        return self.finisher(request, response)

    async def finish_later(self, Request request, awaitable):
        """The bytes of an answer that takes time to make, or a streaming Response."""
        cdef Response response
        try:
            response = await awaitable
            if response.is_stream():
                return response
            answer = encode_response(request, response)
        except Exception:
            answer = encode_response(request, self.failure(request))
        self.count_answer(request, answer)
        return answer

    cdef Response failure(self, Request request):
        """The answer when a handler, a provider or a middleware raised; the exception is being handled right now."""
        self.log_error(request)
        return problem_response("internal-error", "the server failed to answer this request",
                                extra={"request_id": request.id})


cdef Py_ssize_t index_of(Request request):
    """The place of the operation of a request; -1 when it belongs to none."""
    return -1 if request.operation is None else (<Operation>request.operation).index


cdef Response normalize(Request request, object result):
    """What a handler returned as a Response: itself, (status, value), a value, None for 204."""
    cdef Operation operation
    cdef int status
    cdef object media_type = None
    if isinstance(result, Response):
        return <Response>result
    if result is None:
        return Response(204)
    # Without an operation, middleware that wraps everything has answered in place of a 404.
    operation = <Operation?>request.operation if request.operation is not None else None
    status = 200 if operation is None else operation.success_status
    if PyTuple_CheckExact(result):
        if PyTuple_GET_SIZE(result) != 2 or type(<object>PyTuple_GET_ITEM(result, 0)) is not int:
            raise TypeError("a handler returned a tuple that is not (status, value)")
        status, result = result
        if isinstance(result, Response):
            raise TypeError("a handler returned (status, Response); the status belongs into the Response")
    if result is not None and operation is not None:
        media_type = operation.media_type(status)
        # What is declared as a page or an image is not what JSON goes out as.
        if media_type is not None and not is_json(media_type) and isinstance(result, (dict, list, bool, int, float)):
            media_type = None
    return Response(status, result, None, media_type)


def to_response(Request request not None, result):
    """The Response that a handler's result stands for: itself, `(status, value)`, a value, or None for 204.

    Raises TypeError for a tuple of another form.
    """
    return normalize(request, result)


cdef bint plain_json_type(Request request):
    """Whether Content-Type is `application/json` to the letter, in one field line."""
    cdef int at = request.content_type
    cdef uint32_t i
    if at < 0 or request.fields[at].value_len != 16 or memcmp(
            PyBytes_AS_STRING(request.head) + request.fields[at].value_off, b"application/json", 16) != 0:
        return False
    for i in range(at + 1, request.field_count):
        if request.fields[i].id == BRRT_FIELD_CONTENT_TYPE:
            return False
    return True


cdef object content_type_of(Request request, Body body):
    """The Content-Type sent; without one the only type that is declared, else octets (RFC 9110 8.3)."""
    if request.content_type >= 0:
        return request.header("content-type")
    declared = body.content[0][0].media.name if len(body.content) == 1 else "*"
    if "*" not in declared:
        return declared
    return "application/octet-stream"


cdef object unsupported(object content_type, Body body):
    accepts = ", ".join(body.accepts)
    sent = "the body has no Content-Type" if content_type is None else f"the body is {content_type}"
    return problem_response("unsupported-media-type", f"{sent}; accepted: {accepts}", headers={"Accept": accepts})
