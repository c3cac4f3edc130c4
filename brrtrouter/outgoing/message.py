"""What goes out and what comes back, held against the description before and after it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus

from brrtrouter import jsontext
from brrtrouter.config import Limits
from brrtrouter.core.arguments import FieldReader
from brrtrouter.core.bodies import UNJUDGED, Accepted, BodyError, judge
from brrtrouter.core.encode import encode_parameter
from brrtrouter.core.media import fits, parse_media_type, precedence
from brrtrouter.core.request import Headers
from brrtrouter.errors import Fault, MessageError
from brrtrouter.spec.model import MediaType, Operation, Parameter, RequestBody, Response
from brrtrouter.spec.reference import escape

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_JSON: Final = re.compile(r"application/json|text/json|[^/]+/.+\+json")
_FORM: Final = "application/x-www-form-urlencoded"
# Answers that are decoded; others stay octets.
_DECODED: Final = re.compile(rf"{_JSON.pattern}|text/.+|application/(?:x-)?(?:jsonl|jsonlines|ndjson|json-seq)")
# Fields that say how a message is framed or where it goes.
_OWN: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type"})
# Unless the caller says something else; answers are not decompressed.
_DEFAULTS: Final = {"user-agent": ("User-Agent", "BRRTRouter"), "accept-encoding": ("Accept-Encoding", "identity")}
# Answers to these have no content (RFC 9110 sections 15.3.5 and 15.3.6).
_WITHOUT_CONTENT: Final = frozenset({204, 205, 304})


@dataclass(slots=True)
class Answer:
    """What a receiver answered: `content` is the body as it came, `value` the decoded one, None without a body."""

    status: int
    headers: Headers
    content: bytes
    url: str
    attempts: int = 1
    value: Any = field(default=None)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


class Message(NamedTuple):
    """A request, ready to be sent: its query without `?`, header fields and body."""

    query: str
    fields: list[tuple[str, str]]
    body: bytes


def compose(
    what: str,
    operation: Operation,
    body: Any,
    parameters: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None,
    media_type: str | None,
) -> Message:
    """Encode and validate.  Raises MessageError with everything that is wrong."""
    faults: list[Fault] = []
    with _account(operation):
        query, fields = encode_parameters(operation, parameters or {}, faults)
        fields += _extra_fields(headers or {}, faults)
        content_type, raw = _encode_body(operation.request_body, body, media_type, faults)
    if content_type is not None:
        fields.append(("Content-Type", content_type))
    if faults:
        raise MessageError(f"{what} is not as described", faults)
    return Message("&".join(query), fields, raw)


def _account(operation: Operation) -> AbstractContextManager[None]:
    """Open while one message is judged, however many values it has."""
    content = operation.request_body.content if operation.request_body is not None else ()
    schemas = [each.schema for each in operation.parameters] + [each.schema for each in content]
    return next((schema.account() for schema in schemas if schema is not None), nullcontext())


def _extra_fields(headers: Mapping[str, str], faults: list[Fault]) -> list[tuple[str, str]]:
    """The header fields that every message has, and those that were given for it."""
    extra = {**_DEFAULTS, **{name.lower(): (name, text) for name, text in headers.items()}}
    for name, text in extra.values():
        if not _TOKEN.fullmatch(name) or name.lower() in _OWN or _CONTROL.search(text) or not text.isascii():
            faults.append(Fault("header", f"/{escape(name)}", "header", "cannot be sent as a header field"))
    return list(extra.values())


def encode_parameters(
    operation: Operation, given: Mapping[str, Any], faults: list[Fault]
) -> tuple[list[str], list[tuple[str, str]]]:
    """The query and the header fields, Cookie among them, of declared parameters; `given` by name or `in.name`.

    Path parameters are the caller's.  What is missing or wrong is added to `faults`.
    """
    query: list[str] = []
    fields: list[tuple[str, str]] = []
    cookies: list[str] = []
    chosen = choose(operation, given, faults)
    for parameter in operation.parameters:
        if parameter.location == "path":
            continue
        key = (parameter.location, parameter.name)
        if key not in chosen:
            if parameter.required:
                faults.append(Fault(parameter.location, f"/{escape(parameter.name)}", "required", "is required"))
            continue
        text = encoded(parameter, chosen[key], faults)
        if text is None:
            continue
        if parameter.location == "header":
            fields.append((parameter.name, text))
        elif text:
            (cookies if parameter.location == "cookie" else query).append(text)
    if cookies:
        fields.append(("Cookie", "; ".join(cookies)))
    return query, fields


def choose(operation: Operation, given: Mapping[str, Any], faults: list[Fault]) -> dict[tuple[str, str], Any]:
    """The values by (location, name); a name may have its location in front, as in Link Objects."""
    chosen: dict[tuple[str, str], Any] = {}
    for key, value in given.items():
        location, _, name = key.partition(".")
        plain = [each for each in operation.parameters if each.name == key]
        found = plain or [each for each in operation.parameters if (each.location, each.name) == (location, name)]
        if len(found) != 1:
            message = "is in several places: put one in front, as in query.name" if found else "is not declared"
            faults.append(Fault("parameters", f"/{escape(key)}", "parameters", message))
            continue
        chosen[found[0].location, found[0].name] = value
    return chosen


def encoded(parameter: Parameter, value: Any, faults: list[Fault]) -> str | None:
    """The text of a valid value; None when there is a fault."""
    pointer = f"/{escape(parameter.name)}"
    schema = parameter.described or parameter.schema
    wrong = [] if schema is None else schema.faults(value)
    if wrong:
        faults += [Fault(parameter.location, pointer + f.pointer, f.keyword, f.message, f.schema_path) for f in wrong]
        return None
    try:
        return encode_parameter(parameter, value)
    except ValueError as error:
        faults.append(Fault(parameter.location, pointer, "style", str(error)))
        return None


# -- bodies --------------------------------------------------------------------------------------------------------


def _encode_body(
    declared: RequestBody | None, body: Any, media_type: str | None, faults: list[Fault]
) -> tuple[str | None, bytes]:
    if body is None:
        if declared is not None and declared.required:
            faults.append(_fault("required", "a body is required"))
        return None, b""
    if declared is None:
        faults.append(_fault("requestBody", "there is no body in the description"))
        return None, b""
    media = _media(declared.content, media_type)
    if media is None:
        names = ", ".join(each.name for each in declared.content) or "none"
        faults.append(_fault("content", f"say which media type with media_type=; declared: {names}"))
        return None, b""
    try:
        raw, judged = _encoded_body(media, (media_type or media.essence).partition(";")[0].strip().lower(), body)
    except (ValueError, TypeError) as error:
        faults.append(_fault("content", str(error)[:300]))
        return None, b""
    if media.schema is not None and judged is not UNJUDGED:
        faults += [Fault("body", f.pointer, f.keyword, f.message, f.schema_path) for f in media.schema.faults(judged)]
    return media_type or media.name, raw


def _media(content: tuple[MediaType, ...], wanted: str | None) -> MediaType | None:
    """The entry for a media type; without one the first that is JSON, else the first that is no range."""
    if wanted is not None:
        sent = parse_media_type(wanted)
        return next((each for each in sorted(content, key=precedence) if sent is not None and fits(each, sent)), None)
    named = [each for each in content if "*" not in each.essence]
    return next((each for each in named if _JSON.fullmatch(each.essence)), named[0] if named else None)


def _encoded_body(media: MediaType, essence: str, body: Any) -> tuple[bytes, Any]:
    """The octets, and what the schema judges.  Octets are sent as they are."""
    is_octets = isinstance(body, (bytes, bytearray, memoryview))
    if _JSON.fullmatch(essence):
        raw = bytes(body) if is_octets else jsontext.dumps(body)
        return raw, jsontext.loads(raw)
    if is_octets:
        return bytes(body), UNJUDGED
    if essence == _FORM and isinstance(body, Mapping):
        return _form(media, body).encode(), body
    if essence.startswith("text/") and isinstance(body, str):
        return body.encode(), body
    raise TypeError(f"a body of {essence} is given as bytes, not as {type(body).__name__}")


def _form(media: MediaType, body: Mapping[str, Any]) -> str:
    form = media.reading.forms.get("urlencoded")
    pairs = {each.name: each for each in form.pairs} if form is not None else {}
    found = []
    for name, value in body.items():
        if name in pairs:
            # A form writes a space as a plus (WHATWG URL section 5.2).
            found.append(encode_parameter(replace(pairs[name], location="query"), value).replace("%20", "+"))
        elif isinstance(value, (list, dict)):
            found.append(f"{quote_plus(name)}={quote_plus(jsontext.dumps(value).decode())}")
        else:
            text = value if isinstance(value, str) else jsontext.dumps(value).decode()
            found.append(f"{quote_plus(name)}={quote_plus(text)}")
    return "&".join(found)


def _fault(keyword: str, message: str) -> Fault:
    return Fault("body", "", keyword, message)


# -- answers -------------------------------------------------------------------------------------------------------


def read_answer(operation: Operation, answer: Answer, limits: Limits) -> list[Fault]:
    """Decode the answer into `answer.value`; gives what is not as described (OpenAPI 3.1 sections 4.8.16, 4.8.17)."""
    declared = {response.status: response for response in operation.responses}
    status = answer.status
    found = declared.get(str(status)) or declared.get(f"{status // 100}XX") or declared.get("default")
    if found is None and declared:
        answer.value, _ = _decoded(None, answer, limits)
        return [Fault("status", "", "responses", f"{status} is not declared; declared: {', '.join(declared)}")]
    faults = [] if found is None else list(FieldReader(found.headers).read(dict(answer.headers))[1])
    if status in _WITHOUT_CONTENT:
        return faults
    return faults + _read_content(found, answer, limits)


def _read_content(declared: Response | None, answer: Answer, limits: Limits) -> list[Fault]:
    content = () if declared is None else declared.content
    if not answer.content:
        return [_fault("content", "there is no body")] if content else []
    sent = parse_media_type(answer.headers.get("content-type", "application/octet-stream"))
    media = next((each for each in sorted(content, key=precedence) if sent is not None and fits(each, sent)), None)
    answer.value, faults = _decoded(media, answer, limits)
    if content and media is None:
        names = ", ".join(each.name for each in content)
        return [Fault("header", "/content-type", "content", f"the body is of another type; declared: {names}")]
    return faults if content else []


def _decoded(media: MediaType | None, answer: Answer, limits: Limits) -> tuple[Any, list[Fault]]:
    sent = parse_media_type(answer.headers.get("content-type", ""))
    if sent is None or not _DECODED.fullmatch(sent.essence):
        return answer.content or None, []
    entry = media or MediaType(sent.essence, sent.essence, None)
    decode = Accepted(entry, limits).decoder(sent)
    if decode is None:
        return answer.content, [_fault("charset", "the body is in a charset that is not read")]
    try:
        outcome = decode(answer.content, sent)
    except BodyError as error:
        return answer.content, [error.fault]
    faults = list(outcome.faults)
    if entry.schema is not None and outcome.judged is not UNJUDGED:
        faults += judge(entry.schema, outcome)
    return outcome.value, faults
