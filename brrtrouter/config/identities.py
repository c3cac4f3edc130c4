"""What the configuration says about credentials that others vouch for: other servers, certificates, SPIFFE.

One frozen object for each security scheme, by its name in the document, and the section `spiffe`.  Secrets are in no
`repr`.  Times in seconds but where the name says otherwise, sizes in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_TOKEN_SIZE = 16 * 1024  # as in `brrtrouter.credentials`


@dataclass(frozen=True, slots=True)
class Introspection:
    """Tokens of one scheme (http bearer, oauth2, openIdConnect) that their server is asked about (RFC 7662).

    url: its introspection endpoint; or discovery_url, where the issuer says where that is, which needs iss.  client_id,
    client_secret or client_secret_file: who we are; client_auth: told as "basic" or in the "post" (RFC 6749 section
    2.3.1).  iss, aud: what an answer has to say when they are set.  leeway_secs: how far clocks may differ.  max_token:
    the size of a token.

    An active token is known for cache_ttl_secs, but never beyond its exp, another one for negative_ttl_secs; cache_size
    of both.  While the server is away, what is known stays in use for stale_secs more.  timeout_secs, max_bytes: of one
    question; concurrent: how many of them at once; discovery_ttl_secs: how long the address of the endpoint is known.
    cooldown_secs: the longest wait between questions to a server that is away.  allow_http: it need not be https
    outside of this machine.
    """

    url: str = ""
    discovery_url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    client_secret_file: str = ""
    client_auth: str = "basic"
    iss: str = ""
    aud: tuple[str, ...] = ()
    leeway_secs: float = 30.0
    max_token: int = _TOKEN_SIZE
    timeout_secs: float = 5.0
    max_bytes: int = 64 * 1024
    cache_size: int = 10_000
    cache_ttl_secs: float = 60.0
    negative_ttl_secs: float = 10.0
    stale_secs: float = 0.0
    discovery_ttl_secs: float = 3600.0
    concurrent: int = 64
    cooldown_secs: float = 30.0
    allow_http: bool = False

    def fault(self) -> str:
        """What is wrong with it; "" for nothing."""
        if bool(self.url) == bool(self.discovery_url):
            return " needs either 'url' or 'discovery_url'"
        if self.discovery_url and not self.iss:
            return ".discovery_url needs 'iss' too"
        if not self.client_id:
            return " needs 'client_id'"
        if bool(self.client_secret) == bool(self.client_secret_file):
            return " needs either 'client_secret' or 'client_secret_file'"
        if self.client_auth not in ("basic", "post"):
            return ".client_auth is not one of basic, post"
        return _bounds_fault(self.concurrent, self.timeout_secs)


@dataclass(frozen=True, slots=True)
class RemoteKey:
    """The keys of one apiKey scheme that another server is asked about: a GET of verify_url with the key.

    header_name: the field of a request that has the key, in place of where the document says.  send_as: the field that
    the key is asked about in.  timeout_ms, max_bytes: of one question; concurrent: how many at once.  max_key: the size
    of a key.  A key that is good is known for cache_ttl_secs, another one for negative_ttl_secs; cache_size of both, as
    hashes.  While the server is away, what is known stays in use for stale_secs more; cooldown_secs: the longest wait
    between questions then.  allow_http: it need not be https outside of this machine.
    """

    verify_url: str = ""
    header_name: str = ""
    send_as: str = "X-API-Key"
    timeout_ms: int = 500
    max_bytes: int = 64 * 1024
    max_key: int = 4096
    cache_size: int = 10_000
    cache_ttl_secs: float = 60.0
    negative_ttl_secs: float = 10.0
    stale_secs: float = 0.0
    concurrent: int = 64
    cooldown_secs: float = 30.0
    allow_http: bool = False

    def fault(self) -> str:
        """What is wrong with it; "" for nothing."""
        return _bounds_fault(self.concurrent, self.timeout_ms) if self.verify_url else " needs 'verify_url'"


def _bounds_fault(concurrent: int, time: float) -> str:
    return "" if concurrent and time else " has no time for a question, or none may be asked: 'concurrent', timeout"


@dataclass(frozen=True, slots=True)
class PropelAuth:
    """Short for `security.jwks` of every scheme with bearer tokens that has no settings of its own.

    auth_url: of the PropelAuth project.  issuer: auth_url when it is "".  jwks_url: `/.well-known/jwks.json` below
    auth_url when it is "".
    """

    auth_url: str = ""
    audience: tuple[str, ...] = ()
    issuer: str = ""
    jwks_url: str = ""
    leeway_secs: float = 30.0
    cache_ttl_secs: float = 300.0


@dataclass(frozen=True, slots=True)
class MutualTls:
    """Which certificates of clients, verified by TLS already, one scheme of the type mutualTLS lets in.

    subjects: whole names as RFC 4514 writes them, such as `CN=billing,O=Example`.  dns: names of subjectAltName.  uris:
    URIs of subjectAltName, SPIFFE ids among them; `/*` at the end is for whatever is below.  One of them has to fit.
    any_certificate: every certificate will do.
    """

    subjects: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    any_certificate: bool = False

    def fault(self) -> str:
        """What is wrong with it; "" for nothing."""
        named = bool(self.subjects or self.dns or self.uris)
        return "" if named != self.any_certificate else " needs 'subjects', 'dns' or 'uris', or else 'any_certificate'"


@dataclass(frozen=True, slots=True)
class SpiffeTokens:
    """JWT-SVIDs as the bearer tokens of one scheme, verified by the bundles of the Workload API (section `spiffe`).

    audiences: a token has one of them.  trust_domains: whose ids are taken.  allowed_ids: of these ids only; `/*` at
    the end is for whatever is below; none: every id of the trust domains.  algorithms: of RS, PS and ES.  leeway_secs:
    how far clocks may differ.  wait_secs: how long a request waits for the first bundles.  max_token: the size of a
    token; token_cache: how many verified ones are remembered.
    """

    audiences: tuple[str, ...] = ()
    trust_domains: tuple[str, ...] = ()
    allowed_ids: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
    leeway_secs: float = 30.0
    wait_secs: float = 5.0
    max_token: int = _TOKEN_SIZE
    token_cache: int = 1000

    def fault(self) -> str:
        """What is wrong with it; "" for nothing."""
        return "" if self.audiences and self.trust_domains else " needs 'audiences' and 'trust_domains'"


@dataclass(frozen=True, slots=True)
class Spiffe:
    """The SPIFFE Workload API.

    socket: `unix:/path`; "" for what SPIFFE_ENDPOINT_SOCKET says.  tls: the server's own certificate is the X.509-SVID
    from there, in place of `server.tls_certificate`.  id: which of several SVIDs, "" for the first.  trust_domain:
    whose clients are let in.  client: their certificates are "required" or "optional".  start_timeout: how long a
    server waits for its first SVID.  retry_limit: the longest wait before the Workload API is asked again.
    """

    socket: str = ""
    tls: bool = False
    id: str = ""
    trust_domain: str = ""
    client: str = "required"
    start_timeout: float = 30.0
    retry_limit: float = 5.0
