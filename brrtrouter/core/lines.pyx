"""Lines of header fields: what may stand in one, and those that every answer of a service has.

A CR, LF or NUL in a name or value raises and is never written (RFC 9110 section 5.5).
"""

import re

cdef object valid_name = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
cdef object invalid_value = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search


cdef bytes checked_value(object name, object value):
    raw = value.encode("latin-1") if isinstance(value, str) else bytes(value)
    if invalid_value(raw):
        raise ValueError(f"the value of the header field {name!r} has a control character")
    return raw.strip(b" \t")


def field_line(str name not None, str value not None):
    """A field as it goes out, after the CR LF of the line before it.

    Raises ValueError for a name that is none and a value with a control character.
    """
    raw = name.encode("latin-1")
    if not valid_name(raw):
        raise ValueError(f"{name!r} is no name of a header field")
    return b"\r\n" + raw + b": " + checked_value(name, value)


cdef class FixedFields:
    """Header fields that every answer has, but for those whose names the application sets itself.

    fields: (name, value) pairs.  encrypted: more of them, for answers to clients that speak TLS.  Raises ValueError
    for what cannot be a field.
    """

    def __init__(self, fields, encrypted=()):
        made = [(name.lower().encode(), field_line(name, value), only)
                for pairs, only in ((fields, False), (encrypted, True)) for name, value in pairs]
        self.fields = tuple(made)
        self.names = frozenset([name for name, _, _ in made])
        self.depends = any([only for _, _, only in made])
        self.plain = self.without(set(), False)
        self.encrypted = self.without(set(), True)

    cdef bytes lines(self, bint encrypted):
        return self.encrypted if encrypted else self.plain

    cdef bytes without(self, set names, bint encrypted):
        """The lines but those of some names, which are in lower case."""
        return b"".join([line for name, line, only in self.fields if name not in names and (encrypted or not only)])
