"""Every field of every object of OpenAPI 3.0, 3.1 and 3.2, as one table.

A field is written `name*@:form`.  Digits are minor versions: `*` is required always, `*01` in 3.0 and 3.1 only;
`@12` exists in 3.1 and 3.2 only.  A form is a plain type (`string`, `boolean`, `number`, `any`, joined by `|`,
`strings` for a list of them) or the kind of an object, with `[]` for a list of them and `{}` for a map.
Kinds are those of `grammar.py`, and more for the objects that a request is never decided by.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from brrtrouter.spec.check import type_name

ALL: Final = frozenset({0, 1, 2})
_FIELD: Final = re.compile(r"([^\s*@:]+)(\*[012]*)?(?:@([012]+))?:(\S+)")


class FieldSpec(NamedTuple):
    """One field: `form` is a plain type or a kind, `many` is "one", "list" or "map", the sets hold minor versions."""

    form: str
    many: str
    versions: frozenset[int]
    required: frozenset[int]


def _fields(text: str) -> dict[str, FieldSpec]:
    found = {}
    for name, required, versions, form in _FIELD.findall(text):
        exists = frozenset(map(int, versions)) or ALL
        needed = (frozenset(map(int, required[1:])) or exists) if required else frozenset()
        many = {"[]": "list", "{}": "map"}.get(form[-2:], "one")
        found[name] = FieldSpec(form if many == "one" else form[:-2], many, exists, needed)
    return found


_EXAMPLES: Final = "example:any examples:example{}"
_METHODS: Final = " ".join(
    f"{method}:operation" for method in ("get", "put", "post", "delete", "options", "head", "patch", "trace")
)
_ENCODINGS: Final = "prefixEncoding@2:encoding[] itemEncoding@2:encoding"
_SINCE_1: Final = " ".join(
    f"{keyword}@12:schema"
    for keyword in ("if", "then", "else", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties")
)

OBJECTS: Final[dict[str, dict[str, FieldSpec]]] = {
    kind: _fields(text)
    for kind, text in {
        "root": "openapi*:string $self@2:string info*:info jsonSchemaDialect@12:string servers:server[] paths*0:paths "
        "webhooks@12:pathItem{} components:components security:securityRequirement[] tags:tag[] "
        "externalDocs:externalDocs",
        "info": "title*:string summary@12:string description:string termsOfService:string contact:contact "
        "license:license version*:string",
        "contact": "name:string url:string email:string",
        "license": "name*:string identifier@12:string url:string",
        "server": "url*:string description:string name@2:string variables:serverVariable{}",
        "serverVariable": "enum:strings default*:string description:string",
        "components": "schemas:schema{} responses:response{} parameters:parameter{} examples:example{} "
        "requestBodies:requestBody{} headers:header{} securitySchemes:securityScheme{} links:link{} "
        "callbacks:callback{} pathItems@12:pathItem{} mediaTypes@2:mediaType{}",
        "pathItem": f"$ref:string summary:string description:string {_METHODS} query@2:operation "
        "additionalOperations@2:operation{} servers:server[] parameters:parameter[]",
        "operation": "tags:strings summary:string description:string externalDocs:externalDocs operationId:string "
        "parameters:parameter[] requestBody:requestBody responses*0:responses callbacks:callback{} deprecated:boolean "
        "security:securityRequirement[] servers:server[]",
        "externalDocs": "description:string url*:string",
        "parameter": "name*:string in*:string description:string required:boolean deprecated:boolean "
        f"allowEmptyValue:boolean style:string explode:boolean allowReserved:boolean schema:schema {_EXAMPLES} "
        "content:mediaType{}",
        "header": "description:string required:boolean deprecated:boolean style:string explode:boolean "
        f"schema:schema {_EXAMPLES} content:mediaType{{}}",
        "requestBody": "description:string content*:mediaType{} required:boolean",
        "response": "summary@2:string description*01:string headers:header{} content:mediaType{} links:link{}",
        "mediaType": f"description@2:string schema:schema itemSchema@2:schema {_EXAMPLES} encoding:encoding{{}} "
        f"{_ENCODINGS}",
        "encoding": "contentType:string headers:header{} style:string explode:boolean allowReserved:boolean "
        f"encoding@2:encoding{{}} {_ENCODINGS}",
        "example": "summary:string description:string value:any dataValue@2:any serializedValue@2:string "
        "externalValue:string",
        "link": "operationRef:string operationId:string parameters:anys requestBody:any description:string "
        "server:server",
        "tag": "name*:string summary@2:string description:string externalDocs:externalDocs parent@2:string "
        "kind@2:string",
        "reference": "$ref*:string summary@12:string description@12:string",
        "discriminator": "propertyName*:string mapping:anys defaultMapping@2:string",
        "xml": "name:string namespace:string prefix:string attribute:boolean wrapped:boolean nodeType@2:string",
        "securityScheme": "type*:string description:string name:string in:string scheme:string bearerFormat:string "
        "flows:oauthFlows openIdConnectUrl:string oauth2MetadataUrl@2:string deprecated@2:boolean",
        "oauthFlows": "implicit:oauthFlow password:oauthFlow clientCredentials:oauthFlow authorizationCode:oauthFlow "
        "deviceAuthorization@2:oauthFlow",
        "oauthFlow": "authorizationUrl:string deviceAuthorizationUrl@2:string tokenUrl:string refreshUrl:string "
        "scopes*:anys",
        "schema": "title:string multipleOf:number maximum:number exclusiveMaximum:number|boolean minimum:number "
        "exclusiveMinimum:number|boolean maxLength:number minLength:number pattern:string maxItems:number "
        "minItems:number uniqueItems:boolean maxProperties:number minProperties:number required:strings enum:list "
        "type:string|list allOf:schema[] oneOf:schema[] anyOf:schema[] not:schema items:schema "
        "properties:schema{} additionalProperties:schema description:string format:string default:any "
        "nullable@0:boolean discriminator:discriminator readOnly:boolean writeOnly:boolean xml:xml "
        "externalDocs:externalDocs example:any deprecated:boolean $ref:string $schema@12:string $id@12:string "
        "$anchor@12:string $dynamicAnchor@12:string $dynamicRef@12:string $vocabulary@12:anys $comment@12:string "
        f"$defs@12:schema{{}} const@12:any {_SINCE_1} dependentSchemas@12:schema{{}} "
        "dependentRequired@12:anys prefixItems@12:schema[] patternProperties@12:schema{} maxContains@12:number "
        "minContains@12:number examples@12:list contentEncoding@12:string contentMediaType@12:string "
        "contentSchema@12:schema",
    }.items()
}

# What the objects of `OBJECTS` are called in the specification.
TITLES: Final[dict[str, str]] = {
    "root": "OpenAPI",
    "externalDocs": "External Documentation",
    "serverVariable": "Server Variable",
    "pathItem": "Path Item",
    "requestBody": "Request Body",
    "mediaType": "Media Type",
    "securityScheme": "Security Scheme",
    "securityRequirement": "Security Requirement",
    "oauthFlows": "OAuth Flows",
    "oauthFlow": "OAuth Flow",
    "xml": "XML",
}

# Objects with members of any name: what the members are, or nothing for plain ones.
MAPS: Final[dict[str, str]] = {
    "paths": "pathItem",
    "responses": "response",
    "callback": "pathItem",
    "securityRequirement": "",
}

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "list": (list,),
    "strings": (list,),
    "anys": (dict,),
}
_WORDS: Final[dict[str, str]] = {
    "string": "a string",
    "boolean": "a boolean",
    "number": "a number",
    "list": "a list",
    "strings": "a list of strings",
    "anys": "an object",
}
PLAIN: Final = frozenset({*_TYPES, "any", "number|boolean", "string|list"})


def title(kind: str) -> str:
    """The name of an object in the specification, as in "Media Type"."""
    return TITLES.get(kind, kind[0].upper() + kind[1:])


def form_fault(value: Any, form: str) -> str:
    """What is wrong with a plain value for a field of this form; nothing when it fits."""
    if form == "any":
        return ""
    forms = form.split("|")
    for one in forms:
        if not isinstance(value, _TYPES[one]) or (isinstance(value, bool) and one == "number"):
            continue
        if one == "strings" and isinstance(value, list) and not all(isinstance(item, str) for item in value):
            continue
        return ""
    wanted = " or ".join(_WORDS[one] for one in forms)
    mixed = " of other things" if form == "strings" and isinstance(value, list) else ""
    return f"has to be {wanted}, not {type_name(value)}{mixed}"
