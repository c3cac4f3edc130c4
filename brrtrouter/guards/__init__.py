"""`Guards`: what stands before the operations of an application, by its settings and its description.

Each part is imported when something asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from brrtrouter import config
from brrtrouter.core.lines import FixedFields
from brrtrouter.core.request import Request
from brrtrouter.core.service import Mode
from brrtrouter.dispatch.builtin import Endpoint
from brrtrouter.dispatch.pool import Sample
from brrtrouter.errors import Issue
from brrtrouter.spec import model

if TYPE_CHECKING:
    from brrtrouter.guards.counts import Memory
    from brrtrouter.guards.csrf import Csrf, Tokens
    from brrtrouter.guards.limits import Limit
    from brrtrouter.guards.shared import Shared

Check = Callable[[Request], Any]
RATE_LIMIT: Final = "x-rate-limit"


class Guards:
    """Rate limits, protection from forged requests, and the header fields of every answer.

    clock: what requests are counted by in memory; a test sets another one before the application starts.
    Raises ConfigError.
    """

    def __init__(self, settings: config.Config) -> None:
        self.clock: Callable[[], float] = time.monotonic
        self._settings = settings
        self._csrf: Csrf | None = None
        if settings.csrf.enabled:
            from brrtrouter.guards.csrf import Csrf

            self._csrf = Csrf(settings.csrf)
        self._memory: Memory | None = None
        self._shared: Shared | None = None
        if settings.rate_limit.storage:
            from brrtrouter.guards.shared import Shared

            self._shared = Shared(settings.rate_limit)
        self.fixed: FixedFields | None = None
        self._private: FixedFields | None = None
        if settings.security_headers.enabled:
            from brrtrouter.guards.fields import fixed_fields

            self.fixed, self._private = fixed_fields(settings.security_headers)
        self._sheds = 0
        self._older: Guards | None = None

    @property
    def tokens(self) -> Tokens | None:
        """What makes tokens against forged requests; None where the settings have no secret for them."""
        return None if self._csrf is None else self._csrf.tokens

    @property
    def counts_alone(self) -> bool:
        """Whether there are limits that each process counts for itself."""
        return self._memory is not None

    def endpoints(self) -> Iterator[Endpoint]:
        """The built-in endpoint that gives tokens."""
        path = self._settings.csrf.endpoint
        if path is not None and self.tokens is not None:
            yield Endpoint(path, "csrf_token", self.tokens.answer)

    def around(
        self,
        operation: model.Operation,
        schemes: Mapping[str, model.SecurityScheme],
        security: Check | None,
        mode: Mode,
        issues: list[Issue],
    ) -> tuple[Check | None, Mode]:
        """The check of an operation's security with what stands before and behind it, and how it gives its result."""
        forged = None if self._csrf is None else self._csrf.check(operation, schemes, issues)
        limit = self._limit(operation, schemes, issues)
        if forged is None and limit is None:
            return security, mode
        from brrtrouter.guards.order import guarded

        waits = limit is not None and self._shared is not None
        return guarded(security, forged, limit), Mode.TASK if waits else mode

    def fields(self, secured: bool) -> FixedFields | None:
        """The header fields of an operation's answers in place of those of every answer; None for these."""
        return self._private if secured else None

    def _limit(
        self, operation: model.Operation, schemes: Mapping[str, model.SecurityScheme], issues: list[Issue]
    ) -> Limit | None:
        settings = self._settings.rate_limit
        if not settings.enabled and RATE_LIMIT not in operation.extensions and operation.handler not in settings.routes:
            return None
        from brrtrouter.guards.counts import Memory
        from brrtrouter.guards.limits import Limit, chosen

        found = chosen(operation, settings, issues)
        if found is None:
            return None
        if self._shared is None and self._memory is None:
            self._memory = Memory(settings.max_keys, lambda: self.clock())
        storage = self._shared or self._memory
        assert storage is not None
        # GET and HEAD are one operation; of two operations with one handler each has its own count.
        return Limit(operation.handler, f"{operation.method} {operation.path}", *found, storage, schemes, self._shed)

    def _shed(self) -> None:
        self._sheds += 1

    def samples(self) -> Iterator[Sample]:
        """For the metrics."""
        text = "Requests refused by a rate limit, of the process that answers."
        yield Sample("counter", "brrtrouter_rate_limit_sheds", text, self._sheds)

    def follow(self, older: Guards) -> None:
        """Go on where those of an earlier version of the application are, so that a reload forgets no count."""
        self._sheds = older._sheds
        if self._settings.rate_limit == older._settings.rate_limit:
            self._memory, self._shared = older._memory, older._shared
        self._older = older

    async def aclose(self) -> None:
        """Close what is connected."""
        if self._older is not None:
            await self._older.aclose()
        if self._shared is not None:
            await self._shared.aclose()
