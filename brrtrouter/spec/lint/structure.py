"""Rules about the shape of objects: which fields there are, which are required, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from brrtrouter.spec.check import type_name
from brrtrouter.spec.grammar import FIELDS, REFERENCE_ISSUES, UNIFORM
from brrtrouter.spec.lint.context import Context
from brrtrouter.spec.lint.fields import MAPS, OBJECTS, PLAIN, form_fault, title
from brrtrouter.spec.lint.walk import Visit

_NAME: Final = re.compile(r"[A-Za-z0-9._\-]+")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# The loader looks at these itself.
_LOADER: Final = frozenset({("root", "info"), ("root", "paths"), ("info", "title"), ("requestBody", "content")})
_IN_GRAMMAR: Final = frozenset({*FIELDS, *UNIFORM})
# Fields that exclude each other beside those that the loader names; by kind, since which minor version.
_EXCLUSIVE: Final[dict[str, tuple[tuple[int, frozenset[str]], ...]]] = {
    "license": ((1, frozenset({"identifier", "url"})),),
    "xml": ((2, frozenset({"attribute", "nodeType"})), (2, frozenset({"wrapped", "nodeType"}))),
}
# Fields whose values are a closed list, by kind.
_VALUES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "encoding": {"style": ("form", "spaceDelimited", "pipeDelimited", "deepObject")},
    "header": {"style": ("simple",)},
    "xml": {"nodeType": ("element", "attribute", "text", "cdata", "none")},
}
# What is deprecated: by kind and field, since which minor version, and what to write in its place.
_DEPRECATED: Final[dict[str, dict[str, tuple[int, str]]]] = {
    "parameter": {"allowEmptyValue": (0, "a schema that allows the empty string")},
    "schema": {"example": (1, "examples, a list")},
    "xml": {"attribute": (2, "nodeType: attribute"), "wrapped": (2, "nodeType: element")},
}
# What a flow of each name cannot do without.
_FLOWS: Final[dict[str, tuple[str, ...]]] = {
    "implicit": ("authorizationUrl",),
    "password": ("tokenUrl",),
    "clientCredentials": ("tokenUrl",),
    "authorizationCode": ("authorizationUrl", "tokenUrl"),
    "deviceAuthorization": ("deviceAuthorizationUrl", "tokenUrl"),
}


def check_shape(context: Context, visit: Visit) -> None:
    """Everything that the table of fields tells about one object; schemas have rules of their own."""
    kind, value = visit.kind, visit.value
    if not isinstance(value, dict):
        if kind not in _IN_GRAMMAR:
            context.add("WrongType", visit.node, f"{kind} has to be an object, not {type_name(value)}")
        return
    if kind == "schema":
        return
    if kind in REFERENCE_ISSUES and kind != "pathItem" and "$ref" in value:
        _reference(context, visit)
        return
    if kind not in MAPS and kind in OBJECTS:
        _fields(context, visit)
    for check in _SPECIAL.get(kind, ()):
        check(context, visit)


def _reference(context: Context, visit: Visit) -> None:
    """OpenAPI 3.0 ignores everything beside `$ref`, later versions everything but two texts (section 4.8.23)."""
    texts = ("summary", "description")
    for name in visit.value:
        if name == "$ref" or (context.minor and name in texts) or name.startswith("x-"):
            continue
        rule = "AnnotationBesideRef" if name in texts else "FieldBesideRef"
        context.add(rule, visit.node, f"{name!r} beside $ref is ignored")


def _fields(context: Context, visit: Visit) -> None:
    kind, node, value = visit.kind, visit.node, visit.value
    fields, minor = OBJECTS[kind], context.minor
    for name, item in value.items():
        field = fields.get(name)
        if field is None:
            if not name.startswith("x-"):
                context.add("UnknownField", node.child(name), f"the {title(kind)} Object has no field {name[:80]!r}")
        elif minor not in field.versions:
            first = min(field.versions)
            text = f"{name} of the {title(kind)} Object came with OpenAPI 3.{first}"
            context.add("FieldOfLaterVersion", node.child(name), text)
        elif field.form in PLAIN:
            fault = form_fault(item, field.form)
            if fault:
                context.add("WrongType", node.child(name), f"{name} {fault}")
        elif kind not in _IN_GRAMMAR or name not in FIELDS.get(kind, ()):
            _holder(context, visit, name, field.many)
    for name, field in fields.items():
        if minor in field.required and name not in value and (kind, name) not in _LOADER:
            context.add("MissingField", node, f"the {title(kind)} Object needs the field {name!r}")
    for since, group in _EXCLUSIVE.get(kind, ()):
        if minor >= since and group <= value.keys():
            context.add("ConflictingFields", node, f"{' and '.join(sorted(group))} exclude each other")
    for name, allowed in _VALUES.get(kind, {}).items():
        if isinstance(value.get(name), str) and value[name] not in allowed:
            text = f"{name} has to be one of {', '.join(allowed)}, not {value[name][:80]!r}"
            context.add("InvalidValue", node.child(name), text)
    deprecated(context, visit)


def _holder(context: Context, visit: Visit, name: str, many: str) -> None:
    wanted = {"list": list, "map": dict}.get(many)
    item = visit.value[name]
    if wanted and not isinstance(item, wanted):
        word = "a list" if many == "list" else "an object"
        context.add("WrongType", visit.node.child(name), f"{name} has to be {word}, not {type_name(item)}")


def deprecated(context: Context, visit: Visit) -> None:
    """Fields that work and should not be written any more."""
    for name, (since, instead) in _DEPRECATED.get(visit.kind, {}).items():
        if context.minor >= since and name in visit.value:
            context.add("DeprecatedField", visit.node.child(name), f"{name} is deprecated in favour of {instead}")


# -- single objects ------------------------------------------------------------------------------------------


def _root(context: Context, visit: Visit) -> None:
    seen: set[str] = set()
    tags = visit.value.get("tags")
    places = [visit.node.child("tags").child(at) for at in range(len(tags))] if isinstance(tags, list) else []
    named = {}
    for place in places:
        name = place.value.get("name") if isinstance(place.value, dict) else None
        if not isinstance(name, str):
            continue
        if name in seen:
            context.add("DuplicateTag", place, f"the tag {name[:80]!r} is declared twice")
        seen.add(name)
        named[name] = place
    for name, place in named.items() if context.minor >= 2 else ():
        chain, parent = {name}, place.value.get("parent")
        while isinstance(parent, str) and parent in named and parent not in chain:
            chain.add(parent)
            parent = named[parent].value.get("parent")
        if isinstance(parent, str):
            what = "leads back to itself" if parent in chain else "is not declared"
            context.add("InvalidTagParent", place, f"the parent {parent[:80]!r} of the tag {name[:80]!r} {what}")


def _components(context: Context, visit: Visit) -> None:
    for kind, members in visit.value.items():
        for name in members if kind in OBJECTS["components"] and isinstance(members, dict) else ():
            if not _NAME.fullmatch(name) and not name.startswith("x-"):
                text = f"{name[:80]!r} has characters other than A-Z a-z 0-9 . _ -"
                context.add("InvalidComponentName", visit.node.child(kind).child(name), text)


def _server(context: Context, visit: Visit) -> None:
    url, variables = visit.value.get("url"), visit.value.get("variables")
    for name in variables if isinstance(variables, dict) and isinstance(url, str) else ():
        if f"{{{name}}}" not in url and not name.startswith("x-"):
            place = visit.node.child("variables").child(name)
            context.add("UnusedServerVariable", place, f"the url has no {{{name[:80]}}}")


def _server_variable(context: Context, visit: Visit) -> None:
    if context.minor and visit.value.get("enum") == []:
        context.add("InvalidServer", visit.node, "the enum of a server variable must not be empty")


def _parameter(context: Context, visit: Visit) -> None:
    context.readers.parameters.read(visit.node)
    value = visit.value
    location, name = value.get("in"), value.get("name")
    if "allowEmptyValue" in value and location != "query":
        text = "allowEmptyValue means something for parameters in query only"
        context.add("FieldWithoutMeaning", visit.node.child("allowEmptyValue"), text)
    if "allowReserved" in value and not _takes_reserved(context.minor, location, value.get("style")):
        text = f"allowReserved and in: {location} exclude each other"
        rule = "ConflictingFields" if context.minor else "FieldWithoutMeaning"
        context.add(rule, visit.node.child("allowReserved"), text)
    if "schema" not in value and "content" not in value and "$ref" not in value:
        context.add("MissingField", visit.node, "a parameter needs schema or content")
    if "content" in value:
        for field in ("style", "explode", "allowReserved"):
            if field in value:
                context.add("FieldWithoutMeaning", visit.node.child(field), f"{field} goes with schema, not content")
    schema = value.get("schema")
    if value.get("required") is True and isinstance(schema, dict) and "default" in schema:
        text = f"the parameter {str(name)[:80]!r} is required, so that its default never applies"
        context.add("DefaultOfRequired", visit.node, text)


def _takes_reserved(minor: int, location: Any, style: Any) -> bool:
    """Where allowReserved is allowed: in query, since 3.2 wherever values are percent-encoded (section 4.12.2.2)."""
    if minor < 2:
        return bool(location == "query")
    return location in ("query", "path") or bool(location == "cookie" and style != "cookie")


def _response(context: Context, visit: Visit) -> None:
    headers = visit.value.get("headers")
    for name in headers if isinstance(headers, dict) else ():
        place = visit.node.child("headers").child(name)
        if not _TOKEN.fullmatch(name):
            context.add("InvalidHeader", place, f"{name[:80]!r} cannot be the name of a header")
        elif name.lower() == "content-type":
            context.add("FieldWithoutMeaning", place, "a header Content-Type is ignored; the keys of content say it")


def _oauth_flows(context: Context, visit: Visit) -> None:
    for name, needed in _FLOWS.items():
        flow = visit.value.get(name)
        for field in needed if isinstance(flow, dict) else ():
            if field not in flow:
                context.add("MissingField", visit.node.child(name), f"the flow {name} needs the field {field!r}")


_SPECIAL: Final[dict[str, tuple[Callable[[Context, Visit], None], ...]]] = {
    "root": (_root,),
    "components": (_components,),
    "server": (_server,),
    "serverVariable": (_server_variable,),
    "parameter": (_parameter,),
    "response": (_response,),
    "encoding": (_response,),
    "oauthFlows": (_oauth_flows,),
}
