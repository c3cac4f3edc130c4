"""Parameter values: the text of a request becomes typed Python values, driven by tables made when the app starts.

One pass over the query string, no regular expressions, and no Python object for text that becomes a number
(`casts.pyx`). The common styles are decoded here, the rest by `styles.py` with the same rules. Bad values raise nothing: each adds a
`Fault` to a list that exists only when something is wrong. A value that was decoded is the one that is validated
and handed on.

Sources: OpenAPI 3.1 section 4.8.12 (parameters, styles), 3.2 appendices B and E (casting and splitting before
decoding).
"""

from copy import deepcopy

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError, PyDict_Size
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp

from brrtrouter.core.casts cimport BAD, BAD_TEXT, CAST_INTEGER, CAST_STRING, cast_escaped, cast_span, expected
from brrtrouter.core.csrc cimport (
    BRRT_HAS_PERCENT,
    BRRT_HAS_PLUS,
    BRRT_TOO_MANY,
    brrt_pair,
    brrt_query_split,
    brrt_scan,
    brrt_span,
)
from brrtrouter.core.matcher cimport capture_str
from brrtrouter.core.request cimport Request, decode_text, latin1, unquoted

from brrtrouter.core.casts import cast, cast_bits
from brrtrouter.core.choices import reader_for
from brrtrouter.core.deep import ABSENT
from brrtrouter.core.styles import NOT_TEXT, TextError
from brrtrouter.errors import Fault

cdef enum:
    STACK_PAIRS = 32

cdef dict SEPARATORS = {"form": b",", "simple": b",", "cookie": b",", "pipeDelimited": b"|", "spaceDelimited": b" "}

cdef class Schema:
    """A schema that is compiled when it is first needed and then costs one call.

    `integers` says that all values are integers: where the schema has only bounds for them, there is no call either.
    """

    def __init__(self, source, bint integers=False):
        self.source = source
        self.integers = integers

    cdef int prepare(self) except -1:
        self.is_valid_ = self.source.compiled()
        bounds = integer_bounds(self.source.bundled()) if self.integers else None
        if bounds is not None:
            self.least, self.most = bounds
            self.bounded = True
        return 0

    cdef bint accepts(self, object value) except -1:
        cdef int overflow = 0
        cdef int64_t number
        if self.is_valid_ is None:
            self.prepare()
        if self.bounded and type(value) is int:
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if overflow == 0:
                return self.least <= number <= self.most
        return self.is_valid_(value)

    cdef object add_faults(self, object faults, object value, str location, str prefix):
        found = [
            Fault(location, prefix + fault.pointer, fault.keyword, fault.message, fault.schema_path)
            for fault in self.source.faults(value)
        ]
        return found if faults is None else faults + found


