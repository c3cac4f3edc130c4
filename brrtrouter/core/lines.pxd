cdef object valid_name


cdef bytes checked_value(object name, object value)


cdef class FixedFields:
    cdef bytes plain       # all lines, each after its CR LF
    cdef bytes encrypted   # the same with those for TLS
    cdef frozenset names   # in lower case
    cdef tuple fields      # (name in lower case, line, whether it is for TLS only)
    cdef readonly bint depends  # on whether the client speaks TLS

    cdef bytes lines(self, bint encrypted)
    cdef bytes without(self, set names, bint encrypted)
