from cpython.object cimport PyObject

from brrtrouter.core.csrc cimport brrt_builder, brrt_match, brrt_matcher, brrt_status


# What a route returns, in one place because requests come to routes in any order: the cache lines of many tuples would
# be cold.  Both are borrowed from the Matcher.
cdef struct brrt_record:
    PyObject *value
    PyObject *names  # tuple of interned str; equal ones are one object


cdef class Matcher:
    # Both are owned by this object; `frozen` is NULL until freeze().
    cdef brrt_builder *builder
    cdef brrt_matcher *frozen
    cdef unsigned options
    cdef bint auto_options
    cdef list pending
    # By route number: (method, template, value), the value, and the names of the captures.
    cdef tuple routes_
    cdef tuple values_
    cdef tuple names_
    cdef brrt_record *records  # one for each route, owned
    cdef list spare  # of one item: the last result without captures, None at first
    # By method number: interned str, so that a method is found by comparing pointers.
    cdef tuple methods_
    cdef int method_count
    cdef PyObject *method_objects[32]  # borrowed from methods_

    cdef int fill_records(self) except -1
    cdef int method_id(self, object method) except -2
    cdef int other_method_id(self, object method) except -2
    cdef brrt_status find(self, int method, const char *path, Py_ssize_t length, const char *query,
                          Py_ssize_t query_length, char *scratch, Py_ssize_t scratch_length,
                          brrt_match *out) noexcept
    cdef object match_any(self, int method, path, query)
    cdef frozenset methods_of(self, unsigned bits)


cdef str capture_str(const char *s, Py_ssize_t length, bint high)
