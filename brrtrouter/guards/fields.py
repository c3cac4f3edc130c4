"""Header fields of every answer that tell browsers to be careful (OWASP Secure Headers)."""

from __future__ import annotations

from typing import Final

from brrtrouter import config
from brrtrouter.core.lines import FixedFields
from brrtrouter.errors import ConfigError

_NAMES: Final = {
    "content_type_options": "X-Content-Type-Options",
    "frame_options": "X-Frame-Options",
    "referrer_policy": "Referrer-Policy",
    "content_security_policy": "Content-Security-Policy",
    "cross_origin_resource_policy": "Cross-Origin-Resource-Policy",
    "permissions_policy": "Permissions-Policy",
}
_PRELOADED: Final = 31_536_000  # what the lists of browsers ask for at least


def fixed_fields(settings: config.SecurityHeaders) -> tuple[FixedFields | None, FixedFields | None]:
    """The fields of every answer, and those of operations with security; None for none."""
    if not settings.enabled:
        return None, None
    fields = [(name, getattr(settings, key)) for key, name in _NAMES.items() if getattr(settings, key)]
    encrypted = _strict_transport(settings)
    private = [*fields, ("Cache-Control", "no-store")] if settings.no_store else fields
    return FixedFields(fields, encrypted), FixedFields(private, encrypted)


def _strict_transport(settings: config.SecurityHeaders) -> list[tuple[str, str]]:
    """RFC 6797 section 6.1; only over TLS (section 7.2)."""
    if settings.hsts_preload and (not settings.hsts_subdomains or settings.hsts_max_age < _PRELOADED):
        raise ConfigError(
            f"security_headers.hsts_preload needs hsts_subdomains, and an hsts_max_age of {_PRELOADED} at least"
        )
    if not settings.hsts_max_age:
        return []
    words = [f"max-age={settings.hsts_max_age}"]
    words += ["includeSubDomains"] if settings.hsts_subdomains else []
    words += ["preload"] if settings.hsts_preload else []
    return [("Strict-Transport-Security", "; ".join(words))]
