"""One message on its way: attempts, waits between them, and what ends them.

A message is tried again after a network failure, after 408 and 429, and after 5xx (RFC 9110 sections 15.5.9 and 15.6,
RFC 6585 section 4); every other answer is final.  A redirection is an answer like any other and is not followed.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore

from brrtrouter.config import Outgoing as Settings
from brrtrouter.core.request import Headers
from brrtrouter.errors import DeliveryError, MessageError, TargetError
from brrtrouter.outgoing.guard import Target
from brrtrouter.outgoing.message import Answer

_AGAIN: Final = frozenset({408, 429})
_FAILURES: Final = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, asyncio.TimeoutError)


@dataclass(frozen=True, slots=True)
class Timing:
    """What a delivery knows of time and chance; tests give their own."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


class _TooLongError(Exception):
    """An answer that goes over `outgoing.response_size`."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


Fields = list[tuple[str, str]]


class Delivery:
    """One message to one receiver.  `fields(timestamp)` are its header fields, made anew for each attempt."""

    def __init__(
        self,
        pool: httpcore.AsyncConnectionPool,
        settings: Settings,
        timing: Timing,
        method: str,
        target: Target,
        fields: Callable[[int], Fields],
        body: bytes,
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._timing = timing
        self._method = method
        self._target = target
        self._fields = fields
        self._body = body

    async def run(self, what: str) -> Answer:
        """The final answer.  Raises DeliveryError, which says after how many attempts, and TargetError."""
        settings, timing = self._settings, self._timing
        end = timing.monotonic() + settings.total_time
        attempt = 0
        while True:
            attempt += 1
            answer, reason = None, ""
            try:
                answer = await asyncio.wait_for(self._try(), min(settings.timeout, end - timing.monotonic()))
            except _TooLongError as error:
                message = f"{what}: the answer is longer than outgoing.response_size of {settings.response_size:,}"
                raise DeliveryError(message, attempt, error.status) from None
            except TargetError as error:
                raise TargetError(f"{what}: {error}") from None
            except httpcore.LocalProtocolError as error:
                raise MessageError(f"{what}: {error}") from None
            except _FAILURES as error:
                reason = str(error) or "no answer in time"
            if answer is not None:
                answer.attempts = attempt
                if answer.status < 500 and answer.status not in _AGAIN:
                    return answer
                reason = f"the answer was {answer.status}"
            wait = self._wait(attempt, answer)
            if attempt >= settings.attempts or timing.monotonic() + wait >= end:
                noun = "attempt" if attempt == 1 else "attempts"
                status = None if answer is None else answer.status
                raise DeliveryError(f"{what}: not delivered after {attempt} {noun}: {reason}", attempt, status)
            await timing.sleep(wait)

    def _wait(self, attempt: int, answer: Answer | None) -> float:
        """Doubled each time, of which chance takes up to a half, and never less than the receiver asks for."""
        settings = self._settings
        full = min(settings.backoff * 2.0 ** min(attempt - 1, 63), settings.backoff_limit)
        wait = full * (1 + self._timing.random()) / 2
        asked = None if answer is None else answer.headers.get("retry-after")
        return wait if asked is None else max(wait, self._seconds(asked))

    def _seconds(self, asked: str) -> float:
        """What a Retry-After means (RFC 9110 section 10.2.3): seconds or a date; 0 for what is neither."""
        if asked.isascii() and asked.isdigit():
            return float(asked[:12])
        try:
            return max(0.0, parsedate_to_datetime(asked).timestamp() - self._timing.now())
        except (ValueError, TypeError, OverflowError):
            return 0.0

    async def _try(self) -> Answer:
        settings, target = self._settings, self._target
        sent = [("Host", target.authority), *self._fields(int(self._timing.now()))]
        sent += [("Content-Length", str(len(self._body)))] if self._body or self._method in ("POST", "PUT") else []
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        names = ("connect", "read", "write", "pool")
        extensions = {"timeout": dict.fromkeys(names, settings.timeout)}
        async with self._pool.stream(
            self._method, url, headers=sent, content=self._body or None, extensions=extensions
        ) as response:
            content = b""
            async for piece in response.aiter_stream():
                content += piece
                if len(content) > settings.response_size:
                    raise _TooLongError(response.status)
            return Answer(response.status, _headers(response.headers), content, target.url)


def _headers(fields: list[tuple[bytes, bytes]]) -> Headers:
    """Repeated fields are joined (RFC 9110 section 5.3)."""
    found = Headers()
    for name, value in fields:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found
