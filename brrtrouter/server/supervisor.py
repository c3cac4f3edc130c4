"""`Supervisor`: one listening socket, N worker processes that inherit it, and what happens to them.

The supervisor never loads the application: a worker does, after the fork, so that a description that kills its reader
kills a worker only, every worker may start threads, and new workers see the files as they are now.  It has no thread
and no event loop: signals, words of workers and time are all that it waits for.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import logging
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from brrtrouter.config import Config
from brrtrouter.observe.board import Board
from brrtrouter.server.sockets import Listener, ServerError, listen
from brrtrouter.server.systemd import Notifier
from brrtrouter.server.worker import RECEIVE, work

if TYPE_CHECKING:
    from brrtrouter.app import App

logger = logging.getLogger("brrtrouter.server")

MAX_WORKERS = 1024
MARGIN_SECONDS = 5.0  # beyond the limit `drain`, before a worker that does not end is killed
ABORT_SECONDS = 2.0  # the same after the second signal
SIGNS = 3  # of life that a worker gives before it is too late
OVERSLEPT_SECONDS = 1.0  # a supervisor that is so much too late was stopped itself, and its workers perhaps too
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


def check(workers: int) -> None:
    """Raise ServerError when so many workers cannot be had, or not from here; before a port is taken."""
    if not 1 <= workers <= MAX_WORKERS:
        raise ServerError(f"the number of workers is not between 1 and {MAX_WORKERS}: {workers}")
    if threading.current_thread() is not threading.main_thread():
        raise ServerError("workers are started from the main thread only, where signals arrive")


def run_app(app: App, host: str, port: int, workers: int) -> None:
    """Serve an application that there is already from so many processes."""
    check(workers)
    _ = app.service  # compiled once, and shared
    listener = Listener(listen(host, port, app.config.limits.backlog))
    Supervisor(lambda first: app, listener, workers, app.config).run()


class _State(Enum):
    LOADING = auto()
    READY = auto()  # waits until all of its generation are
    SERVING = auto()
    ENDING = auto()


# What a worker is killed for at its deadline.
_OVERDUE = {
    _State.LOADING: "not ready after {limits.start_timeout:g} s",
    _State.READY: "no sign of life for {limits.worker_timeout:g} s",
    _State.SERVING: "no sign of life for {limits.worker_timeout:g} s",
    _State.ENDING: "did not end in time",
}


@dataclass(eq=False)
class _Worker:
    number: int
    pid: int
    control: socket.socket
    started: float
    deadline: float | None
    state: _State = _State.LOADING
    patient: bool = False  # told to drain and to say when it is safe to close
    safe: bool = False
    killed: str = ""  # by us, and why
    failure: str = ""
    received: bytes = b""

    def __str__(self) -> str:
        return f"worker {self.number} (pid {self.pid})"

    def say(self, word: str) -> None:
        """A worker that is gone is noticed by its end."""
        with contextlib.suppress(OSError):
            self.control.send(word.encode() + b"\n")

    def kill(self, why: str) -> None:
        self.killed = self.killed or why
        self.state = _State.ENDING
        self.deadline = None
        os.kill(self.pid, signal.SIGKILL)  # not reaped yet, so that the number is still its own


@dataclass(eq=False)
class _Slot:
    """The place of one worker: who has it, and how often in a row it was lost soon after its start."""

    number: int
    worker: _Worker | None = None
    failures: int = 0
    restart_at: float | None = None


class Supervisor:
    """Runs workers until SIGTERM or SIGINT.

    load: makes the application, in the process of a worker; its argument says whether that worker is the first of
    all.  config: `server` and `limits.drain` of it are those of the supervisor.
    """

    def __init__(
        self,
        load: Callable[[bool], App],
        listener: Listener,
        workers: int,
        config: Config,
    ) -> None:
        self._load = load
        self._listener = listener
        self._limits = config.server
        self._drain = config.limits.drain
        self._slots = [_Slot(number + 1) for number in range(workers)]
        self._workers: dict[int, _Worker] = {}  # by pid
        self._incoming: list[_Worker] = []  # of a generation that is not ready yet
        self._reload_again = False
        self._ready: Callable[[], None] | None = None
        self._answered = False  # the first generation was ready
        self._stopping = False
        self._fenced = False
        self._failure: ServerError | None = None
        self._systemd = Notifier()
        self._next_sign = 0.0
        self._looked = 0.0  # when it was last seen to what is overdue

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Serve in this process and its workers; `ready` is called once all answer.

        Raises ServerError with the reason when the first workers cannot load the application.
        """
        self._ready = ready
        if threading.active_count() > 1:
            names = ", ".join(each.name for each in threading.enumerate() if each is not threading.main_thread())
            logger.warning("workers are forked while other threads run, whose locks they may inherit: %s", names)
        with selectors.DefaultSelector() as self._selector, self._taking_signals():
            self._board = Board()
            try:
                gc.collect()
                gc.freeze()  # so that collections in workers do not copy what they share
                self._roll()
                while not self._stopping or self._workers:
                    self._turn()
            finally:
                gc.unfreeze()
                for worker in list(self._workers.values()):
                    worker.kill("the supervisor ends")
                    os.waitpid(worker.pid, 0)
                    self._remove(worker)
                self._listener.remove()
                self._listener.close()
                self._board.remove()
        if self._failure is not None:
            raise self._failure

    # -- what the supervisor waits for

    @contextlib.contextmanager
    def _taking_signals(self) -> Iterator[None]:
        """Signals become bytes that the selector sees."""
        self._wake, write = socket.socketpair()
        self._wake_end = write
        for end in (self._wake, write):
            end.setblocking(False)
        handlers = {number: signal.signal(number, _nothing) for number in _SIGNALS}
        descriptor = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        try:
            yield
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, handler in handlers.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
            self._wake.close()
            write.close()

    def _turn(self) -> None:
        """Wait for something and see to it."""
        patience = self._patience()
        for key, _ in self._selector.select(patience):
            if key.data is not None:
                self._hear(key.data)
                continue
            for number in self._wake.recv(RECEIVE):
                self._on_signal(number)
        self._reap()
        now = time.monotonic()
        if patience is not None and now - self._looked > patience + OVERSLEPT_SECONDS:
            for worker in self._workers.values():
                self._is_alive(worker)
        self._looked = now
        self._end_overdue(now)
        for slot in self._slots:
            if slot.restart_at is not None and slot.restart_at <= now:
                slot.restart_at = None
                slot.worker = self._spawn(slot.number)
        if self._systemd.interval is not None and self._next_sign <= now:
            self._next_sign = now + self._systemd.interval
            self._systemd.alive()

    def _patience(self) -> float | None:
        """Seconds until there is something to do; None when nothing is planned."""
        times = [worker.deadline for worker in self._workers.values()] + [slot.restart_at for slot in self._slots]
        times += [self._next_sign] if self._systemd.interval is not None else []
        planned = [each for each in times if each is not None]
        return max(min(planned) - time.monotonic(), 0) if planned else None

    def _end_overdue(self, now: float) -> None:
        for worker in self._workers.values():
            if worker.deadline is None or worker.deadline > now:
                continue
            loading = worker.state is _State.LOADING
            why = _OVERDUE[worker.state].format(limits=self._limits)
            logger.error("%s is killed: %s", worker, why)
            worker.failure = worker.failure or why
            slot = self._slots[worker.number - 1]
            worker.kill("" if loading else why)
            if loading and slot.worker is worker:
                worker.state = _State.LOADING  # its end counts as a crash

    # -- workers come and go

    def _spawn(self, number: int) -> _Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()  # or the worker would print it once more
        # A signal that comes in between must not be written to the pipe that both have.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._become_worker(ours, theirs, number)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        theirs.close()
        now = time.monotonic()
        worker = _Worker(number, pid, ours, now, now + self._limits.start_timeout)
        self._workers[pid] = worker
        self._selector.register(ours, selectors.EVENT_READ, worker)
        return worker

    def _become_worker(self, ours: socket.socket, control: socket.socket, slot: int) -> None:
        """The life of the child; it never returns to where it was forked."""
        code = 1
        try:
            gc.unfreeze()
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                # Ctrl-C goes to the whole group, and what it means is for the supervisor to say.
                ignored = number in (signal.SIGINT, signal.SIGHUP)
                signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for worker in self._workers.values():
                worker.control.close()
            for each in (ours, self._wake, self._wake_end):
                each.close()
            self._selector.close()
            listener = Listener(self._listener.sock, owned=False, path=self._listener.path)
            code = work(lambda: self._loaded(slot), listener, control, self._limits.worker_timeout / SIGNS)
        except BaseException:
            logger.exception("worker %d failed", os.getpid())
        finally:
            with contextlib.suppress(BaseException):
                atexit._run_exitfuncs()
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _loaded(self, number: int) -> App:
        """The application, which counts where every worker sees it."""
        app = self._load(not self._answered and number == 1)
        _ = app.service  # which decides whether it counts
        if number == 1 and len(self._slots) > 1 and app.guards.counts_alone:
            logger.warning("each of %d workers counts for itself: rate_limit.storage would be shared", len(self._slots))
        if app.metrics is not None:
            if self._board.folder is None:
                raise ServerError("metrics.enabled: there is no folder for the counts of workers; TMPDIR can name one")
            app.metrics.share(self._board.folder, number)
        return app

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._hear(worker)  # its last words
                self._remove(worker)
                self._board.fold(pid)
                self._on_end(worker, _how(status), status == 0)

    def _remove(self, worker: _Worker) -> None:
        del self._workers[worker.pid]
        with contextlib.suppress(KeyError):
            self._selector.unregister(worker.control)
        worker.control.close()

    def _on_end(self, worker: _Worker, how: str, clean: bool) -> None:
        slot = self._slots[worker.number - 1]
        if worker in self._incoming:
            self._give_up(worker.failure or f"{worker} {how}")
        elif slot.worker is worker:
            slot.worker = None
            if not self._stopping:
                self._plan_restart(slot, worker, worker.failure or how)
        elif not worker.killed and not clean:
            logger.error("%s %s while it drained", worker, how)
        if self._stopping:
            self._close_when_safe()

    def _plan_restart(self, slot: _Slot, worker: _Worker, how: str) -> None:
        now = time.monotonic()
        healthy = worker.state is not _State.LOADING and now - worker.started >= self._limits.healthy_after
        slot.failures = 1 if healthy else slot.failures + 1
        doubled = self._limits.restart_backoff * 2.0 ** min(slot.failures - 1, 64)
        wait = min(doubled, self._limits.restart_backoff_limit)
        logger.error("%s %s; starting another in %g s", worker, how, wait)
        slot.restart_at = now + wait

    # -- what workers say

    def _hear(self, worker: _Worker) -> None:
        try:
            data = worker.control.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            with contextlib.suppress(KeyError):
                self._selector.unregister(worker.control)
            return
        *lines, worker.received = (worker.received + data).split(b"\n")
        for line in lines:
            word, _, text = line.decode().partition(" ")
            if word == "ready":
                self._on_ready(worker)
            elif word == "alive":
                self._is_alive(worker)
            elif word == "failed":
                worker.failure = json.loads(text)
            elif word == "safe":
                worker.safe = True
                self._close_when_safe() if self._stopping else worker.say("close")

    def _on_ready(self, worker: _Worker) -> None:
        if worker.state is not _State.LOADING:
            return
        worker.state = _State.READY
        worker.deadline = None
        self._is_alive(worker)
        if worker not in self._incoming:
            self._let_go(worker)
        elif all(each.state is _State.READY for each in self._incoming):
            self._hand_over()

    def _is_alive(self, worker: _Worker) -> None:
        """Until it has got ready, and from when it is to end, a worker has another limit."""
        if self._limits.worker_timeout and worker.state in (_State.READY, _State.SERVING):
            worker.deadline = time.monotonic() + self._limits.worker_timeout

    def _let_go(self, worker: _Worker) -> None:
        worker.state = _State.SERVING
        worker.say("go")
        logger.info("%s is ready", worker)

    # -- generations

    def _roll(self) -> None:
        """Start a new generation; the one there is goes on until the new one is ready."""
        self._reload_again = False
        self._incoming = [self._spawn(slot.number) for slot in self._slots]

    def _hand_over(self) -> None:
        """All of the new generation are ready: they take connections from here on, the old ones no more."""
        incoming, self._incoming = self._incoming, []
        for slot, worker in zip(self._slots, incoming, strict=True):
            old = slot.worker
            slot.worker, slot.failures, slot.restart_at = worker, 0, None
            self._let_go(worker)
            if old is None:
                continue
            if old.state is _State.SERVING:
                self._end(old, "handover")
            else:
                old.kill("a new one takes its place")
        self._systemd.ready()
        if not self._answered:
            self._answered = True
            if self._ready is not None:
                self._ready()
        else:
            logger.info("reloaded: %d new workers have taken over", len(incoming))
        if self._reload_again:
            self._on_hangup()

    def _give_up(self, reason: str) -> None:
        """A worker of the new generation did not get ready: the old ones stay."""
        for worker in self._incoming:
            if worker.pid in self._workers:
                worker.kill("its generation is given up")
        self._incoming = []
        if not self._answered:
            self._stopping = True
            self._failure = self._failure or ServerError(reason)
            return
        logger.error("not reloaded, the old workers stay: %s", reason)
        self._systemd.ready()
        if self._reload_again and not self._stopping:
            self._on_hangup()

    # -- signals

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._on_hangup()
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stop(signal.Signals(number))

    def _on_hangup(self) -> None:
        if self._stopping:
            return
        if self._incoming:
            self._reload_again = True
            return
        logger.info("SIGHUP: starting new workers")
        self._systemd.reloading()
        self._roll()

    def _stop(self, number: signal.Signals) -> None:
        if self._stopping:
            logger.warning("%s again: cutting what is under way", number.name)
            for worker in self._workers.values():
                worker.say("abort")
                worker.deadline = min(worker.deadline or 1e300, time.monotonic() + ABORT_SECONDS)
            return
        logger.info("%s: draining", number.name)
        self._stopping = True
        self._systemd.stopping()
        self._incoming = []
        for slot in self._slots:
            slot.restart_at = None
        quick = number == signal.SIGINT
        for worker in self._workers.values():
            if worker.state is _State.SERVING:
                worker.patient = not quick
                self._end(worker, "quick" if quick else "stop")
            elif worker.state is not _State.ENDING:
                worker.kill("it does not serve yet")
        if quick:
            self._listener.remove()
            self._listener.close()

    def _end(self, worker: _Worker, word: str) -> None:
        worker.state = _State.ENDING
        worker.deadline = time.monotonic() + self._drain + MARGIN_SECONDS
        worker.say(word)

    def _close_when_safe(self) -> None:
        """Once no worker has a connection that was open before the drain, nobody may connect any more."""
        patient = [worker for worker in self._workers.values() if worker.patient]
        if self._fenced or not patient or not all(worker.safe for worker in patient):
            return
        self._fenced = True
        self._listener.fence()
        self._listener.close()
        for worker in patient:
            worker.say("close")


def _nothing(number: int, frame: Any) -> None:
    """Python writes to the wake-up descriptor only for signals that have a handler."""


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
