"""`Outgoing`: what an application sends on its own: callbacks and webhooks of its description."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from brrtrouter.config import Config
from brrtrouter.core.request import Request
from brrtrouter.errors import AnswerError, ConfigError, ExpressionError, MessageError, OutgoingError
from brrtrouter.outgoing.evaluate import Exchange
from brrtrouter.outgoing.message import Answer, compose, read_answer
from brrtrouter.outgoing.signature import MESSAGE_ID, Signer
from brrtrouter.spec.model import Callback, Operation, Specification, Webhook

if TYPE_CHECKING:
    from brrtrouter.outgoing.delivery import Timing

Secret = str | Sequence[str]
INSTALL: Final = "sending callbacks and webhooks needs another package: pip install 'brrtrouter[outgoing]'"


def _part(name: str) -> Any:
    """A module that needs the HTTP client; ConfigError that names the command when that is not installed."""
    try:
        return import_module(f"brrtrouter.outgoing.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("brrtrouter"):
            raise
        raise ConfigError(INSTALL) from None


class Choice(NamedTuple):
    """What the caller may say about one message, all of it optional.

    parameters: by name, or `in.name` where a name is in two places.  headers: more fields.  method, media_type: where
    there are several.  secret: instead of `outgoing.secret`; "" for no signature; of several the first one signs.
    message_id: the webhook-id, which stays the same for every attempt.
    """

    parameters: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    method: str | None = None
    media_type: str | None = None
    secret: Secret | None = None
    message_id: str | None = None


class Outgoing:
    """Everything that one application sends.  `timing` may be replaced in tests.

    Connections are kept for each event loop until `aclose` in that loop; servers and test clients call it.
    """

    def __init__(self, specification: Specification, config: Config) -> None:
        self.config = config
        self.timing: Timing | None = None
        self.trace_fields: Callable[[], list[tuple[str, str]]] | None = None  # what tells receivers of a trace
        self._signer: Signer | None = None
        if config.outgoing.secret:
            self._signer = self._signer_of(config.outgoing.secret)
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        callbacks: dict[str, list[tuple[Operation, Callback]]] = {}
        for operation in specification.operations:
            for callback in operation.callbacks:
                callbacks.setdefault(callback.name, []).append((operation, callback))
        self.callbacks: Mapping[str, CallbackSender] = _Named(
            {name: CallbackSender(self, name, found) for name, found in callbacks.items()}, "callback", specification
        )
        self.webhooks: Mapping[str, WebhookSender] = _Named(
            {each.name: WebhookSender(self, each) for each in specification.webhooks}, "webhook", specification
        )

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()

    def _signer_of(self, secret: Secret) -> Signer:
        settings = self.config.outgoing
        return Signer(secret, header=settings.signature_header, format=settings.signature_format)

    def _pool(self) -> Any:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            guard = _part("guard")
            settings = self.config.outgoing
            pool = self._pools[loop] = guard.httpcore.AsyncConnectionPool(
                ssl_context=guard.trusted(),
                max_connections=settings.connections,
                network_backend=guard.GuardedBackend(settings.allow_private),
            )
        return pool

    async def deliver(self, what: str, operation: Operation, url: Any, body: Any, choice: Choice) -> Answer:
        """Validate, sign, send until there is a final answer, validate that.  Raises the kinds of OutgoingError."""
        message = compose(what, operation, body, choice.parameters, choice.headers, choice.media_type)
        guard, delivery = _part("guard"), _part("delivery")
        try:
            target = guard.parse_target(url, message.query)
        except OutgoingError as error:
            raise type(error)(f"{what}: {error}") from None
        signer = self._signer if choice.secret is None else self._signer_of(choice.secret) if choice.secret else None
        message_id = choice.message_id or f"msg_{secrets.token_hex(16)}"
        if not MESSAGE_ID.fullmatch(message_id):
            raise MessageError(f"{what}: {message_id[:80]!r} cannot be a webhook-id")

        traced = [] if self.trace_fields is None else self.trace_fields()

        def fields(timestamp: int) -> list[tuple[str, str]]:
            signed = {} if signer is None else signer.headers(message_id, timestamp, message.body)
            return [*message.fields, *signed.items(), *traced]

        run = delivery.Delivery(
            self._pool(),
            self.config.outgoing,
            self.timing or delivery.Timing(),
            operation.method,
            target,
            fields,
            message.body,
        )
        answer: Answer = await run.run(what)
        faults = read_answer(operation, answer, self.config.limits)
        if faults:
            raise AnswerError(f"{what}: the answer {answer.status} is not as described", faults, answer)
        return answer

    def send_sync(self, sending: Any) -> Answer:
        """Run a coroutine of `send` where there is no event loop: in a plain function."""

        async def run() -> Answer:
            try:
                answer: Answer = await sending
                return answer
            finally:
                await self.aclose()

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(run())
        sending.close()
        raise OutgoingError("send_sync blocks: where an event loop runs, await send")


class CallbackSender:
    """One callback by its name: `app.callbacks["onEvent"]`."""

    def __init__(self, outgoing: Outgoing, name: str, declared: list[tuple[Operation, Callback]]) -> None:
        self.name = name
        self._outgoing = outgoing
        self._declared = declared

    def __repr__(self) -> str:
        return f"<callback {self.name}>"

    async def send(
        self, request: Request, body: Any = None, response: Any = None, *, expression: str | None = None, **choice: Any
    ) -> Answer:
        """Send the callback to the URL that its expression gives for `request` and, where that is needed, `response`.

        body: what the description says; None for none, bytes are sent as they are.  response: a Response, or what the
        handler returns.  expression: which key of the Callback Object, where it has several.  choice: see `Choice`.
        Gives the `Answer`.  Raises MessageError, ExpressionError, TargetError, DeliveryError and AnswerError.
        """
        chosen = Choice(**choice)
        callback = self._find(request, expression)
        what = f"callback {self.name!r}"
        exchange = Exchange(request, response, self._outgoing.config.outgoing.base_url)
        try:
            url = exchange.address(callback.url)
        except ExpressionError as error:
            raise ExpressionError(f"{what}: {error}") from None
        operation = _choose(what, callback.operations, chosen.method)
        return await self._outgoing.deliver(what, operation, url, body, chosen)

    def send_sync(self, request: Request, body: Any = None, response: Any = None, **options: Any) -> Answer:
        """`send` for plain functions, which run in a thread without an event loop."""
        return self._outgoing.send_sync(self.send(request, body, response, **options))

    def _find(self, request: Request, expression: str | None) -> Callback:
        model = None if request.operation is None else request.operation.model
        own = [callback for operation, callback in self._declared if operation is model]
        if not own:
            raise OutgoingError(f"callback {self.name!r}: the operation of this request does not declare it")
        found = [each for each in own if expression in (None, each.url.text)]
        if len(found) != 1:
            known = ", ".join(repr(each.url.text) for each in own)
            raise OutgoingError(f"callback {self.name!r}: say which with expression=, one of {known}")
        return found[0]


class WebhookSender:
    """One webhook by its name: `app.webhooks["newPet"]`."""

    def __init__(self, outgoing: Outgoing, webhook: Webhook) -> None:
        self.name = webhook.name
        self._outgoing = outgoing
        self._webhook = webhook

    def __repr__(self) -> str:
        return f"<webhook {self.name}>"

    async def send(self, url: str, body: Any = None, **choice: Any) -> Answer:
        """Send the webhook to a URL that somebody has subscribed; see `CallbackSender.send`."""
        chosen = Choice(**choice)
        what = f"webhook {self.name!r}"
        operation = _choose(what, self._webhook.operations, chosen.method)
        return await self._outgoing.deliver(what, operation, url, body, chosen)

    def send_sync(self, url: str, body: Any = None, **choice: Any) -> Answer:
        """`send` for plain functions, which run in a thread without an event loop."""
        return self._outgoing.send_sync(self.send(url, body, **choice))


def _choose(what: str, operations: tuple[Operation, ...], method: str | None) -> Operation:
    found = [each for each in operations if method in (None, each.method)]
    if len(found) != 1:
        known = ", ".join(each.method for each in operations) or "none"
        raise OutgoingError(f"{what}: say which method with method=; it has {known}")
    return found[0]


class _Named(Mapping[str, Any]):
    """A mapping whose KeyError says what there is."""

    def __init__(self, members: Mapping[str, Any], kind: str, specification: Specification) -> None:
        self._members = MappingProxyType(members)
        self._what = f"{specification.source} has no {kind}"

    def __getitem__(self, name: str) -> Any:
        try:
            return self._members[name]
        except KeyError:
            known = ", ".join(map(repr, self._members)) or "none"
            raise KeyError(f"{self._what} {name!r}; it has {known}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)
