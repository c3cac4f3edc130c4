"""`BodyStream`: the body of a request in pieces, as they come, with back-pressure.

The connection feeds it; an asynchronous iterator takes the pieces out.  When more than STREAM_HIGH bytes wait, the
connection is not read any more until no more than STREAM_LOW are left, so that a slow reader slows the client down and
memory stays bounded, whatever the size of the body.
"""

from collections import deque

from cpython.bytes cimport PyBytes_GET_SIZE


cdef class BodyStream:
    """An asynchronous iterator over the pieces of a body, for one reader.

    It raises `brrtrouter.errors.BodyStreamError` when the rest of the body will not come.
    """

    def __cinit__(self):
        self.chunks = deque()

    def __aiter__(self):
        return self

    def __anext__(self):
        return self.take()

    async def take(self):
        """The next piece; StopAsyncIteration at the end."""
        while not self.chunks:
            if self.error is not None:
                raise self.error
            if self.complete:
                raise StopAsyncIteration
            if self.waiter is not None:
                raise RuntimeError("a body is read from two places")
            self.waiter = self.loop.create_future()
            try:
                self.source.body_wanted()
                await self.waiter
            finally:
                self.waiter = None
        data = self.chunks.popleft()
        self.buffered -= PyBytes_GET_SIZE(data)
        if self.source is not None and self.buffered <= STREAM_LOW:
            self.source.body_taken()
        return data

    cdef int feed(self, bytes data) except -1:
        self.chunks.append(data)
        self.buffered += PyBytes_GET_SIZE(data)
        self.received += PyBytes_GET_SIZE(data)
        return self.wake()

    cdef int finish(self) except -1:
        self.complete = True
        return self.wake()

    cdef int fail(self, object error) except -1:
        """Nothing more will come; what did come can still be taken."""
        self.error = error
        self.source = None
        return self.wake()

    cdef int wake(self) except -1:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)
        return 0

    def __repr__(self):
        state = "complete" if self.complete else "cut off" if self.error is not None else "open"
        return f"<BodyStream {state}, {self.received} bytes>"


cdef BodyStream whole_body(object data):
    """A stream of a body that has been read: one piece, or none."""
    cdef BodyStream stream = BodyStream.__new__(BodyStream)
    if data:
        stream.feed(data)
    stream.finish()
    return stream
