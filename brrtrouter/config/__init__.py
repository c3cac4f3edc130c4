"""Settings: one frozen object, from defaults, then a file, then the environment.

Every limit has a name and a default here; docs/configuration.md lists them.  Unknown keys are refused, and a secret is
never part of a message or a `repr`.

The environment: BRRTR_LIMITS__BODY sets `limits.body`, and so on for every key of limits, endpoints, routing and
validation, each written as in YAML; BRRTR_API_KEY__<SCHEME> is the key of the apiKey scheme of that name (see
`api_key_variable`), and BRRTR_API_KEY that of every apiKey scheme without one.  A variable without text counts as not
set.
"""

from brrtrouter.config.guards import Csrf, RateLimit, RouteLimit, SecurityHeaders
from brrtrouter.config.identities import Introspection, MutualTls, PropelAuth, RemoteKey, Spiffe, SpiffeTokens
from brrtrouter.config.load import api_key_variable, load_config
from brrtrouter.config.observability import Log, Tracing
from brrtrouter.config.realtime import Sse, WebSocketSettings
from brrtrouter.config.rules import CODINGS, RESPONSE_MODES
from brrtrouter.config.sections import (
    Compression,
    Config,
    Cors,
    Endpoints,
    ETag,
    Limits,
    Loading,
    Metrics,
    Outgoing,
    Receiver,
    RequestId,
    Routing,
    Security,
    Server,
    Static,
    Validation,
)
from brrtrouter.credentials import ApiKey

__all__ = [
    "CODINGS",
    "RESPONSE_MODES",
    "ApiKey",
    "Compression",
    "Config",
    "Cors",
    "Csrf",
    "ETag",
    "Endpoints",
    "Introspection",
    "Limits",
    "Loading",
    "Log",
    "Metrics",
    "MutualTls",
    "Outgoing",
    "PropelAuth",
    "RateLimit",
    "Receiver",
    "RemoteKey",
    "RequestId",
    "RouteLimit",
    "Routing",
    "Security",
    "SecurityHeaders",
    "Server",
    "Spiffe",
    "SpiffeTokens",
    "Sse",
    "Static",
    "Tracing",
    "Validation",
    "WebSocketSettings",
    "api_key_variable",
    "load_config",
]
