cimport cython
from libc.stdint cimport int64_t, uint32_t

from brrtrouter.core.csrc cimport brrt_pair
from brrtrouter.core.request cimport Request

cdef enum Split:
    # How the text of a parameter is taken apart.
    SCALAR
    REPEATED   # exploded form: one item for each occurrence of the name
    LIST       # one text, items between separators
    STYLED     # anything else: styles.py


@cython.final
cdef class Schema:
    cdef object source       # has compiled() and faults(), see brrtrouter.spec.schema.Schema
    cdef object is_valid_    # the compiled check, None until first used
    cdef bint integers       # only integers come here
    cdef bint bounded        # the schema says no more than that an integer is from `least` to `most`
    cdef int64_t least, most

    cdef int prepare(self) except -1
    cdef bint accepts(self, object value) except -1
    cdef object add_faults(self, object faults, object value, str location, str prefix)


cdef class ArgumentParser  # a form in the querystring has one of its own


@cython.final
cdef class Param:
    cdef readonly str name
    cdef readonly str location
    cdef readonly bint required
    cdef bytes key           # the name as it is compared: encoded, in lower case for headers
    cdef str pointer         # JSON Pointer of the value among the values of its location
    cdef Split split
    cdef char separator
    cdef unsigned types      # bit set of CAST_*
    cdef bint plus           # '+' is a space
    cdef bint escaped        # percent escapes are decoded
    cdef bint allow_empty
    cdef bint has_default
    cdef bint mutable_default
    cdef bint many_names     # members are pairs of their own: form-exploded objects and deepObject
    cdef bint chosen         # the decoder takes all the texts of a cookie: its schema allows several shapes
    cdef object default
    cdef Schema schema
    cdef object decoder      # for STYLED
    cdef ArgumentParser fields  # for a form in the querystring

    cdef object decode_one(self, const char *s, Py_ssize_t length)
    cdef object decode_list(self, const char *s, Py_ssize_t length)
    cdef object decode(self, const char *s, Py_ssize_t length)
    cdef object bad(self, object value, str pointer)
    cdef object refuse(self, object faults, object error)
    cdef object fault(self, object faults, str pointer, str keyword, str message)
    cdef object cast_others(self, dict values)
    cdef object cast_text(self, str text)
    cdef object put(self, dict values, object value, object faults)


cdef class FieldReader:
    cdef readonly tuple params


@cython.final
cdef class ArgumentParser:
    cdef tuple path_params     # by capture index: Param or None
    cdef tuple path_names      # by capture index
    cdef bint path_proven      # a path that could be decoded is valid
    cdef tuple query_params
    cdef tuple styled_query    # Params with many_names
    cdef Param querystring     # the parameter that is the whole query, or None
    cdef tuple header_params
    cdef tuple cookie_params
    cdef readonly Py_ssize_t max_pairs
    cdef bint first            # one fault is enough

    cdef object parse(self, Request request)
    cdef object parse_path(self, Request request, object faults)
    cdef object parse_query(self, Request request, object faults)
    cdef object take_pair(self, const char *base, const brrt_pair *pair, dict values, object faults)
    cdef object take_item(self, Param param, const char *s, Py_ssize_t length, dict values, object faults)
    cdef object parse_styled(self, Request request, dict values, object faults)
    cdef object parse_querystring(self, Request request, object faults)
    cdef object parse_headers(self, Request request, object faults)
    cdef object parse_cookies(self, Request request, object faults)
    cdef object finish(self, tuple params, dict values, object faults)
