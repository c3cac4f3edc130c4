"""How bearer tokens are carried, and what is answered about them: RFC 6750 sections 2.1 and 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from brrtrouter.policy.security import Denial, Principal, Verdict

REALM: Final = 'Bearer realm="api"'
MISSING: Final = Denial("missing", REALM)
INVALID: Final = Denial("invalid", f'{REALM}, error="invalid_token"')
MALFORMED: Final = Denial("malformed", f'{REALM}, error="invalid_request"')
FORBIDDEN: Final = Denial("forbidden", REALM)


def token_in(value: str) -> str | Denial:
    """The token of an Authorization field, or why there is none."""
    kind, _, token = value.partition(" ")
    token = token.strip(" ")
    if kind.lower() != "bearer" or not token:
        return MISSING
    # No token has a comma: there were two fields.
    return MALFORMED if "," in token else token


def allowed(principal: Principal, scopes: Sequence[str]) -> Verdict:
    """The principal when it has the scopes, else the refusal that names those that are wanted."""
    if not scopes or principal.scopes.issuperset(scopes):
        return principal
    # Characters of a scope token (RFC 6749 section 3.3) need no escapes; others cannot be granted, nor named here.
    wanted = " ".join(
        scope for scope in scopes if scope.isascii() and scope.isprintable() and not set(scope) & set('"\\')
    )
    return Denial("scope", f'{REALM}, error="insufficient_scope", scope="{wanted}"')
