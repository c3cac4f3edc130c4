"""`Meter`: what a process counts of its requests, in one block of memory that other processes may read.

The block is an array of 64-bit cells in the byte order of the machine: PROCESS_CELLS for the process, then rows of
`width` cells.  There is a row for each operation, then one for the HEAD requests of each operation that answers GET
and HEAD alike, and last one for requests that belong to no operation.  All cells only grow, so that what is open or
under way is a difference, and cells of several processes can be added.  There is one writer, under the GIL; a reader
may be one request behind, and never sees half a number.
"""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from brrtrouter.core.request cimport Request

# The statuses that have a column of their own: those of the registry (RFC 9110 16.2.1).  All others share that of
# their class, which stands at the end.
cdef tuple REGISTERED = (
    101, *range(200, 209), 226, *range(300, 309), *range(400, 419), *range(421, 427), 428, 429, 431, 451,
    *range(500, 509), 510, 511)
CLASSES = ("2xx", "3xx", "4xx", "5xx")
STATUSES = (*map(str, REGISTERED), *CLASSES)
if len(STATUSES) > STATUS_COLUMNS:
    raise ImportError("more statuses than columns")


# Why the security of an operation refuses a request, each with a cell of its own; the last is for any other.
REASONS = ("missing", "invalid", "scope", "malformed", "unavailable", "other")
if len(REASONS) != INVALID - AUTH_REFUSED:
    raise ImportError("the cells are not those of the reasons")


cdef inline uint64_t now() noexcept:
    cdef timespec at
    clock_gettime(CLOCK_MONOTONIC, &at)
    return <uint64_t>at.tv_sec * 1000000000 + <uint64_t>at.tv_nsec


cdef class Meter:
    """Counts of requests.

    heads: for each operation whether its HEAD requests are counted apart.  bounds: of the buckets of times, in seconds,
    rising; at most 64.  Raises ValueError for bounds that are none.
    """

    def __cinit__(self, heads, bounds):
        cdef Py_ssize_t i
        cdef uint32_t row = len(heads)
        self.operations = row
        if len(bounds) > MAX_BOUNDS:
            raise ValueError(f"more than {MAX_BOUNDS} bounds")
        last = 0
        for i, bound in enumerate(bounds):
            nanoseconds = round(bound * 1e9)
            if not last < nanoseconds < 2**63:
                raise ValueError("the bounds do not rise from above 0")
            self.bounds[i] = last = nanoseconds
        self.bound_count = len(bounds)
        for i in range(STATUS_SPAN):
            self.columns[i] = <uint8_t>(len(REGISTERED) + i // 100)
        for i, status in enumerate(REGISTERED):
            if status >= 200:
                self.columns[status - 200] = <uint8_t>i
        self.head_rows = <uint32_t *>PyMem_Malloc((self.operations + 1) * sizeof(uint32_t))
        if self.head_rows == NULL:
            raise MemoryError
        for i, apart in enumerate(heads):
            self.head_rows[i] = row if apart else <uint32_t>i
            row += 1 if apart else 0
        self.rows = row + 1
        self.width = BUCKETS + self.bound_count + 1
        self.attach(bytearray(self.size))

    def __dealloc__(self):
        PyMem_Free(self.head_rows)
        if self.cells != NULL:
            PyBuffer_Release(&self.view)

    @property
    def size(self):
        """How many bytes the cells take."""
        return (PROCESS_CELLS + <Py_ssize_t>self.rows * self.width) * sizeof(uint64_t)

    def attach(self, buffer):
        """Count in this memory from now on, from zero.

        Raises ValueError when it is smaller than `size` or begins where no cell can, BufferError when it is read-only.
        """
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        if view.len < self.size or <uintptr_t>view.buf % sizeof(uint64_t):
            PyBuffer_Release(&view)
            raise ValueError("this memory cannot hold the cells")
        memset(view.buf, 0, self.size)
        if self.cells != NULL:
            PyBuffer_Release(&self.view)
        self.view = view
        self.cells = <uint64_t *>view.buf

    def snapshot(self):
        """A copy of the cells."""
        return bytes((<char *>self.cells)[:self.size])

    cdef uint64_t *row(self, Request request, Py_ssize_t index) noexcept:
        """The cells for requests to an operation, by its index; -1 when there is none."""
        cdef uint32_t number = self.rows - 1
        if index >= 0:
            number = self.head_rows[index] if request.is_head else <uint32_t>index
        return self.cells + PROCESS_CELLS + <size_t>number * self.width

    cdef int connected(self) except -1:
        self.cells[OPENED] += 1
        return 0

    cdef int disconnected(self) except -1:
        self.cells[CLOSED] += 1
        return 0

    cdef int begin(self, Request request) except -1:
        """A request is about to be answered."""
        request.began = now()
        self.cells[BEGUN] += 1
        return 0

    cdef int refused(self, Request request, Py_ssize_t index, int status, Py_ssize_t size) except -1:
        """A message was refused before it was a whole request, by an answer of `size` bytes."""
        cdef uint64_t *cells = self.row(request, index)
        cells[self.column(status)] += 1
        cells[BYTES_OUT] += size
        return 0

    cdef int column(self, int status) noexcept:
        return self.columns[status - 200] if status >= 200 else 0  # of interim ones only 101 is ever counted

    cdef int answered(self, Request request, Py_ssize_t index, int status, Py_ssize_t size) except -1:
        """The answer is known; `size` bytes are all of it, or its head."""
        cdef uint64_t *cells = self.row(request, index)
        cdef uint64_t took = now() - request.began
        cdef uint32_t i = 0
        while i < self.bound_count and took > self.bounds[i]:
            i += 1
        cells[BUCKETS + i] += 1
        cells[SUM_NS] += took
        cells[self.column(status)] += 1
        cells[BYTES_OUT] += size
        return 0

    cdef int ended(self, Request request, Py_ssize_t index, Py_ssize_t more) except -1:
        """Nothing is left to do for a request, once; `more` bytes went out after its head."""
        cdef uint64_t *cells
        if request.began == 0:
            return 0
        request.began = 0
        self.cells[ENDED] += 1
        cells = self.row(request, index)
        cells[BYTES_OUT] += more
        cells[BYTES_IN] += request.head_length
        if request.raw_body is not None:
            cells[BYTES_IN] += PyBytes_GET_SIZE(request.raw_body)
        elif request.stream_ is not None:
            cells[BYTES_IN] += request.stream_.received
        return 0

    cdef int note_refusal(self, Request request, Py_ssize_t index, object refusal) except -1:
        """One more request that the security of its operation refused, for the `reason` of the refusal."""
        reason = getattr(refusal, "reason", None)
        return self.note(request, index, AUTH_REFUSED + REASONS.index(reason if reason in REASONS else "other"))

    cdef int note(self, Request request, Py_ssize_t index, int cell) except -1:
        """One more of something that happens to requests: INVALID, and one of AUTH_REFUSED."""
        self.row(request, index)[cell] += 1
        return 0
