"""Casts: the text of a scalar becomes the first of the declared types that it fits.

The types of JSON Schema are bits, so that a cast looks at nothing that was not declared, and text that becomes a
number never becomes a Python string.  Sources: OpenAPI 3.1 section 4.8.12, 3.2 appendix B; RFC 8259 section 6.
"""

from cpython.long cimport PyLong_FromLongLong
from libc.stdint cimport int64_t
from libc.string cimport memcmp

from brrtrouter.core.csrc cimport (
    BRRT_HAS_PERCENT,
    BRRT_HAS_PLUS,
    BRRT_OK,
    BRRT_RANGE,
    brrt_is_number,
    brrt_parse_bool,
    brrt_parse_int64,
    brrt_percent_decode,
    brrt_scan,
)
from brrtrouter.core.matcher cimport capture_str
from brrtrouter.core.request cimport decode_text

from brrtrouter.core.deep import TextError

cdef enum:
    STACK_TEXT = 512
    # Digits of an integer: what int() takes before it refuses by itself (CVE-2020-10735).
    MAX_DIGITS = 4300

cdef dict CASTS = {
    "null": CAST_NULL,
    "integer": CAST_INTEGER,
    "number": CAST_NUMBER,
    "boolean": CAST_BOOLEAN,
    "string": CAST_STRING,
}
cdef dict CAST_NAMES = {bit: name for name, bit in CASTS.items()}

# "This text is no value of the declared type" and "is no text at all": every Python value is a possible value.
BAD = object()
BAD_TEXT = object()


def cast_bits(types):
    """The bit set for a tuple of JSON Schema type names, as the casts take it."""
    bits = 0
    for name in types:
        bits |= CASTS[name]
    return bits


cdef object cast_span(const char *s, Py_ssize_t length, unsigned types, bint high):
    """Cast decoded text to the first of the types that it fits: null, integer, number, boolean, string."""
    cdef int64_t integer = 0
    cdef int truth = 0
    cdef int status
    if types & CAST_NULL and (length == 0 or (not types & CAST_STRING and length == 4 and memcmp(s, b"null", 4) == 0)):
        return None
    if types & CAST_INTEGER:
        status = brrt_parse_int64(s, length, &integer)
        if status == BRRT_OK:
            return PyLong_FromLongLong(integer)
        if status == BRRT_RANGE and length - (s[0] == c"-") <= MAX_DIGITS:
            try:
                return int(s[:length])
            except ValueError:  # the interpreter was told to take fewer digits
                return BAD
    if types & CAST_NUMBER and brrt_is_number(s, length):
        if brrt_parse_int64(s, length, &integer) == BRRT_OK:
            return PyLong_FromLongLong(integer)
        number = float(s[:length])
        if number - number == 0.0:  # neither infinite nor not a number
            return number
        return BAD
    if types & CAST_BOOLEAN and brrt_parse_bool(s, length, &truth) == BRRT_OK:
        return bool(truth)
    if types & CAST_STRING:
        return capture_str(s, length, high)
    return BAD


cdef str expected(unsigned types):
    """What a text should have been, in words."""
    names = [name for bit, name in CAST_NAMES.items() if types & bit]
    return "expected " + " or ".join(names)


cdef object cast_escaped(const char *s, Py_ssize_t length, unsigned types, bint plus, bint escaped):
    """Percent-decode once, then cast; BAD or BAD_TEXT when that fails."""
    cdef char stack[STACK_TEXT]
    cdef size_t written = 0
    cdef unsigned marks = brrt_scan(s, length) if escaped else 0
    if not marks & (BRRT_HAS_PERCENT | (BRRT_HAS_PLUS if plus else 0)):
        return cast_span(s, length, types, True)
    if length <= STACK_TEXT:
        if brrt_percent_decode(s, length, plus, stack, &written) != BRRT_OK:
            return BAD_TEXT
        return cast_span(stack, written, types, True)
    text = decode_text(s, length, plus)
    if text is None:
        return BAD_TEXT
    raw = (<str>text).encode()
    return cast_span(raw, len(raw), types, True)


def cast(str text not None, tuple types not None):
    """Cast decoded text to the first type that it fits; raises TextError, a ValueError, when there is none."""
    cdef bytes raw = text.encode("utf-8", "surrogatepass")
    cdef unsigned bits = cast_bits(types)
    value = cast_span(raw, len(raw), bits, True)
    if value is BAD:
        raise TextError(expected(bits), "type")
    return value
