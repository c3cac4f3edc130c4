"""`Clock`: one coarse clock for all connections of a listener.

No connection and no request has a timer.  While there are connections a timer of the loop ticks; each tick moves `now`
on and looks at every connection.  A connection notes times by storing `now`, which costs no call.
"""

from libc.math cimport INFINITY

from brrtrouter.core.service cimport Operation, Service

cdef enum:
    TICKS = 8                # in the shortest of the limits
    LATE_TICKS = 2           # that a tick counts at most, see `Clock.tick`
    MANY = 10_000            # connections, where nobody says how many

cdef double SHORTEST_PERIOD = 0.01
cdef double LONGEST_PERIOD = 0.5


cdef class Watched:
    """Something that a clock looks at."""

    cdef int look(self) except -1:
        """Do what the time asks for.  Cython knows no abstract methods: the place has to be filled by something."""
        raise NotImplementedError


cdef class Clock:
    """The connections of a listener, and the time for them.

    `service` may be replaced at any time: its limits hold from the next tick on.  `max_connections`, how many there may
    be, stays what it is: whoever accepts connections keeps to it, and it is crowded when most of them are there.
    """

    def __init__(self, Service service not None, loop):
        self.service = service
        self.loop = loop
        self.connections = set()
        self.orphans = set()
        self.max_connections = service.limits.connections or MANY
        self.take_limits()

    cdef int take_limits(self) except -1:
        """Make the limits of the service ours."""
        cdef object limits = self.service.limits
        times = [limits.head_time, limits.body_wait, limits.body_rate_time, limits.handler_time, limits.write_wait,
                 limits.linger, limits.connection_age, limits.keep_alive, limits.crowded_keep_alive]
        times += [(<Operation>operation).deadline for operation in self.service.operations]
        self.period = min(max(min([time for time in times if time > 0], default=LONGEST_PERIOD) / TICKS,
                              SHORTEST_PERIOD), LONGEST_PERIOD)
        self.head_time = self.counted(limits.head_time)
        self.body_wait = self.counted(limits.body_wait)
        self.body_rate_time = self.counted(limits.body_rate_time)
        self.body_least = limits.body_rate * limits.body_rate_time
        self.handler_time = self.counted(limits.handler_time)
        self.write_wait = self.counted(limits.write_wait)
        self.linger = self.counted(limits.linger)
        self.connection_age = self.counted(limits.connection_age)
        self.keep_alive = self.counted(limits.keep_alive)
        self.crowded_keep_alive = min(self.keep_alive, self.counted(limits.crowded_keep_alive))
        self.linger_size = limits.linger_size
        self.crowded = limits.crowded
        self.timed = self.service
        return 0

    cdef double counted(self, double seconds):
        """A limit as the difference of two times of this clock, of which the earlier may be a period too early."""
        return seconds + self.period if seconds > 0 else INFINITY

    cdef int admit(self, Watched connection) except -1:
        """Look at a connection from now on."""
        self.connections.add(connection)
        if self.timer is None:
            self.read_at = self.loop.time()
            self.timer = self.loop.call_later(self.period, self.tick)
        return 0

    def forget(self, connection):
        """A connection is gone."""
        self.connections.discard(connection)
        self.rest()

    cdef int rest(self) except -1:
        """Stop while there is nothing to look at."""
        if self.timer is not None and not self.connections and not self.orphans:
            self.timer.cancel()
            self.timer = None
        return 0

    def tick(self):
        """Move on, and look at every connection.

        When the loop was held up, by code that does not give it back or by a process that was stopped, what clients
        have sent meanwhile is not read yet: that time is not held against them.
        """
        cdef double read_at = self.loop.time()
        self.elapsed = min(read_at - self.read_at, LATE_TICKS * self.period)
        self.read_at = read_at
        self.now += self.elapsed
        if self.timed is not self.service:
            self.take_limits()
        self.timer = self.loop.call_later(self.period, self.tick)
        self.idle_time = self.keep_alive
        if 100 * len(self.connections) > self.crowded * self.max_connections:
            self.idle_time = self.crowded_keep_alive
        for connection in list(self.connections):
            (<Watched>connection).look()
        for connection in list(self.orphans):
            (<Watched>connection).look()
        self.rest()
