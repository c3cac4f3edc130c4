# cython: binding=False, embedsignature=True
"""`Matcher`: path templates compiled to a trie in C, matched without touching the heap except for the result.

Ownership: the object owns a builder until `freeze` and a frozen matcher after it; both die with it.  Captures point
into the caller's path, or into scratch space on the stack (on the heap for long escaped paths), and are copied to
`str` before a method returns.
"""

import sys
import warnings

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint32_t

from brrtrouter.core.csrc cimport (
    BRRT_AUTO_HEAD,
    BRRT_BAD_ESCAPE,
    BRRT_BAD_UTF8,
    BRRT_NOMEM,
    BRRT_NO_MATCH,
    BRRT_NO_METHOD,
    BRRT_NO_SPACE,
    BRRT_OK,
    BRRT_SLASH_IGNORE,
    BRRT_TPL_COLLISION,
    brrt_builder_add,
    brrt_builder_free,
    brrt_builder_freeze,
    brrt_builder_new,
    brrt_match,
    brrt_matcher_bytes,
    brrt_matcher_free,
    brrt_matcher_match,
    brrt_matcher_method,
    brrt_matcher_method_name,
    brrt_matcher_nodes,
    brrt_matcher_try,
    brrt_status,
    brrt_status_text,
    brrt_template,
)

from brrtrouter.errors import PathError, RouteError


cdef extern from *:
    """
    #define brrt_is_str(o) PyUnicode_Check(o)
    #define brrt_is_plain_str(o) (PyUnicode_CheckExact(o) && PyUnicode_IS_COMPACT_ASCII(o))
    #define brrt_ascii_length(o) PyUnicode_GET_LENGTH(o)
    #define brrt_is_compact_ascii(o) PyUnicode_IS_COMPACT_ASCII(o)
    /* The characters of a compact ASCII str follow its head. */
    #define brrt_ascii_data(o) ((char *)((PyASCIIObject *)(o) + 1))
    static inline PyObject *brrt_new_ascii(const char *s, Py_ssize_t len) {
        PyObject *text = PyUnicode_New(len, 127);
        if (text == NULL) return NULL;
        char *out = brrt_ascii_data(text);
        if (len >= 8 && len <= 16) {
            /* The usual length, without a call. */
            memcpy(out, s, 8);
            memcpy(out + len - 8, s + len - 8, 8);
        } else {
            memcpy(out, s, (size_t)len);
        }
        return text;
    }
    /* (value, captures); steals the captures. */
    static inline PyObject *brrt_with_captures(PyObject *value, PyObject *captures) {
        PyObject *out = PyTuple_New(2);
        if (out == NULL) {
            Py_DECREF(captures);
            return NULL;
        }
        Py_INCREF(value);
        PyTuple_SET_ITEM(out, 0, value);
        PyTuple_SET_ITEM(out, 1, captures);
        return out;
    }

    /* (value, {name: capture, ...}) */
    static inline PyObject *brrt_result(PyObject *value, PyObject *names, const brrt_match *found) {
        PyObject *captures;
        __builtin_prefetch(value, 1);
        captures = PyDict_New();
        if (captures == NULL) return NULL;
        for (uint32_t i = 0; i < found->count; i++) {
            const char *s = found->base + found->captures[i].off;
            Py_ssize_t len = (Py_ssize_t)found->captures[i].len;
            PyObject *text = found->high ? PyUnicode_DecodeUTF8(s, len, NULL) : brrt_new_ascii(s, len);
            if (text == NULL || PyDict_SetItem(captures, PyTuple_GET_ITEM(names, i), text) < 0) {
                Py_XDECREF(text);
                Py_DECREF(captures);
                return NULL;
            }
            Py_DECREF(text);
        }
        return brrt_with_captures(value, captures);
    }

    /* (value, {}): the last one, in `spare`, when nobody refers to it nor to its dict any more, as `zip` does it.  Nobody
     * can tell, and a path without captures costs no memory. */
    static inline PyObject *brrt_literal_result(PyObject *value, PyObject *spare) {
        PyObject *out, *captures;
    #ifndef Py_GIL_DISABLED
        out = PyList_GET_ITEM(spare, 0);
        if (Py_REFCNT(out) == 1 && PyTuple_CheckExact(out)) {
            captures = PyTuple_GET_ITEM(out, 1);
            if (Py_REFCNT(captures) == 1 && PyDict_GET_SIZE(captures) == 0) {
                PyObject *old = PyTuple_GET_ITEM(out, 0);
                Py_INCREF(out);
                Py_INCREF(value);
                PyTuple_SET_ITEM(out, 0, value);
                Py_DECREF(old);
                /* A garbage collection that saw only atoms in it has stopped looking at it. */
                if (!PyObject_GC_IsTracked(out)) PyObject_GC_Track(out);
                return out;
            }
        }
    #endif
        captures = PyDict_New();
        if (captures == NULL) return NULL;
        out = brrt_with_captures(value, captures);
        if (out != NULL) {
            Py_INCREF(out);
            PyList_SetItem(spare, 0, out); /* cannot fail: it has one item */
        }
        return out;
    }
    """
    bint brrt_is_str(object text)
    bint brrt_is_plain_str(object text)
    Py_ssize_t brrt_ascii_length(object text)
    bint brrt_is_compact_ascii(object text)
    const char *brrt_ascii_data(object text)
    str brrt_new_ascii(const char *s, Py_ssize_t length)
    tuple brrt_result(PyObject *value, PyObject *names, const brrt_match *found)
    tuple brrt_literal_result(PyObject *value, object spare)
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL


cdef enum:
    # Escaped paths up to this length need no heap.
    STACK_SCRATCH = 1024


cdef inline str capture_str(const char *s, Py_ssize_t length, bint high):
    if high:
        return PyUnicode_DecodeUTF8(s, length, NULL)
    return brrt_new_ascii(s, length)


cdef inline int text_of(object text, str what, const char **data, Py_ssize_t *length) except -1:
    """Borrow the UTF-8 bytes of a str or bytes object, which must outlive their use; `what` it is, for messages."""
    if brrt_is_str(text):
        if brrt_is_compact_ascii(text):
            data[0] = brrt_ascii_data(text)
            length[0] = brrt_ascii_length(text)
        else:
            try:
                data[0] = PyUnicode_AsUTF8AndSize(text, length)
            except UnicodeEncodeError:
                raise PathError(f"the {what} {text!a} holds a lone surrogate") from None
    elif PyBytes_Check(text):
        data[0] = PyBytes_AS_STRING(text)
        length[0] = PyBytes_GET_SIZE(text)
    else:
        raise TypeError(f"a {what} is str or bytes, not {type(text).__name__}")
    return 0


cdef class Matcher:
    """Routes by method and path template.

    `routes` is an iterable of (method, template, value); with it the matcher is frozen at once.  Without it, call
    `add` for each route and then `freeze`.  Templates follow OpenAPI 3.2 section 4.8.8; docs/matching.md has the rules.

    auto_head: a template with GET and no HEAD also matches HEAD, with the value of GET (RFC 9110 9.3.2).
    auto_options: `allowed` names OPTIONS for every known path.
    trailing_slash: "strict", or "ignore" to try a path with one '/' more or less at its end when nothing matches.

    Raises RouteError for a template that is malformed or collides with another one, naming both.
    """

    def __cinit__(self, routes=None, *, bint auto_head=False, bint auto_options=False, str trailing_slash="strict"):
        if trailing_slash not in ("strict", "ignore"):
            raise ValueError(f"trailing_slash is 'strict' or 'ignore', not {trailing_slash!r}")
        self.options = (BRRT_AUTO_HEAD if auto_head else 0) | (BRRT_SLASH_IGNORE if trailing_slash == "ignore" else 0)
        self.auto_options = auto_options
        self.pending = []
        self.spare = [None]
        self.builder = brrt_builder_new()
        if self.builder == NULL:
            raise MemoryError
        if routes is not None:
            for method, template, value in routes:
                self.add(method, template, value)
            self.freeze()

    def __dealloc__(self):
        brrt_builder_free(self.builder)
        brrt_matcher_free(self.frozen)
        PyMem_Free(self.records)

    def add(self, str method not None, str template not None, value):
        """Add one route.

        Raises RouteError: the template or the method is malformed, it collides with a route added before (both are
        named), or the matcher is frozen.
        """
        cdef brrt_template info
        cdef uint32_t other = 0
        cdef brrt_status status
        cdef uint32_t i
        if self.builder == NULL:
            raise RouteError(f"the template {template!r} was added after freeze()")
        try:
            raw_template = template.encode()
            raw_method = method.encode()
        except UnicodeEncodeError:
            raise RouteError(f"{method} {template!a} holds a lone surrogate") from None
        status = brrt_builder_add(self.builder, raw_method, len(raw_method), raw_template, len(raw_template), &info,
                                  &other)
        if status == BRRT_NOMEM:
            raise MemoryError
        if status == BRRT_TPL_COLLISION:
            first = self.pending[other]
            raise RouteError(
                f"the template {template!r} {brrt_status_text(status).decode()} {first[1]!r} ({method})")
        if status != BRRT_OK:
            raise RouteError(f"the template {template!r} ({method}) {brrt_status_text(status).decode()}")
        names = tuple([
            raw_template[info.names[i].off:info.names[i].off + info.names[i].len].decode()
            for i in range(info.name_count)
        ])
        self.pending.append((method, template, value, intern_all(names)))
        if info.has_fragment:  # last: a warning may be made an exception, and the route is in the builder by now
            warnings.warn(f"the fragment of the template {template!r} is ignored: no request ever carries one",
                          stacklevel=2)

    def freeze(self):
        """Compile what was added; afterwards `match` works and `add` does not.  Calling it again changes nothing."""
        cdef size_t length = 0
        cdef const char *name
        cdef int i
        if self.builder == NULL:
            return
        self.frozen = brrt_builder_freeze(self.builder, self.options)
        if self.frozen == NULL:
            raise MemoryError
        brrt_builder_free(self.builder)
        self.builder = NULL
        self.routes_ = tuple([entry[:3] for entry in self.pending])
        self.values_ = tuple([entry[2] for entry in self.pending])
        shared = {}
        self.names_ = tuple([shared.setdefault(entry[3], entry[3]) for entry in self.pending])
        self.fill_records()
        self.pending = None
        methods = []
        while True:
            name = brrt_matcher_method_name(self.frozen, len(methods), &length)
            if name == NULL:
                break
            methods.append(name[:length].decode())
        self.methods_ = intern_all(tuple(methods))
        self.method_count = <int>len(methods)
        for i in range(self.method_count):
            self.method_objects[i] = <PyObject *>PyTuple_GET_ITEM(self.methods_, i)

    cdef int fill_records(self) except -1:
        cdef Py_ssize_t i
        cdef brrt_record *records = <brrt_record *>PyMem_Malloc(len(self.values_) * sizeof(brrt_record))
        if records == NULL:
            raise MemoryError
        self.records = records
        for i in range(len(self.values_)):
            records[i].value = <PyObject *>PyTuple_GET_ITEM(self.values_, i)
            records[i].names = <PyObject *>PyTuple_GET_ITEM(self.names_, i)
        return 0

    @cython.final
    cdef inline int method_id(self, object method) except -2:
        """The number of a method: known ones are usually the very same interned object."""
        cdef int i
        for i in range(self.method_count):
            if self.method_objects[i] == <PyObject *>method:
                return i
        return self.other_method_id(method)

    @cython.final
    cdef int other_method_id(self, object method) except -2:
        cdef Py_ssize_t length = 0
        cdef const char *data
        if not isinstance(method, str):
            raise TypeError(f"a method is str, not {type(method).__name__}")
        try:
            data = PyUnicode_AsUTF8AndSize(method, &length)
        except UnicodeEncodeError:
            return -1  # no route has a method with a lone surrogate
        return brrt_matcher_method(self.frozen, data, length)

    cdef brrt_status find(self, int method, const char *path, Py_ssize_t length, const char *query,
                          Py_ssize_t query_length, char *scratch, Py_ssize_t scratch_length,
                          brrt_match *out) noexcept:
        return brrt_matcher_match(self.frozen, method, path, length, query, query_length, scratch, scratch_length, out)

    cdef frozenset methods_of(self, unsigned bits):
        cdef Py_ssize_t i
        names = [self.methods_[i] for i in range(len(self.methods_)) if bits >> i & 1]
        if self.auto_options and names:
            names.append("OPTIONS")
        return frozenset(names)

    def match(self, method, path, query=None):
        """The value and the captures for a request, `(value, {name: text})`, or None when no route matches.

        `path` is the raw path of the request target, str or bytes, still percent-encoded and without the query;
        `query` the raw query, needed only for templates with `?name=value` predicates.  Captures are decoded once.
        Raises PathError for a bad percent escape or bytes that are not UTF-8, RouteError before freeze().
        """
        cdef brrt_match found
        cdef brrt_status status
        cdef int method_number
        if self.frozen == NULL:
            raise RouteError("match() before freeze()")
        method_number = self.method_id(method)
        if brrt_is_plain_str(path):
            status = brrt_matcher_try(self.frozen, method_number, brrt_ascii_data(path), brrt_ascii_length(path),
                                      &found)
            if status == BRRT_OK:
                if found.count == 0:
                    return brrt_literal_result(self.records[found.route].value, self.spare)
                return brrt_result(self.records[found.route].value, self.records[found.route].names, &found)
            if status == BRRT_NO_MATCH and (query is None or brrt_is_str(query)):
                return None
        return self.match_any(method_number, path, query)

    @cython.final
    cdef object match_any(self, int method, path, query):
        """`match` for every kind of path."""
        cdef const char *data = NULL
        cdef const char *query_data = NULL
        cdef Py_ssize_t length = 0, query_length = 0
        cdef char scratch[STACK_SCRATCH]
        cdef char *heap = NULL
        cdef brrt_match found
        cdef brrt_status status
        text_of(path, "path", &data, &length)
        if query is not None:
            text_of(query, "query", &query_data, &query_length)
        status = brrt_matcher_match(self.frozen, method, data, length, query_data, query_length, scratch,
                                    STACK_SCRATCH, &found)
        try:
            if status == BRRT_NO_SPACE:
                heap = <char *>PyMem_Malloc(length)
                if heap == NULL:
                    raise MemoryError
                status = brrt_matcher_match(self.frozen, method, data, length, query_data, query_length, heap, length,
                                            &found)
            if status == BRRT_OK:
                return brrt_result(self.records[found.route].value, self.records[found.route].names, &found)
            return check(status, path)
        finally:
            PyMem_Free(heap)

    def allowed(self, path, query=None):
        """The methods that the path has, over all templates that match it; empty when the path is unknown.

        Raises PathError and RouteError as `match` does.
        """
        cdef const char *data = NULL
        cdef const char *query_data = NULL
        cdef Py_ssize_t length = 0, query_length = 0
        cdef brrt_match found
        cdef brrt_status status
        if self.frozen == NULL:
            raise RouteError("allowed() before freeze()")
        text_of(path, "path", &data, &length)
        if query is not None:
            text_of(query, "query", &query_data, &query_length)
        scratch = bytearray(length)
        status = brrt_matcher_match(self.frozen, -1, data, length, query_data, query_length, scratch, length, &found)
        if status == BRRT_NO_METHOD:
            return self.methods_of(found.allowed)
        check(status, path)
        return frozenset()

    def capture_names(self, Py_ssize_t route):
        """The names in the template of route number `route` (in the order of `routes`), from left to right.

        Raises IndexError when there is no such route.
        """
        if not 0 <= route < len(self):
            raise IndexError(f"there is no route number {route}")
        return self.names_[route] if self.frozen != NULL else self.pending[route][3]

    @property
    def routes(self):
        """All routes as (method, template, value), in the order in which they were added."""
        return list(self.routes_) if self.frozen != NULL else [entry[:3] for entry in self.pending]

    @property
    def is_frozen(self):
        """Whether freeze() was called."""
        return self.frozen != NULL

    @property
    def stats(self):
        """Size of the compiled trie: `{"routes", "nodes", "bytes"}`.  Raises RouteError before freeze()."""
        if self.frozen == NULL:
            raise RouteError("stats before freeze()")
        return {
            "routes": len(self.routes_),
            "nodes": brrt_matcher_nodes(self.frozen),
            "bytes": brrt_matcher_bytes(self.frozen),
        }

    def visits(self, str method not None, path):
        """How many trie nodes a match of this request looks at at most, which bounds its time; for tests and reports."""
        cdef const char *data = NULL
        cdef Py_ssize_t length = 0
        cdef brrt_match found
        if self.frozen == NULL:
            raise RouteError("visits() before freeze()")
        text_of(path, "path", &data, &length)
        scratch = bytearray(length)
        check(brrt_matcher_match(self.frozen, self.method_id(method), data, length, NULL, 0, scratch, length, &found),
              path)
        # The first pass looks at the root and at one node for each segment, none of them twice.
        return found.visits or min(data[:length].count(b"/") + 1, brrt_matcher_nodes(self.frozen))

    def __len__(self):
        return len(self.routes_) if self.frozen != NULL else len(self.pending)

    def __repr__(self):
        return f"<Matcher with {len(self)} routes{'' if self.frozen != NULL else ', not frozen'}>"


cdef object check(brrt_status status, path):
    """Raise for a malformed path; every other outcome is None."""
    if status == BRRT_BAD_ESCAPE or status == BRRT_BAD_UTF8:
        raise PathError(f"the path {path!a}: {brrt_status_text(status).decode()}")
    return None


cdef tuple intern_all(tuple names):
    return tuple([sys.intern(name) for name in names])
