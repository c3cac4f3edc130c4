cdef object read_json(bytes raw, Py_ssize_t max_depth)
