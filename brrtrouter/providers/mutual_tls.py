"""Who a client is by the certificate that TLS has verified: OpenAPI 3.1 section 4.8.27, type mutualTLS.

TLS says that the certificate is of an authority that is trusted (`server.tls_ca`, or the bundle of a SPIFFE trust
domain); this says which of its certificates are let in.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from brrtrouter.config import MutualTls, Spiffe
from brrtrouter.core.request import Request
from brrtrouter.errors import ConfigError
from brrtrouter.policy.security import Denial, Principal, Scheme, Verdict, challenge_for

_REMEMBERED: Final = 256  # certificates of connections
_SPIFFE: Final = "spiffe://"
# Names of attributes as RFC 4514 section 3 abbreviates them, by those that OpenSSL uses.
_SHORT: Final = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "street",
    "userId": "UID",
}


class _Judged(NamedTuple):
    """A certificate that was looked at, until when it is valid, and what was found."""

    certificate: dict[str, Any]
    until: float
    principal: Principal | None


class MutualTlsProvider:
    """Lets the certificates in that the settings name; see `brrtrouter.config.MutualTls`.

    `wall` is the time that certificates are about.  Raises ConfigError for ids that can never come.
    """

    def __init__(
        self,
        settings: MutualTls,
        where: str = "security.mutual_tls",
        *,
        spiffe: Spiffe | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._any = settings.any_certificate
        self._subjects = frozenset(settings.subjects)
        self._dns = frozenset(name.lower() for name in settings.dns)
        self._uris = Below(settings.uris)
        self._wall = wall
        self._judged: dict[int, _Judged] = {}
        if spiffe is not None and spiffe.tls:
            for uri in settings.uris:
                if uri.startswith(_SPIFFE) and not uri.startswith(f"{_SPIFFE}{spiffe.trust_domain}/"):
                    raise ConfigError(f"{where}.uris: {uri} is not of the trust domain {spiffe.trust_domain}")

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict:
        """Principal with the SPIFFE id, else the subject, as its subject, and what the certificate says as claims."""
        certificate = request.client_certificate
        if certificate is None:
            return Denial("missing", challenge_for(scheme))
        # The requests of a connection have one and the same dict, which is kept, so that no other gets its id.
        known = self._judged.get(id(certificate))
        if known is None or known.certificate is not certificate:
            if len(self._judged) >= _REMEMBERED:
                self._judged = {}
            known = self._judged[id(certificate)] = self._judge(certificate)
        if self._wall() >= known.until:  # it was valid when the connection was made
            return Denial("invalid", challenge_for(scheme))
        if known.principal is None:
            return Denial("forbidden", challenge_for(scheme))
        return Denial("scope", challenge_for(scheme)) if scopes else known.principal

    def _judge(self, certificate: dict[str, Any]) -> _Judged:
        names: dict[str, list[str]] = {}
        for kind, value in certificate.get("subjectAltName", ()):
            names.setdefault(kind, []).append(value)
        dns, uris = names.get("DNS", []), names.get("URI", [])
        subject = distinguished_name(certificate.get("subject", ()))
        # An X.509-SVID has exactly one URI (X509-SVID section 2); of two nobody could say which it is.
        ids = [uri for uri in uris if uri.lower().startswith(_SPIFFE)]
        sound = not ids or len(uris) == 1
        fits = (
            self._any
            or subject in self._subjects
            or not self._dns.isdisjoint(name.lower() for name in dns)
            or any(map(self._uris.has, uris))
        )
        until = ssl.cert_time_to_seconds(certificate["notAfter"]) if "notAfter" in certificate else float("-inf")
        if not (sound and fits):
            return _Judged(certificate, until, None)
        claims = {
            "subject": subject,
            "issuer": distinguished_name(certificate.get("issuer", ())),
            "serial_number": certificate.get("serialNumber", ""),
            "dns": tuple(dns),
            "uris": tuple(uris),
            "not_after": until,
        }
        return _Judged(certificate, until, Principal(ids[0] if ids else subject, claims=MappingProxyType(claims)))


class Below:
    """Ids that are allowed: whole ones, and with `/*` at the end all that are below."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._whole = frozenset(pattern for pattern in patterns if not pattern.endswith("/*"))
        self._prefixes = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("/*"))

    def has(self, text: str) -> bool:
        """Whether an id is one of them.  One with a segment `.` or `..` is below nothing."""
        if text in self._whole:
            return True
        return text.startswith(self._prefixes) and not {".", "..", ""} & set(text.split("/")[3:])


def distinguished_name(name: Iterable[Iterable[tuple[str, str]]]) -> str:
    """A name, as `ssl.SSLSocket.getpeercert` gives it, as a text: RFC 4514, so that no two names have the same one."""
    parts = ["+".join(f"{_SHORT.get(kind, kind)}={_escaped(value)}" for kind, value in part) for part in name]
    return ",".join(reversed(parts))


def _escaped(value: str) -> str:
    found = "".join("\\00" if c == "\0" else f"\\{c}" if c in ',+"\\<>;=' else c for c in value)
    if value[:1] in ("#", " "):
        found = "\\" + found
    if len(value) > 1 and value.endswith(" "):
        found = found[:-1] + "\\ "
    return found
