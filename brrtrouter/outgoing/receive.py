"""Webhooks that others send to us: operations of `webhooks` at a path of our own (OpenAPI 3.1 section 4.8.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from brrtrouter.config import Outgoing as Settings
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.core.service import Mode
from brrtrouter.errors import ConfigError, SignatureError
from brrtrouter.outgoing.signature import Signer
from brrtrouter.spec.model import Operation, Specification
from brrtrouter.spec.servers import template_fault, template_variables

# An operation says with this that its body is read while it comes.
_STREAM: Final = "x-brrtrouter-stream"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where a webhook is received, and the secret or secrets of its sender; without one nothing is verified."""

    path: str
    secret: str | Sequence[str] = field(default="", repr=False)


def mount(
    specification: Specification, receivers: Mapping[str, str | Receiver], settings: Settings
) -> tuple[Specification, dict[str, Signer]]:
    """The specification with the webhooks among its operations, and what verifies them, by their pointers.

    Raises ConfigError for a webhook that the document does not have and for a path that cannot be one.
    """
    known = {webhook.name: webhook for webhook in specification.webhooks}
    mounted: list[Operation] = []
    signers: dict[str, Signer] = {}
    for name, given in receivers.items():
        if name not in known:
            names = ", ".join(map(repr, known)) or "none"
            raise ConfigError(f"{specification.source} has no webhook {name!r}; it has {names}")
        receiver = given if isinstance(given, Receiver) else Receiver(given)
        fault = template_fault(receiver.path)
        if not fault and template_variables(receiver.path):
            fault = "a webhook has no path parameters"
        if fault:
            raise ConfigError(f"the path {receiver.path!r} of the webhook {name!r}: {fault}")
        operations = list(_placed(name, receiver.path, known[name].operations))
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


def _placed(name: str, path: str, operations: tuple[Operation, ...]) -> Iterator[Operation]:
    for operation in operations:
        handler = operation.handler or (name if len(operations) == 1 else f"{operation.method.lower()}_{name}")
        yield replace(operation, template=path, path=path, handler=handler)


Check = Callable[[Request], Any]


def verifying(signer: Signer, inner: Check | None, mode: Mode) -> Check:
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

    async def later(request: Request) -> Any:
        refusal = verify(request)
        if refusal is not None or inner is None:
            return refusal
        return await inner(request)

    def at_once(request: Request) -> Any:
        refusal = verify(request)
        return refusal if refusal is not None or inner is None else inner(request)

    return later if mode is Mode.TASK else at_once