cdef class Param:
    """One declared parameter, ready to decode.  Made from a `brrtrouter.spec.model.Parameter`."""

    def __init__(self, parameter):
        self.name = parameter.name
        # A value that is the whole query is found among the values of the query.
        self.location = "query" if parameter.location == "querystring" else parameter.location
        self.required = parameter.required
        self.key = (self.name.lower() if self.location == "header" else self.name).encode("utf-8", "surrogatepass")
        self.pointer = "/" + self.name.replace("~", "~0").replace("/", "~1")
        self.types = cast_bits(parameter.types)
        self.plus = parameter.location == "query"
        self.escaped = self.location != "header" and parameter.style != "cookie"
        self.allow_empty = parameter.allow_empty_value
        self.has_default = parameter.has_default
        self.default = parameter.default if self.has_default else None
        self.mutable_default = isinstance(self.default, (list, dict))
        self.schema = None if parameter.schema is None else Schema(parameter.schema, self.types == CAST_INTEGER)
        self.split = STYLED
        several = len(parameter.readings) > 0
        common = parameter.style in SEPARATORS and not several
        if parameter.shape == "scalar" and common:
            self.split = SCALAR
        elif parameter.shape == "array" and common:
            exploded = parameter.explode and self.location in ("query", "cookie")
            self.split = REPEATED if exploded else LIST
            self.separator = SEPARATORS[parameter.style][0]
        if parameter.shape == "fields":
            self.fields = ArgumentParser(parameter.fields, ())
        elif self.split == STYLED:
            self.decoder, self.many_names = reader_for(parameter, cast)
            self.chosen = several and self.location == "cookie"

    cdef object decode_one(self, const char *s, Py_ssize_t length):
        return cast_escaped(s, length, self.types, self.plus, self.escaped)

    cdef object decode_list(self, const char *s, Py_ssize_t length):
        """Split on the raw separator first, then decode each piece; a `Refusal` when one of them is no value."""
        cdef Py_ssize_t start = 0, at = 0, width = 0, end
        cdef list items = []
        while length > 0 and at <= length:
            width = separator_width(s + at, length - at, self.separator) if at < length else 1
            if width == 0:
                at += 1
                continue
            end = at
            if not self.escaped:
                trim(s, &start, &end)
            item = self.decode_one(s + start, end - start)
            if item is BAD or item is BAD_TEXT:
                return self.bad(item, f"/{len(items)}")
            items.append(item)
            at += width
            start = at
        return items

    cdef object decode(self, const char *s, Py_ssize_t length):
        """The value of one text in UTF-8; a `Refusal` when it is none."""
        if self.split == SCALAR:
            if length == 0 and self.allow_empty:
                return "" if self.types & CAST_STRING else None
            return self.bad(self.decode_one(s, length), "")
        if self.split == LIST:
            return self.decode_list(s, length)
        try:
            return self.decoder(capture_str(s, length, True))
        except TextError as error:
            return Refusal(error)

    cdef object bad(self, object value, str pointer):
        """A value as it is; BAD and BAD_TEXT as a `Refusal`."""
        if value is BAD:
            return Refusal(TextError(expected(self.types), "type", pointer))
        if value is BAD_TEXT:
            return Refusal(TextError(NOT_TEXT, "style", pointer))
        return value

    cdef object refuse(self, object faults, object error):
        return self.fault(faults, error.pointer, error.keyword, str(error))

    cdef object fault(self, object faults, str pointer, str keyword, str message):
        found = Fault(self.location, self.pointer + pointer, keyword, message)
        if faults is None:
            return [found]
        faults.append(found)
        return faults

    cdef object cast_others(self, dict values):
        """Give the fields of a form that have no description of their own the types of the rest."""
        cdef list faults = []
        declared = {(<Param>known).name for known in self.fields.query_params + self.fields.styled_query}
        for name, value in values.items():
            if name in declared or self.types == CAST_STRING:
                continue
            texts = value if isinstance(value, list) else [value]
            items = [self.cast_text(text) for text in texts]
            if BAD in items:
                part = name.replace("~", "~0").replace("/", "~1")
                faults.append(Fault(self.location, f"/{part}", "type", expected(self.types)))
            values[name] = items if isinstance(value, list) else items[0]
        return faults or None

    cdef object cast_text(self, str text):
        raw = text.encode("utf-8", "surrogatepass")
        return cast_span(raw, len(raw), self.types, True)

    cdef object put(self, dict values, object value, object faults):
        """Store a decoded value, or say what is wrong with it."""
        if type(value) is Refusal:
            return self.refuse(faults, (<Refusal>value).error)
        values[self.name] = value
        return faults


@cython.internal
cdef class Refusal:
    """What stands for a value that could not be made."""

    cdef object error  # a TextError

    def __init__(self, error):
        self.error = error


cdef Py_ssize_t separator_width(const char *s, Py_ssize_t left, char separator) noexcept:
    """Bytes of the separator at s, 0 when there is none.  '|' and ' ' are escaped by clients, ',' is not."""
    if s[0] == separator:
        return 1
    if separator == c" " and s[0] == c"+":
        return 1
    if s[0] == c"%" and left >= 3:
        if separator == c"|" and s[1] == c"7" and (s[2] == c"C" or s[2] == c"c"):
            return 3
        if separator == c" " and s[1] == c"2" and s[2] == c"0":
            return 3
    return 0


cdef void trim(const char *s, Py_ssize_t *start, Py_ssize_t *end) noexcept:
    while start[0] < end[0] and (s[start[0]] == c" " or s[start[0]] == c"\t"):
        start[0] += 1
    while end[0] > start[0] and (s[end[0] - 1] == c" " or s[end[0] - 1] == c"\t"):
        end[0] -= 1


