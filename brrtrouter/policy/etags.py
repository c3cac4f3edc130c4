"""Entity tags for answers that have none, and 304 for clients that have them (RFC 9110 sections 8.8.3 and 13)."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from brrtrouter.config import ETag as Settings
from brrtrouter.core.conditional import evaluate, not_modified, parse_date
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.policy.fields import Fields

_DIGEST_SIZE: Final = 16


class EntityTags:
    """What the settings `etag` say."""

    def __init__(self, settings: Settings) -> None:
        self.generates = settings.generate != "off"
        self._conditional = settings.conditional
        self._prefix = "W/" if settings.generate == "weak" else ""
        self._size = settings.size

    def tag(self, body: bytes, media_type: str | None) -> str | None:
        """The tag of a body: a digest of its bytes and type; None where none is made."""
        if not self.generates or len(body) > self._size:
            return None
        # Two representations of one resource may have the same bytes, but not the same strong tag.
        digest = blake2b(body, digest_size=_DIGEST_SIZE, key=(media_type or "").encode("utf-8", "replace")[:64])
        return f'{self._prefix}"{digest.hexdigest()}"'

    def answer(self, request: Request, fields: Fields) -> Response | None:
        """The 304 or 412 in place of an answer with these fields; None when it is to be sent.

        Asked for GET and HEAD with 200 only: a change is done already when its answer is there.
        """
        if not self._conditional:
            return None
        modified = fields.get("last-modified")
        status = evaluate(request, fields.get("etag"), None if modified is None else parse_date(modified))
        if status == 412:
            return problem_response("precondition-failed", "the representation is not the one that was asked for")
        return None if status is None else not_modified(Response(200, None, fields.pairs))
