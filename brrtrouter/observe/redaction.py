"""Which names of parameters and header fields have values that are not for logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

# A name that contains one of these, whatever its case and whatever separates its words.
CREDENTIALS: Final = (
    *("password", "passwd", "passphrase", "pwd", "secret", "apikey", "token", "authorization", "credential"),
    *("cookie", "session", "signature", "privatekey", "ssn", "creditcard", "cardnumber", "cvv", "jwt"),
)
PERSONS: Final = ("email", "userid", "username", "phone", "address", "firstname", "lastname", "birth")
# Too short to be looked for inside of other names.
WHOLE: Final = frozenset(("auth", "pass", "key", "sig", "code", "otp", "pin"))
WHOLE_PERSONS: Final = frozenset(("ip", "name", "user"))


def secret_names(level: str, more: Iterable[str]) -> Callable[[bytes], bool] | None:
    """Says for a name, percent-encoded as sent, whether its value is masked; None for the level "none"."""
    if level == "none":
        return None
    parts = (*CREDENTIALS, *map(_plain, more), *(PERSONS if level == "full" else ()))
    whole = WHOLE | (WHOLE_PERSONS if level == "full" else frozenset())

    def is_secret(name: bytes) -> bool:
        plain = _plain(unquote_to_bytes(name.replace(b"+", b" ")).decode("utf-8", "replace"))
        return plain in whole or any(part in plain for part in parts)

    return is_secret


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
