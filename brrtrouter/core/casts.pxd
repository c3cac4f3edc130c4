cdef enum:
    # Types of scalars in a set, in the order in which they are tried.
    CAST_NULL = 1
    CAST_INTEGER = 2
    CAST_NUMBER = 4
    CAST_BOOLEAN = 8
    CAST_STRING = 16

cdef object BAD
cdef object BAD_TEXT

cdef object cast_span(const char *s, Py_ssize_t length, unsigned types, bint high)
cdef object cast_escaped(const char *s, Py_ssize_t length, unsigned types, bint plus, bint escaped)
cdef str expected(unsigned types)