cdef class ArgumentParser:
    """All parameters of one operation.

    `parameters` are `brrtrouter.spec.model.Parameter`s, `captures` the names of the template's expressions in order,
    `max_pairs` the limit of pairs in a query string.  `first`: look no further than the location of the first fault.
    """

    def __init__(self, parameters, captures, max_pairs=1000, *, bint first=False):
        by_location = {"path": [], "query": [], "querystring": [], "header": [], "cookie": []}
        for parameter in parameters:
            by_location[parameter.location].append(Param(parameter))
        by_name = {param.name: param for param in by_location["path"]}
        self.path_names = tuple(captures)
        self.path_params = tuple([by_name.get(name) for name in captures])
        self.path_proven = all([(<Param>param).schema is None for param in by_location["path"]])
        self.query_params = tuple([param for param in by_location["query"] if not (<Param>param).many_names])
        self.styled_query = tuple([param for param in by_location["query"] if (<Param>param).many_names])
        self.header_params = tuple(by_location["header"])
        self.cookie_params = tuple(by_location["cookie"])
        self.max_pairs = max_pairs
        self.first = first
        # A document has at most one of these in an operation, and none beside parameters in the query.
        self.querystring = by_location["querystring"][0] if by_location["querystring"] else None
        if self.querystring is not None and self.querystring.fields is not None:
            self.querystring.fields.max_pairs = max_pairs

    cdef object parse(self, Request request):
        """Fill the request with decoded values.  None, or the list of faults."""
        cdef object faults = None
        if PyTuple_GET_SIZE(self.path_params):
            faults = self.parse_path(request, faults)
            if faults is not None and self.first:
                return faults
        if PyTuple_GET_SIZE(self.query_params) or PyTuple_GET_SIZE(self.styled_query):
            faults = self.parse_query(request, faults)
        elif self.querystring is not None:
            faults = self.parse_querystring(request, faults)
        if faults is not None and self.first:
            return faults
        if PyTuple_GET_SIZE(self.header_params):
            faults = self.parse_headers(request, faults)
            if faults is not None and self.first:
                return faults
        if PyTuple_GET_SIZE(self.cookie_params):
            faults = self.parse_cookies(request, faults)
        return faults

    cdef object parse_path(self, Request request, object faults):
        cdef Py_ssize_t i
        cdef Param param
        cdef brrt_span span
        cdef dict values = {}
        cdef const char *base = PyBytes_AS_STRING(request.captured)
        for i in range(PyTuple_GET_SIZE(self.path_params)):
            span = request.captures[i]
            if <object>PyTuple_GET_ITEM(self.path_params, i) is None:
                values[<object>PyTuple_GET_ITEM(self.path_names, i)] = capture_str(
                    base + span.off, span.len, request.captured_high)
                continue
            param = <Param>PyTuple_GET_ITEM(self.path_params, i)
            if param.split == SCALAR:
                value = param.bad(cast_span(base + span.off, span.len, param.types, request.captured_high), "")
            else:
                # Separators count only where they are not escaped.
                span = request.raw_capture(<uint32_t>i)
                value = param.decode(PyBytes_AS_STRING(request.head) + span.off, span.len)
            faults = param.put(values, value, faults)
        request.path_params_ = values
        if faults is None and self.path_proven:
            return None
        return self.finish(self.path_params, values, faults)

    cdef object parse_query(self, Request request, object faults):
        cdef brrt_pair stack[STACK_PAIRS]
        cdef brrt_pair *pairs = stack
        cdef size_t count = 0, i
        cdef const char *base = PyBytes_AS_STRING(request.head) + request.query_span.off
        cdef Py_ssize_t length = request.query_span.len
        cdef dict values = {}
        request.query_ = values
        if length != 0:
            try:
                if brrt_query_split(base, length, stack, STACK_PAIRS, &count) == BRRT_TOO_MANY:
                    pairs = <brrt_pair *>PyMem_Malloc((self.max_pairs + 1) * sizeof(brrt_pair))
                    if pairs == NULL:
                        raise MemoryError
                    brrt_query_split(base, length, pairs, self.max_pairs + 1, &count)
                if count > <size_t>self.max_pairs:
                    return (faults or []) + [Fault("query", "", "limit", f"more than {self.max_pairs} parameters")]
                for i in range(count):
                    faults = self.take_pair(base, &pairs[i], values, faults)
            finally:
                if pairs != stack:
                    PyMem_Free(pairs)
        if PyTuple_GET_SIZE(self.styled_query):
            faults = self.parse_styled(request, values, faults)
        return self.finish(self.query_params, values, faults)

    cdef object take_pair(self, const char *base, const brrt_pair *pair, dict values, object faults):
        cdef Param param
        cdef const char *name = base + pair.name.off
        cdef const char *text = base + pair.value.off
        cdef Py_ssize_t i, name_length = pair.name.len
        cdef object decoded = None
        if brrt_scan(name, name_length) & (BRRT_HAS_PERCENT | BRRT_HAS_PLUS):
            decoded = decode_text(name, name_length, True)
            if decoded is not None:
                decoded = (<str>decoded).encode()
                name = PyBytes_AS_STRING(decoded)
                name_length = PyBytes_GET_SIZE(decoded)
        for i in range(PyTuple_GET_SIZE(self.query_params)):
            param = <Param>PyTuple_GET_ITEM(self.query_params, i)
            if PyBytes_GET_SIZE(param.key) != name_length or memcmp(
                    PyBytes_AS_STRING(param.key), name, name_length) != 0:
                continue
            if param.split == REPEATED:
                return self.take_item(param, text, pair.value.len, values, faults)
            if PyDict_Size(values) != 0 and param.name in values:
                return param.fault(faults, "", "duplicate", "given more than once")
            return param.put(values, param.decode(text, pair.value.len), faults)
        if not PyTuple_GET_SIZE(self.styled_query):
            add_undeclared(values, name, name_length, text, pair.value.len)
        return faults

    cdef object take_item(self, Param param, const char *s, Py_ssize_t length, dict values, object faults):
        cdef list items = values.get(param.name)
        if items is None:
            items = values[param.name] = []
        if length == 0 and param.allow_empty:
            return faults  # the name alone is a list without items
        item = param.bad(param.decode_one(s, length), f"/{len(items)}")
        if type(item) is Refusal:
            faults = param.refuse(faults, (<Refusal>item).error)
        items.append(item)
        return faults

    cdef object parse_styled(self, Request request, dict values, object faults):
        """Objects whose members are pairs of their own: each takes its pairs, the rest is undeclared."""
        cdef Param param
        declared = {(<Param>known).name for known in self.query_params}
        pairs = [pair for pair in raw_pairs(request) if pair[0] not in declared]
        for param in self.styled_query:
            try:
                value, pairs = param.decoder(pairs)
            except TextError as error:
                faults = param.refuse(faults, error)
                continue
            if value is not ABSENT:
                values[param.name] = value
        for name, text in pairs:
            add_text(values, name, text)
        return self.finish(self.styled_query, values, faults)

    cdef object parse_querystring(self, Request request, object faults):
        """The whole query as one value, found in `request.query` under its name (OpenAPI 3.2 section 4.12.2)."""
        cdef Param param = self.querystring
        cdef dict values = {}
        if param.fields is not None and request.query_span.len != 0:
            found = param.fields.parse_query(request, None)
            if found is None:
                found = param.cast_others(request.query_)
            if found is None:
                values[param.name] = request.query_
            for fault in found or ():
                faults = param.fault(faults, fault.pointer, fault.keyword, fault.message)
        elif request.query_span.len != 0:
            faults = param.put(values, param.decode(PyBytes_AS_STRING(request.head) + request.query_span.off,
                                                    request.query_span.len), faults)
        request.query_ = values
        return self.finish((param,), values, faults)

    cdef object parse_headers(self, Request request, object faults):
        cdef Param param
        cdef dict values = {}
        for param in self.header_params:
            text = request.field_value(PyBytes_AS_STRING(param.key), PyBytes_GET_SIZE(param.key))
            if text is not None:
                # Latin-1 bytes become text again here, so that strings keep what was sent.
                raw = (<str>text).encode()
                faults = param.put(values, param.decode(raw, len(raw)), faults)
        faults = self.finish(self.header_params, values, faults)
        request.header_values = {(<str>name).lower(): value for name, value in values.items()}
        return faults

    cdef object parse_cookies(self, Request request, object faults):
        cdef Param param
        cdef dict values = {}
        cdef dict found = {}
        for line in request.cookie_lines():
            for piece in line.split(";"):
                name, equals, text = piece.strip(" \t").partition("=")
                if equals:
                    found.setdefault(name, []).append(unquoted(text))
        declared = {(<Param>known).name for known in self.cookie_params if not (<Param>known).many_names}
        for param in self.cookie_params:
            if param.many_names:
                try:
                    undeclared = [(name, texts[0]) for name, texts in found.items() if name not in declared]
                    value, _ = param.decoder(undeclared)
                except TextError as error:
                    faults = param.refuse(faults, error)
                else:
                    if value is not ABSENT:
                        values[param.name] = value
                continue
            texts = found.get(param.name)
            if texts is None:
                continue
            if param.split == REPEATED or param.chosen:
                if param.escaped:
                    # `form` exploded joins with '&', which no client sends in a cookie; both readings are taken.
                    joined = "&".join([f"{param.name}={text}" for text in texts])
                    texts = joined[len(param.name) + 1:].split(f"&{param.name}=")
                if param.chosen:
                    try:
                        values[param.name] = param.decoder(texts)
                    except TextError as error:
                        faults = param.refuse(faults, error)
                    continue
                for text in texts:
                    raw = (<str>text).encode()
                    faults = self.take_item(param, raw, len(raw), values, faults)
                continue
            raw = (<str>texts[0]).encode()
            faults = param.put(values, param.decode(raw, len(raw)), faults)
        request.cookie_values = values
        return self.finish(self.cookie_params, values, faults)

    cdef object finish(self, tuple params, dict values, object faults):
        """Fill in defaults, report what is missing, validate what is there (unless it is no value at all)."""
        cdef Param param
        cdef Py_ssize_t i
        cdef PyObject *found
        for i in range(PyTuple_GET_SIZE(params)):
            if <object>PyTuple_GET_ITEM(params, i) is None:
                continue
            param = <Param>PyTuple_GET_ITEM(params, i)
            found = PyDict_GetItemWithError(values, param.name)
            if found == NULL:
                if param.has_default:
                    # A handler may change the list or dict that it gets.
                    values[param.name] = deepcopy(param.default) if param.mutable_default else param.default
                elif param.required and not has_fault(faults, param):
                    faults = param.fault(faults, "", "required", "is required")
            elif param.schema is not None:
                value = <object>found
                if has_fault(faults, param) or (param.allow_empty and (value is None or value == "" or value == [])):
                    continue
                if not param.schema.accepts(value):
                    faults = param.schema.add_faults(faults, value, param.location, param.pointer)
        return faults


