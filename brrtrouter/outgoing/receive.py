"""What others send to us: operations of `webhooks`, and of callbacks, at a path of our own.

A callback is received by the client of an API (OpenAPI 3.1 section 4.8.18), so by whoever serves the description of
that client.  Inside of a callback the sides change once more: a callback of a callback's operation goes to the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from brrtrouter.config import Outgoing as Settings
from brrtrouter.config import Receiver
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.errors import ConfigError, SignatureError
from brrtrouter.outgoing.signature import Signer
from brrtrouter.spec.model import Callback, Operation, Specification, Webhook
from brrtrouter.spec.servers import template_fault, template_variables

__all__ = ["Receiver", "mount", "verifying"]

# An operation says with this that its body is read while it comes.
_STREAM: Final = "x-brrtrouter-stream"


def mount(
    specification: Specification, receivers: Mapping[str, str | Receiver], settings: Settings
) -> tuple[Specification, dict[str, Signer]]:
    """The specification with the webhooks and callbacks among its operations, and what verifies them by pointer.

    Raises ConfigError for a name that the document does not have, or has in several places, and for a path that cannot
    be one.
    """
    known = _receivable(specification)
    mounted: list[Operation] = []
    signers: dict[str, Signer] = {}
    for name, given in receivers.items():
        if name not in known:
            names = ", ".join(map(repr, known)) or "none"
            raise ConfigError(f"{specification.source} has no webhook {name!r}; it has {names}")
        found = known[name]
        if len(found) > 1:
            raise ConfigError(f"the webhook {name!r} is in several places: {', '.join(each.pointer for each in found)}")
        receiver = given if isinstance(given, Receiver) else Receiver(given)
        fault = template_fault(receiver.path)
        if not fault and template_variables(receiver.path):
            fault = "a webhook has no path parameters"
        if fault:
            raise ConfigError(f"the path {receiver.path!r} of the webhook {name!r}: {fault}")
        operations = list(_placed(name, receiver.path, found[0].operations))
        mounted += operations
        if receiver.secret:
            signer = Signer(
                receiver.secret,
                header=settings.signature_header,
                format=settings.signature_format,
                tolerance=settings.tolerance,
            )
            signers.update({operation.pointer: signer for operation in operations})
            for operation in operations:
                if operation.extensions.get(_STREAM) is True:
                    raise ConfigError(f"the webhook {name!r}: a body that is a stream cannot be verified")
    return replace(specification, operations=specification.operations + tuple(mounted)), signers


def _receivable(specification: Specification) -> dict[str, list[Webhook | Callback]]:
    """Webhooks by name, then callbacks whose names are no webhook's, also those of callbacks."""
    known: dict[str, list[Webhook | Callback]] = {webhook.name: [webhook] for webhook in specification.webhooks}
    taken = frozenset(known)
    todo = [*specification.operations, *(each for webhook in specification.webhooks for each in webhook.operations)]
    seen: set[str] = set()
    while todo:
        for callback in todo.pop().callbacks:
            if callback.pointer not in seen:
                seen.add(callback.pointer)
                todo += callback.operations
                if callback.name not in taken:
                    known.setdefault(callback.name, []).append(callback)
    return known


def _placed(name: str, path: str, operations: tuple[Operation, ...]) -> Iterator[Operation]:
    for operation in operations:
        handler = operation.handler or (name if len(operations) == 1 else f"{operation.method.lower()}_{name}")
        yield replace(operation, template=path, path=path, handler=handler)


Check = Callable[[Request], Any]


def verifying(signer: Signer, inner: Check | None) -> Check:
    """The security check of a webhook: its signature, then what the operation asks for besides."""

    def verify(request: Request) -> Response | None:
        try:
            # Not `request.headers`, which are to be typed by the description and are not yet.
            sent = {name: text for name in signer.names if (text := request.header(name))}
            signer.verify(sent, request.raw_body or b"")
        except SignatureError as error:
            challenge = {"WWW-Authenticate": "Webhook-Signature"}
            return problem_response("unauthorized", str(error), headers=challenge)
        return None

    def check(request: Request) -> Any:
        refusal = verify(request)
        return refusal if refusal is not None or inner is None else inner(request)

    return check
