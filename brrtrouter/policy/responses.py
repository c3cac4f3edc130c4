"""Answers held against the description: status, media type, header fields and body, as they are sent.

A `ResponseCheck` is a middleware around everything else of one operation, folded in when the application starts; an
operation that is not checked has none.  Sources: OpenAPI 3.1 sections 4.8.16 (which response a status means), 4.8.17,
4.8.14 (which media type), 4.8.21 (header fields).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from brrtrouter import jsontext
from brrtrouter.config import RESPONSE_MODES
from brrtrouter.core.arguments import FieldReader
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response, sent_body
from brrtrouter.dispatch.pool import Refusal
from brrtrouter.errors import Fault, Issue
from brrtrouter.policy.sequences import NOT_JSON, ItemReader, item_reader

if TYPE_CHECKING:
    from brrtrouter.spec import model
    from brrtrouter.spec.schema import Schema

logger = logging.getLogger("brrtrouter")

# An operation says with this how its own answers are checked.
EXTENSION: Final = "x-brrtrouter-response-validation"
# Statuses whose answers have no content (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5).
_WITHOUT_CONTENT: Final = frozenset({204, 205, 304})
# What the server itself writes into every answer.
_OWN_FIELDS: Final = frozenset({"content-length", "transfer-encoding", "date", "connection"})
_SEPARATORS: Final = {"set-cookie": "\n"}
# So many faults are spelled out in the text of a log record; all of them are in its attribute `faults`.
_SPELLED_OUT: Final = 5
# So many media types are remembered for each response; an application may compute them.
_MEDIA_TYPES: Final = 64


class ResponseMismatch(Exception):
    """An item of a stream that is not as described: the answer is cut, because its head is sent already."""


class _Media(NamedTuple):
    """One entry of `content`, ready to be matched."""

    essence: str
    parameters: frozenset[tuple[str, str]]
    schema: Any
    item_schema: Any
    as_text: bool

    def fits(self, essence: str, parameters: frozenset[tuple[str, str]]) -> bool:
        kind, _, name = self.essence.partition("/")
        named = self.essence == essence or (name == "*" and kind in ("*", essence.partition("/")[0]))
        return named and self.parameters <= parameters


class _Found(NamedTuple):
    """A media type of an answer: the entry that it means, if any, and whether it is JSON."""

    media: _Media | None
    essence: str
    json: bool


class _Declared:
    """One declared response."""

    def __init__(self, response: model.Response, own: frozenset[str]) -> None:
        self.names = [media.name for media in response.content]
        media = [
            _Media(each.essence, _parameters(each.name)[1], each.schema, each.item_schema, _allows_text(each.schema))
            for each in response.content
        ]
        # The most specific entry wins: more parameters, then a name, then a range.
        self.media = sorted(media, key=lambda each: (each.essence.count("*"), -len(each.parameters)))
        headers = [header for header in response.headers if header.name.lower() not in own]
        self.headers = FieldReader(headers) if headers else None
        self._found: dict[str, _Found] = {}

    def find(self, media_type: str) -> _Found:
        """What is said of a media type; read once for each that the application uses."""
        found = self._found.get(media_type)
        if found is None:
            essence, parameters = _parameters(media_type)
            media = next((each for each in self.media if each.fits(essence, parameters)), None)
            json = essence == "application/json" or essence.endswith("+json")
            found = _Found(media, essence, json)
            if len(self._found) < _MEDIA_TYPES:
                self._found[media_type] = found
        return found


class ResponseCheck:
    """Checks the answers of one operation.

    enforce: an answer that is not as described becomes a 500 that says nothing of it; otherwise it passes.  Either way
    one log record tells.  problems: refusals by the server are checked too.  limit: how many faults are told.  own:
    header fields that the server adds later, in lower case.
    """

    def __init__(
        self,
        operation: model.Operation,
        *,
        enforce: bool,
        problems: bool,
        limit: int,
        own: frozenset[str] = frozenset(),
    ) -> None:
        self.enforce = enforce
        self._problems = problems
        self._limit = limit
        self._operation = operation
        self._opens: Callable[[], AbstractContextManager[None]] | None = None
        self._name = f"{operation.method} {operation.template}"
        self._declared = {response.status: _Declared(response, own | _OWN_FIELDS) for response in operation.responses}

    def after(self, request: Request, response: Response) -> Response | None:
        """The middleware hook: None for an answer that passes, else the answer in its place."""
        if isinstance(response, Refusal) and not self._problems:
            return None
        with self._scope():
            faults = self._faults(request, response)
        if not faults:
            return None
        self._tell(request, response.status, faults)
        if not self.enforce:
            return None
        detail = "the answer of this operation is not as described"
        return problem_response("internal-error", detail, extra={"request_id": request.id})

    def schemas(self) -> Iterator[Schema]:
        """Every schema that an answer may be held against."""
        for response in self._operation.responses:
            handles = [schema for media in response.content for schema in (media.schema, media.item_schema)]
            handles += [header.schema for header in response.headers]
            yield from (handle for handle in handles if handle is not None)

    def _scope(self) -> AbstractContextManager[None]:
        """Open while one answer is judged, where the work of its patterns is counted."""
        if self._opens is None:
            # Once all are compiled, which the application does when it starts.
            self._opens = next((each.scope for each in self.schemas() if each.scope is not None), nullcontext)
        return self._opens()

    def _faults(self, request: Request, response: Response) -> list[Fault]:
        status = response.status
        declared = self._declared
        if not declared or status == 101:
            return []
        found = declared.get(str(status)) or declared.get(f"{status // 100}XX") or declared.get("default")
        if found is None:
            return [Fault("status", "", "responses", f"{status} is not declared; declared: {', '.join(declared)}")]
        faults = [] if found.headers is None else found.headers.read(_texts(response.headers))[1]
        if status not in _WITHOUT_CONTENT and found.media:
            judge = self._stream if _is_stream(response) else _body
            faults += judge(request, response, found)
        return faults[: self._limit]

    def _stream(self, request: Request, response: Response, declared: _Declared) -> list[Fault]:
        """Check the head of a stream now and its items, where a schema describes them, as they are produced."""
        media_type = response.media_type or "application/octet-stream"
        media, essence, _ = declared.find(media_type)
        if media is None:
            return [_undeclared(media_type, declared)]
        if media.item_schema is not None:
            reader = item_reader(essence)
            if reader is not None:
                response.body = self._items(request, response.status, response.body, media, reader)
        return []

    async def _items(
        self, request: Request, status: int, pieces: Any, media: _Media, reader: ItemReader
    ) -> AsyncIterator[Any]:
        count = 0
        try:
            async for piece in pieces:
                count = self._judge(request, status, media, reader.feed(_octets(piece)), count)
                yield piece
            self._judge(request, status, media, reader.end(), count)
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    def _judge(self, request: Request, status: int, media: _Media, items: list[Any], count: int) -> int:
        for item in items:
            # Each has an account of its own: between two of them others have their turn.
            with self._scope():
                faults = (
                    [Fault("body", f"/{count}", "syntax", "the item is not JSON")]
                    if item is NOT_JSON
                    else _schema_faults(media.item_schema, item, f"/{count}")
                )
            count += 1
            if faults:
                self._tell(request, status, faults[: self._limit])
                if self.enforce:
                    raise ResponseMismatch(f"item {count - 1} of the answer is not as described")
        return count

    def _tell(self, request: Request, status: int, faults: list[Fault]) -> None:
        spelled = "; ".join(f"{f.location} {f.pointer or '/'}: {f.keyword}: {f.message}" for f in faults[:_SPELLED_OUT])
        logger.log(
            logging.ERROR if self.enforce else logging.WARNING,
            "request %s: %s: the answer %d is not as described: %s",
            request.id,
            self._name,
            status,
            spelled,
            extra={
                "request_id": request.id,
                "operation": self._name,
                "status": status,
                "faults": [fault._asdict() for fault in faults],
            },
        )


class ResponseChecks:
    """The checks of an application, by operation.

    `default` is the mode of operations that do not say one themselves.  With `problems` what the server refuses is
    checked too, by `RefusalCheck`.  own: header fields that the server adds later, in lower case.  `issues` holds what
    is wrong with the extension.
    """

    def __init__(
        self,
        operations: Iterable[model.Operation],
        default: str,
        *,
        problems: bool,
        limit: int,
        own: frozenset[str] = frozenset(),
    ) -> None:
        self.problems = problems
        self.issues: list[Issue] = []
        self._checks: dict[int, ResponseCheck] = {}
        for operation in operations:
            mode = self._mode(operation, default)
            if mode != "off":
                enforce = mode == "enforce"
                check = ResponseCheck(operation, enforce=enforce, problems=problems, limit=limit, own=own)
                self._checks[id(operation)] = check

    def _mode(self, operation: model.Operation, default: str) -> str:
        written = operation.extensions.get(EXTENSION, default)
        mode = "off" if written is False else written  # as YAML 1.1 reads the word
        if isinstance(mode, str) and mode in RESPONSE_MODES:
            return mode
        message = f"{EXTENSION} has to be one of {', '.join(RESPONSE_MODES)}"
        self.issues.append(Issue("InvalidExtension", f"{operation.pointer}/{EXTENSION}", message))
        return "off"

    def __len__(self) -> int:
        return len(self._checks)

    def find(self, operation: model.Operation | None) -> ResponseCheck | None:
        """The check of an operation; None when it has none."""
        return self._checks.get(id(operation))

    def layers(self, operation: model.Operation) -> list[object]:
        """What goes around the handler and the middleware of an operation."""
        check = None if self.problems else self.find(operation)
        return [] if check is None else [check]

    def schemas(self) -> Iterator[Schema]:
        """Every schema that an answer may be held against."""
        for check in self._checks.values():
            yield from check.schemas()


class RefusalCheck:
    """Checks every answer of the operations of `checks`, what the server itself refuses included."""

    everything = True

    def __init__(self, checks: ResponseChecks) -> None:
        self._checks = checks

    def after(self, request: Request, response: Response) -> Response | None:
        """The middleware hook."""
        check = None if request.operation is None else self._checks.find(request.operation.model)
        return None if check is None else check.after(request, response)


def _body(request: Request, response: Response, declared: _Declared) -> list[Fault]:
    media_type, body = sent_body(response)
    if not body and request.method == "HEAD":
        return []
    if media_type is None:
        return [Fault("body", "", "content", f"there is no body; declared: {', '.join(declared.names)}")]
    media, essence, json = declared.find(media_type)
    if media is None:
        return [_undeclared(media_type, declared)]
    if media.schema is None and media.item_schema is None:
        return []
    if json:
        try:
            value = jsontext.loads(body)
        except ValueError:
            return [Fault("body", "", "syntax", "the body is not JSON")]
        return [] if media.schema is None else _schema_faults(media.schema, value, "")
    reader = item_reader(essence) if media.item_schema is not None else None
    if reader is not None:
        return _all_items(media, [*reader.feed(body), *reader.end()])
    if media.as_text and essence.startswith("text/"):
        return _schema_faults(media.schema, body.decode("utf-8", "replace"), "")
    return []


def _all_items(media: _Media, items: Iterable[Any]) -> list[Fault]:
    faults: list[Fault] = []
    for at, item in enumerate(items):
        if item is NOT_JSON:
            faults.append(Fault("body", f"/{at}", "syntax", "the item is not JSON"))
        else:
            faults += _schema_faults(media.item_schema, item, f"/{at}")
    return faults


def _schema_faults(schema: Any, value: Any, prefix: str) -> list[Fault]:
    if schema.is_valid(value):
        return []
    return [
        Fault("body", prefix + fault.pointer, fault.keyword, fault.message, fault.schema_path)
        for fault in schema.faults(value)
    ]


def _undeclared(media_type: str, declared: _Declared) -> Fault:
    message = f"the body is {media_type}; declared: {', '.join(islice(declared.names, 20))}"
    return Fault("header", "/content-type", "content", message)


def _is_stream(response: Response) -> bool:
    return hasattr(response.body, "__aiter__")


def _octets(piece: Any) -> bytes:
    return piece.encode() if isinstance(piece, str) else bytes(memoryview(piece))


def _texts(headers: Any) -> dict[str, str]:
    """Header fields by their names in lower case; repeated ones are joined (RFC 9110 section 5.3)."""
    texts: dict[str, str] = {}
    for name, value in headers.items() if hasattr(headers, "items") else headers or ():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            key = _latin1(name).lower()
            text = _latin1(item).strip(" \t")
            # Cookies have commas of their own.
            texts[key] = f"{texts[key]}{_SEPARATORS.get(key, ', ')}{text}" if key in texts else text
    return texts


def _latin1(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _parameters(media_type: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """(essence, parameters) of a media type; a charset says nothing here, since text is always UTF-8."""
    essence, *rest = media_type.lower().split(";")
    pairs = (part.partition("=")[::2] for part in rest if "=" in part)
    named = {(name.strip(), text.strip(' \t"')) for name, text in pairs}
    return essence.strip(), frozenset(pair for pair in named if pair[0] != "charset")


def _allows_text(schema: Any) -> bool:
    """Whether a schema describes a text; of others the text form is not known."""
    written = None if schema is None else schema.resolved()
    kind = written.get("type", "string") if isinstance(written, dict) else "string"
    return "string" in (kind if isinstance(kind, list) else [kind])
