"""Forms and headers of parts by the tables of `arguments.pyx`: the same text gives the same value everywhere."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from brrtrouter.core.arguments cimport ArgumentParser, Param
from brrtrouter.core.request cimport Request

from brrtrouter.core.arguments import Param as make_param


def read_pairs(ArgumentParser parser not None, bytes text not None):
    """Read `name=value&...` like a query string: (values by name, list of faults or None).

    Members that the parser does not declare are text, a list of texts where they repeat.  OverflowError when the text
    is longer than a query can be, 4 GiB.
    """
    cdef Request request = Request.__new__(Request)
    request.head = text
    request.query_span.off = 0
    request.query_span.len = len(text)
    faults = parser.parse_query(request, None)
    return request.query, faults


def read_value(parameter, str text not None):
    """Decode the text of one parameter: (value, list of faults or None); the value is None beside faults."""
    cdef Param param = make_param(parameter)
    cdef dict values = {}
    cdef bytes raw = text.encode("utf-8", "surrogatepass")
    faults = param.put(values, param.decode(PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw)), None)
    return values.get(param.name), faults
