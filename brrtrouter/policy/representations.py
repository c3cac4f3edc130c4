"""The last word about an answer: its entity tag, whether the client has it already, its content coding.

A `Finisher` sees what goes out, after every middleware.  Tag and conditions are those of the representation that this
client would get (RFC 9110 section 13.2), so that what is not sent is not compressed either.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final

from brrtrouter.core.preconditions import with_coding
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, sent_body
from brrtrouter.policy.compression import Compressor
from brrtrouter.policy.etags import EntityTags
from brrtrouter.policy.fields import Fields

_READING: Final = ("GET", "HEAD")


class Finisher:
    """Takes the request and the Response of an application, gives the one that goes out, or an awaitable for it."""

    def __init__(self, tags: EntityTags, compressor: Compressor | None) -> None:
        self._tags = tags
        self._compressor = compressor

    @property
    def finishes_all(self) -> bool:
        """Whether answers without header fields, and to requests without conditions, can be changed."""
        return self._tags.generates or self._compressor is not None

    def __call__(self, request: Request, response: Response) -> Response | Awaitable[Response]:
        """What goes out.  The Response that the handler gave is not changed."""
        streams = hasattr(response.body, "__aiter__")
        media_type, body = (response.media_type, response.body) if streams else sent_body(response)
        size = -1 if streams else len(body)
        compressor = self._compressor
        if compressor is not None and not compressor.concerns(request, response, media_type, size):
            compressor = None
        reading = response.status == 200 and request.method in _READING
        if compressor is None and not (reading and self._tags.generates) and not response.headers:
            return Response(response.status, body, None, media_type)
        fields = Fields(response.headers)
        tag = fields.get("etag")
        if reading and not streams and tag is None and (tag := self._tags.tag(body, media_type)) is not None:
            fields.put("ETag", tag)
        coding = None
        if compressor is not None:
            fields.vary_by("Accept-Encoding")
            coding = compressor.coding_for(request)
            if coding is not None and tag is not None:
                fields.put("ETag", with_coding(tag, coding))
        instead = self._tags.answer(request, fields) if reading else None
        if instead is not None:
            return _closed(body, instead) if streams else instead
        if compressor is None or coding is None:
            return Response(response.status, body, fields.pairs, media_type)
        if streams:
            return _coded(response, compressor.stream(coding, body), fields, coding)
        if not compressor.is_large(len(body)):
            return _coded(response, compressor.encode(coding, body), fields, coding, media_type)
        pending = compressor.encode_elsewhere(coding, body)
        if pending is not None:
            return _coded_later(response, pending, fields, coding, media_type)
        if tag is not None:
            fields.put("ETag", tag)
        return Response(response.status, body, fields.pairs, media_type)


def _coded(response: Response, body: Any, fields: Fields, coding: str, media_type: str | None = None) -> Response:
    fields.put("Content-Encoding", coding)
    return Response(response.status, body, fields.pairs, media_type or response.media_type)


async def _coded_later(
    response: Response, pending: Awaitable[bytes], fields: Fields, coding: str, media_type: str | None
) -> Response:
    return _coded(response, await pending, fields, coding, media_type)


async def _closed(items: Any, response: Response) -> Response:
    """An answer in place of a stream, whose source is closed."""
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()
    return response
