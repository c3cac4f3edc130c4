"""JSON texts to values, wherever a request has them: bodies, parts of bodies, members of forms."""

import json

import orjson

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from brrtrouter.core.csrc cimport brrt_has_digits, brrt_json_depth

cdef object orjson_loads = orjson.loads  # found once, not for every body

cdef enum:
    # A JSON text with fewer bytes than two for each level cannot be too deep.
    BYTES_PER_LEVEL = 2
    INT64_DIGITS = 19


cdef object read_json(bytes raw, Py_ssize_t max_depth):
    """The value of a JSON text, integers exact at any size; ValueError when it is none or nested too deeply."""
    cdef Py_ssize_t length = PyBytes_GET_SIZE(raw)
    if length >= max_depth * BYTES_PER_LEVEL and <Py_ssize_t>brrt_json_depth(
            PyBytes_AS_STRING(raw), length, max_depth) > max_depth:
        raise ValueError(f"nested deeper than {max_depth} levels")
    value = orjson_loads(raw)
    if brrt_has_digits(PyBytes_AS_STRING(raw), length, INT64_DIGITS):
        # orjson makes floats of integers beyond 64 bits.  It has judged the text, so the slower reader may.
        return json.loads(raw)
    return value


def load_json(bytes raw not None, Py_ssize_t max_depth=128):
    """The value of a JSON text, integers exact at any size; ValueError when it is none or nested too deeply."""
    return read_json(raw, max_depth)
