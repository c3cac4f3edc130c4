from libc.stdint cimport uint8_t, uint32_t, uint64_t

from brrtrouter.core.request cimport Request

cdef enum:
    MAX_BOUNDS = 64
    STATUS_SPAN = 400    # statuses 200 to 599
    STATUS_COLUMNS = 64

# The cells of the process.
cdef enum:
    OPENED        # connections
    CLOSED
    BEGUN         # requests
    ENDED
    PROCESS_CELLS

# The cells of a row, after those of the statuses; the buckets come last.
cdef enum:
    SUM_NS = STATUS_COLUMNS
    BYTES_IN
    BYTES_OUT
    AUTH_REFUSED  # the first of REASONS cells
    INVALID = AUTH_REFUSED + 6
    BUCKETS


cdef class Meter:
    cdef Py_buffer view
    cdef uint64_t *cells
    cdef readonly uint32_t operations, rows, width
    cdef uint32_t bound_count
    cdef uint64_t bounds[MAX_BOUNDS]         # in nanoseconds
    cdef uint8_t columns[STATUS_SPAN]
    cdef uint32_t *head_rows                 # by operation: the row of its HEAD requests

    cdef int column(self, int status) noexcept
    cdef uint64_t *row(self, Request request, Py_ssize_t index) noexcept
    cdef int connected(self) except -1
    cdef int disconnected(self) except -1
    cdef int begin(self, Request request) except -1
    cdef int refused(self, Request request, Py_ssize_t index, int status, Py_ssize_t size) except -1
    cdef int answered(self, Request request, Py_ssize_t index, int status, Py_ssize_t size) except -1
    cdef int ended(self, Request request, Py_ssize_t index, Py_ssize_t more) except -1
    cdef int note_refusal(self, Request request, Py_ssize_t index, object refusal) except -1
    cdef int note(self, Request request, Py_ssize_t index, int cell) except -1
