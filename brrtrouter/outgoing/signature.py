"""HMAC-SHA256 signatures of messages, made and verified.

The format "standard" is that of the Standard Webhooks specification 1.0: `webhook-id`, `webhook-timestamp` (seconds
since 1970) and `webhook-signature`, which is `v1,` and the base64 of the HMAC over `id.timestamp.body`; several
signatures are separated by spaces, so that a secret can be replaced by another one in time.  The format "hex" is
`sha256=` and the hexadecimal HMAC over the body alone, as many older receivers want it; nothing in it tells how old a
message is.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from brrtrouter.errors import ConfigError, SignatureError

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
FORMATS: Final = ("standard", "hex")
# A full stop in an id could be taken for the one that ends it.
MESSAGE_ID: Final = re.compile(r"[!-\-/-~]{1,256}")
_PREFIX: Final = "whsec_"
_HEADER: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
# A message with more signatures than that is no message of a sender that replaces its secret.
MAX_SIGNATURES: Final = 16


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: the base64 after `whsec_`, else its UTF-8.  Raises ConfigError."""
    if not secret:
        raise ConfigError("the secret of a signature is empty")
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret[len(_PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ConfigError(f"the secret of a signature starts with {_PREFIX} and goes on with what is no base64")
    return key


class Signer:
    """Signs and verifies with one secret or several; the first one signs, every one verifies.

    Raises ConfigError for a secret, header name or format that cannot be used.
    """

    def __init__(
        self,
        secrets: str | Sequence[str],
        *,
        header: str = SIGNATURE,
        format: str = "standard",
        tolerance: float = 300.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = [key_of(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
        if not self._keys:
            raise ConfigError("a signature needs a secret")
        if not _HEADER.fullmatch(header):
            raise ConfigError(f"{header[:80]!r} cannot be the name of a header field")
        if format not in FORMATS:
            raise ConfigError(f"the format of a signature is one of {', '.join(FORMATS)}")
        self._header = header
        self._format = format
        self._tolerance = tolerance
        self._now = now

    def __repr__(self) -> str:
        return f"Signer(header={self._header!r}, format={self._format!r})"

    @property
    def names(self) -> tuple[str, ...]:
        """The header fields that it looks at, in lower case."""
        own = self._header.lower()
        return (own,) if self._format == "hex" else (ID, TIMESTAMP, own)

    def headers(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The header fields that go with a message."""
        if self._format == "hex":
            return {self._header: _hex(self._keys[0], body)}
        signature = _standard(self._keys[0], _signed(message_id, str(timestamp), body))
        return {ID: message_id, TIMESTAMP: str(timestamp), self._header: signature}

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raise SignatureError unless one of the signatures of the message is right and its time is near enough.

        `headers` by their names in lower case.  Comparisons take the same time whatever is compared.
        """
        sent = headers.get(self._header.lower())
        if not sent:
            raise SignatureError(f"there is no {self._header}")
        if self._format == "hex":
            expected = [_hex(key, body) for key in self._keys]
        else:
            content = _signed(*self._stamped(headers), body)
            expected = [_standard(key, content) for key in self._keys]
        given = sent.split()
        if len(given) > MAX_SIGNATURES:
            raise SignatureError(f"{self._header} has more than {MAX_SIGNATURES} signatures")
        # Every one is compared, so that the time tells nothing of which one was near.
        pairs = [(one, other) for one in given for other in expected]
        if not sum(hmac.compare_digest(one.encode("latin-1", "replace"), other.encode()) for one, other in pairs):
            raise SignatureError(f"{self._header} is not right")

    def _stamped(self, headers: Mapping[str, str]) -> tuple[str, str]:
        message_id, timestamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
        if not MESSAGE_ID.fullmatch(message_id) or not _DIGITS.fullmatch(timestamp):
            raise SignatureError(f"{ID} or {TIMESTAMP} is missing or malformed")
        if abs(self._now() - int(timestamp)) > self._tolerance:
            raise SignatureError(f"{TIMESTAMP} is more than {self._tolerance:g} seconds away")
        return message_id, timestamp


def _signed(message_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{message_id}.{timestamp}.".encode("latin-1", "replace") + body


def _standard(key: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def _hex(key: bytes, body: bytes) -> str:
    return "sha256=" + hmac.digest(key, body, "sha256").hex()
