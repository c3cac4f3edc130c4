from brrtrouter.core.request cimport Request


cdef class Response:
    cdef public int status
    cdef public object body
    cdef public object headers
    cdef public object media_type

    cdef bint is_stream(self)


cdef bytes encode_plain(Request request, int status, bytes prefix, bytes body)
cdef bytes encode_response(Request request, Response response)
cdef bint has_no_body(int status)
cdef bytes stream_head(Request request, Response response, bint chunked, Py_ssize_t length)
cdef bytes switch_head(Request request, Response response)
cdef tuple response_parts(Request request, Response response)
cdef bytes prefix_for(int status, str media_type)
cdef bytes dump_json(object value)
