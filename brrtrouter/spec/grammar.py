"""The shape of an OpenAPI document as one table: which field holds which kind of object.

`check.py` walks a document by this table.  Names of kinds are ours, names of fields are the specification's.
Fields that hold plain values are not listed; whoever uses them checks them.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Many = Literal["one", "map", "list"]
Kind = Literal[
    "root",
    "components",
    "paths",
    "pathItem",
    "operation",
    "parameter",
    "header",
    "requestBody",
    "responses",
    "response",
    "mediaType",
    "encoding",
    "callback",
    "link",
    "example",
    "securityScheme",
    "server",
    "schema",
]


class Field(NamedTuple):
    """What a field holds: one object, a map of names to them or a list of them."""

    many: Many
    kind: Kind


def _one(kind: Kind) -> Field:
    return Field("one", kind)


def _map(kind: Kind) -> Field:
    return Field("map", kind)


def _list(kind: Kind) -> Field:
    return Field("list", kind)


# Methods that a Path Item has a field for, in all versions and since OpenAPI 3.2.
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
METHODS_3_2: Final = (*METHODS, "query")

_EXAMPLES: Final = {"examples": _map("example")}
_CONTENT: Final = {"content": _map("mediaType")}

FIELDS: Final[dict[Kind, dict[str, Field]]] = {
    "root": {
        "paths": _one("paths"),
        "webhooks": _map("pathItem"),
        "components": _one("components"),
        "servers": _list("server"),
    },
    "components": {
        "schemas": _map("schema"),
        "responses": _map("response"),
        "parameters": _map("parameter"),
        "examples": _map("example"),
        "requestBodies": _map("requestBody"),
        "headers": _map("header"),
        "securitySchemes": _map("securityScheme"),
        "links": _map("link"),
        "callbacks": _map("callback"),
        "pathItems": _map("pathItem"),
        "mediaTypes": _map("mediaType"),
    },
    "pathItem": {
        **{method: _one("operation") for method in METHODS_3_2},
        "additionalOperations": _map("operation"),
        "parameters": _list("parameter"),
        "servers": _list("server"),
    },
    "operation": {
        "parameters": _list("parameter"),
        "requestBody": _one("requestBody"),
        "responses": _one("responses"),
        "callbacks": _map("callback"),
        "servers": _list("server"),
    },
    "parameter": {"schema": _one("schema"), **_CONTENT, **_EXAMPLES},
    "header": {"schema": _one("schema"), **_CONTENT, **_EXAMPLES},
    "requestBody": _CONTENT,
    "response": {**_CONTENT, "headers": _map("header"), "links": _map("link")},
    "mediaType": {
        "schema": _one("schema"),
        "itemSchema": _one("schema"),
        "encoding": _map("encoding"),
        "prefixEncoding": _list("encoding"),
        "itemEncoding": _one("encoding"),
        **_EXAMPLES,
    },
    "encoding": {
        "headers": _map("header"),
        "encoding": _map("encoding"),
        "prefixEncoding": _list("encoding"),
        "itemEncoding": _one("encoding"),
    },
    "link": {"server": _one("server")},
    "example": {},
    "securityScheme": {},
    "server": {},
    "schema": {
        **dict.fromkeys(
            (
                "not",
                "if",
                "then",
                "else",
                "items",
                "contains",
                "additionalProperties",
                "propertyNames",
                "unevaluatedItems",
                "unevaluatedProperties",
                "contentSchema",
            ),
            _one("schema"),
        ),
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _list("schema")),
        **dict.fromkeys(("properties", "patternProperties", "$defs", "dependentSchemas"), _map("schema")),
    },
}

# Objects whose every member is of one kind, whatever its name (extensions aside).
UNIFORM: Final[dict[Kind, Kind]] = {"paths": "pathItem", "responses": "response", "callback": "pathItem"}

# The issue for a reference that leads nowhere, for the kinds that may be written as one.  Operations may not,
# but published documents do it and mean what one would think, so it is a warning of its own.
REFERENCE_ISSUES: Final[dict[Kind, str]] = {
    "pathItem": "UnresolvablePathItemRef",
    "operation": "UnresolvableOperationRef",
    "parameter": "UnresolvableParameterRef",
    "header": "UnresolvableHeaderRef",
    "requestBody": "UnresolvableRequestBodyRef",
    "response": "UnresolvableResponseRef",
    "mediaType": "UnresolvableMediaTypeRef",
    "callback": "UnresolvableCallbackRef",
    "link": "UnresolvableLinkRef",
    "example": "UnresolvableExampleRef",
    "securityScheme": "UnresolvableSecuritySchemeRef",
    "schema": "UnresolvableSchemaRef",
}
# These only inform people; a request is never decided by them.
INFORMATIVE: Final[frozenset[Kind]] = frozenset({"link", "example"})

# Fields that hold plain values, for the kinds where a field of another name is named as unknown: a method that
# is spelled wrongly would go unserved without a word.
PLAIN_FIELDS: Final[dict[Kind, frozenset[str]]] = {"pathItem": frozenset({"$ref", "summary", "description"})}

# Fields that came with OpenAPI 3.2, of the same kinds: in an older document they have no meaning.
NEW_FIELDS: Final[dict[Kind, frozenset[str]]] = {"pathItem": frozenset({"query", "additionalOperations"})}

# What the specification has no Reference Object for.
NO_REFERENCE: Final[frozenset[Kind]] = frozenset({"operation"})

# Fields of which the specification allows only one.
EXCLUSIVE: Final[dict[Kind, tuple[frozenset[str], ...]]] = {
    "parameter": (frozenset({"example", "examples"}), frozenset({"schema", "content"})),
    "header": (frozenset({"example", "examples"}), frozenset({"schema", "content"})),
    "mediaType": (
        frozenset({"example", "examples"}),
        frozenset({"encoding", "prefixEncoding"}),
        frozenset({"encoding", "itemEncoding"}),
    ),
    "encoding": (frozenset({"encoding", "prefixEncoding"}), frozenset({"encoding", "itemEncoding"})),
    "example": (
        frozenset({"value", "externalValue"}),
        frozenset({"value", "dataValue"}),
        frozenset({"value", "serializedValue"}),
        frozenset({"serializedValue", "externalValue"}),
    ),
    "link": (frozenset({"operationRef", "operationId"}),),
}