cdef object integer_bounds(object schema):
    """(least, most) where a schema has nothing but bounds for integers, each within 62 bits; else None.

    `schema` is JSON Schema 2020-12.
    """
    cdef object least = -(2**63), most = 2**63 - 1
    if not isinstance(schema, dict) or schema.get("type") != "integer":
        return None
    for keyword, bound in schema.items():
        if keyword == "type":
            continue
        if type(bound) is not int or not -(2**62) < bound < 2**62:
            return None
        if keyword == "minimum" or keyword == "exclusiveMinimum":
            least = max(least, bound + (keyword == "exclusiveMinimum"))
        elif keyword == "maximum" or keyword == "exclusiveMaximum":
            most = min(most, bound - (keyword == "exclusiveMaximum"))
        else:
            return None
    return least, most


cdef class FieldReader:
    """Declared header fields of a message, cast and validated like header parameters.

    `parameters` are `brrtrouter.spec.model.Parameter`s.
    """

    def __init__(self, parameters):
        self.params = tuple([Param(parameter) for parameter in parameters])

    def read(self, dict texts not None):
        """(values, faults) of the texts by the fields' names in lower case."""
        cdef Param param
        cdef dict values = {}
        cdef object faults = None
        for param in self.params:
            text = texts.get(param.name.lower())
            if text is None:
                if param.required:
                    faults = param.fault(faults, "", "required", "is required")
                continue
            raw = (<str>text).encode()
            faults = param.put(values, param.decode(raw, len(raw)), faults)
            if param.name in values and param.schema is not None and not param.schema.accepts(values[param.name]):
                faults = param.schema.add_faults(faults, values[param.name], "header", param.pointer)
        return values, faults or []


