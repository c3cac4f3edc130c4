"""`TimedConnection`: what a connection does about the time that passes.

The clock of the endpoint looks at it once a tick.  Only time in which the client could have done something counts
against it: not while we do not read, and not while it waits for our `100 Continue`.
"""

import logging
import socket
import struct

from brrtrouter.core.connection cimport BETWEEN, CLOSING, FIRST, HEAD, Connection, Endpoint
from brrtrouter.core.request cimport Request
from brrtrouter.core.response cimport encode_response
from brrtrouter.core.service cimport Operation, Service
from brrtrouter.core.stream cimport BodyStream

from brrtrouter.core.response import problem_response

cdef object logger = logging.getLogger("brrtrouter.server")
cdef bytes BY_RESET = struct.pack("ii", 1, 0)  # struct linger: on, for no time


cdef class TimedConnection(Connection):
    """A connection that ends when its time is over."""

    cdef int look(self) except -1:
        cdef Endpoint clock = self.endpoint
        if self.working is not None:
            self.look_at_handler(clock)
        if self.transport is None or (self.unsent and not self.look_at_writing(clock)):
            return 0
        if clock.now - self.opened >= clock.connection_age:
            self.aged = True
        if self.ending:
            if clock.now - self.since >= clock.linger:
                self.cut()
        elif self.phase == HEAD:
            self.look_at_head(clock)
        elif self.phase != CLOSING:
            self.look_at_body(clock)
        return 0

    # -- the client

    cdef int look_at_head(self, Endpoint clock) except -1:
        """Between two requests, or in the middle of a head."""
        cdef double passed = clock.now - self.since
        if self.reading_paused:
            self.since = clock.now
        elif self.stage == BETWEEN:
            if passed > 0:
                self.forget_known()  # what is idle shall not need more memory than it must
            if passed >= clock.idle_time and self.is_idle():
                self.transport.close()
        elif passed >= clock.head_time:
            if self.stage == FIRST and self.rest is None:
                self.transport.close()
            else:
                self.refuse(408, "the head of the request did not arrive in time")
        return 0

    cdef int look_at_body(self, Endpoint clock) except -1:
        if self.reading_paused or self.owes_continue:
            self.since = clock.now
            return 0
        if clock.now - self.since >= clock.body_wait:
            return self.refuse(408, "no more of the body arrived in time", self.reading)
        self.body_active += clock.elapsed
        if self.body_active >= clock.body_rate_time:
            if self.body_length - self.body_seen < clock.body_least:
                return self.refuse(408, "the body arrives too slowly", self.reading)
            self.body_seen = self.body_length
            self.body_active = 0
        return 0

    cdef bint look_at_writing(self, Endpoint clock) except -1:
        """Whether the connection goes on: the client takes what was written, or has taken all."""
        cdef Py_ssize_t left = self.transport.get_write_buffer_size()
        cdef Py_ssize_t sent = self.written - left + self.direct_bytes
        if left == 0 and self.writable is None:  # a file that is sent past the transport waits for `writable`
            self.unsent = False
            self.sent = -1
            return True
        if sent != self.sent:
            self.sent = sent
            self.sent_at = clock.now
        elif clock.now - self.sent_at >= clock.write_wait:
            self.reset()
            return False
        if self.ending or (self.phase == HEAD and self.stage == BETWEEN):
            self.since = clock.now  # neither idle nor lingering before the last byte is out
        return True

    cdef int reset(self) except -1:
        """Cut by a reset: else the system keeps what the client does not read, for as long as that stays there."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, BY_RESET)
        self.cut()
        return 0

    # -- the handler

    cdef double time_for(self, Endpoint clock):
        """How long the handler at work may take."""
        if self.working.operation is None or (<Operation>self.working.operation).deadline < 0:
            return clock.handler_time
        return clock.counted((<Operation>self.working.operation).deadline)

    cdef int look_at_handler(self, Endpoint clock) except -1:
        cdef BodyStream stream = self.working.stream_
        cdef Py_ssize_t taken
        if stream is not None and stream is self.stream:
            # The body is still on its way: only a handler that leaves what has come lying is at work for too long.
            taken = stream.received - stream.buffered
            if not self.reading_paused or taken != self.taken:
                self.taken = taken
                self.asked = clock.now
                return 0
        if clock.now - self.asked >= self.time_for(clock):
            self.expire()
        return 0

    cdef int expire(self) except -1:
        """Cancel the handler and answer in its place, without waiting for it to end."""
        cdef Request request = self.working
        logger.warning("request %s: %s %s had no answer in time", request.id, request.method, request.path)
        self.working = None
        self.endpoint.orphans.discard(self)
        self.task.cancel()
        if self.is_last():
            request.keep_alive = False
        if request.stream_ is not None:
            request.stream_.answered = True
        problem = problem_response("handler-timeout", "the server took too long to answer this request",
                                   extra={"request_id": request.id})
        answer = encode_response(request, problem)
        (<Service>request.service).count_answer(request, answer)
        return self.conclude(request, answer)
