from cpython.object cimport PyObject

from brrtrouter.core.csrc cimport brrt_builder, brrt_match, brrt_matcher, brrt_status


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
    # By method number: interned str, so that a method is found by comparing pointers.
    cdef tuple methods_
    cdef int method_count
    cdef PyObject *method_objects[32]  # borrowed from methods_

    cdef int method_id(self, object method) except -2
    cdef int other_method_id(self, object method) except -2
    cdef brrt_status find(self, int method, const char *path, Py_ssize_t length, const char *query,
                          Py_ssize_t query_length, char *scratch, Py_ssize_t scratch_length,
                          brrt_match *out) noexcept
    cdef tuple result(self, brrt_match *found)
    cdef frozenset methods_of(self, unsigned bits)


cdef str capture_str(const char *s, Py_ssize_t length, bint high)