cdef bint has_fault(object faults, Param param):
    """Whether something is wrong with the parameter already: one cause is reported once."""
    if faults is None:
        return False
    for fault in faults:
        if fault.location == param.location and (
                fault.pointer == param.pointer or fault.pointer.startswith(param.pointer + "/")):
            return True
    return False


cdef list raw_pairs(Request request):
    """(decoded name, raw value) of each pair of the query."""
    pairs = []
    for piece in request.raw_query.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            raw = name.encode()
            decoded = decode_text(raw, len(raw), True)
            pairs.append((name if decoded is None else decoded, value))
    return pairs


cdef int add_text(dict values, str name, str text) except -1:
    raw = text.encode()
    return add_undeclared_named(values, name, raw, len(raw))


cdef int add_undeclared(dict values, const char *name, Py_ssize_t name_length, const char *s,
                        Py_ssize_t length) except -1:
    return add_undeclared_named(values, name[:name_length].decode("utf-8", "replace"), s, length)


cdef int add_undeclared_named(dict values, str name, const char *s, Py_ssize_t length) except -1:
    """Pairs that no parameter declares are text, a list of texts when the name is repeated."""
    text = decode_text(s, length, True)
    if text is None:
        text = latin1(s, length)
    if name not in values:
        values[name] = text
    elif isinstance(values[name], list):
        values[name].append(text)
    else:
        values[name] = [values[name], text]
    return 0
