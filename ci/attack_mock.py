"""Serve descriptions in mock mode and let schemathesis attack each; see ci/schemathesis.sh.

The servers check credentials, all against one, so that schemathesis can tell an operation that is open from one that
is not.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brrtrouter import App
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.policy.security import Denial, Principal, Scheme, Verdict, challenge_for, credential

ROOT = Path(__file__).resolve().parent.parent
SHARED = (ROOT.parent / "shared" / "specs").resolve()
# What of Stripe's is left out: operations for which schemathesis writes values that have no text.
WITHOUT_TEXT = (
    # An object without members inside of an object, as `customer_details[tax]=`: an empty text is no object.
    *("GetInvoicesUpcoming", "GetInvoicesUpcomingLines", "GetTreasuryTransactions"),
    # A member without a name, as `metadata[]=0`: `[]` is one more item of a list.
    *("PostCheckoutSessions", "PostInvoices", "PostInvoicesInvoice"),
    # `mandate_data` as an object of objects without members, which is wrong, but is not sent at all.
    "PostPaymentIntentsIntentConfirm",
    # In multipart `{}`, sent as what is no string, is a string like any other.
    "PostFiles",
)
# What is attacked, and what schemathesis is told for it.  Of the largest all operations, with few examples for each
# beside those of the phase "coverage".
DEFAULTS: dict[Path, tuple[str, ...]] = {
    ROOT / "examples/pet_store/openapi.yaml": (),
    SHARED / "museum/openapi.yaml": (),
    SHARED / "discord/openapi.json": ("--max-examples=1",),
    SHARED / "stripe/stripe.com.json": (
        "--max-examples=1",
        *(f"--exclude-operation-id={name}" for name in WITHOUT_TEXT),
    ),
    # Not /markdown/raw: each text is a string, also the `{}` that is sent there as what is no string.
    SHARED / "github/api.github.com.json": ("--max-examples=1", "--exclude-path=/markdown/raw"),
}
# Only what is described, and lines, bodies and lists as long as schemathesis makes them: 414 and 431 are answered
# before there is an operation whose description could declare them, and few declare 413.
CONFIG = {
    "endpoints": dict.fromkeys(("health", "ready", "docs", "openapi_json", "openapi_yaml")),
    "limits": {"request_line": 2**22, "header_field": 2**22, "head": 2**23, "body": 2**24}
    | dict.fromkeys(("query_parameters", "form_fields"), 2**14),
}
FORM = "application/x-www-form-urlencoded"
USER, SECRET = "someone", "a-secret-of-the-test"
BASIC = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()


class OneSecret:
    """Knows one credential."""

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict:
        given = credential(request, scheme)
        if given is None:
            return Denial("missing", challenge_for(scheme))
        wanted = BASIC if scheme.http_scheme == "basic" else SECRET
        return Principal(USER) if given == wanted else Denial("invalid", challenge_for(scheme))


class Gone:
    """Remembers what was deleted, until something is created beside it: a mock itself remembers nothing."""

    def __init__(self) -> None:
        self.paths: set[str] = set()

    def before(self, request: Request) -> Response | None:
        if request.method in ("POST", "PUT"):
            self.paths = {path for path in self.paths if not path.startswith(request.path)}
        return problem_response("not-found", "it was deleted") if request.path in self.paths else None

    def after(self, request: Request, response: Response) -> None:
        if request.method == "DELETE" and response.status < 300:
            self.paths.add(request.path)


def spelled_out(value: Any, *, in_parameter: bool = False) -> Any:
    """The same document in the words that schemathesis understands.

    Without the formats `float` and `decimal`: we hold values to them, of which it does not know.  Without an empty
    enum, which allows nothing and which it takes for none (`status` of Discord's join requests), and without `nullable`
    where there is no type, which has no effect (OpenAPI 3.0.3 section 4.7.24) and which it takes for null (`value` in
    GitHub's projects).  A format beside a list of types as alternatives, because it forgets the format there.
    Parameters without null, which has no text in any style (OpenAPI 3.1 section 4.8.12.4) and which it writes as
    "null".
    """
    if isinstance(value, list):
        each = [spelled_out(item, in_parameter=in_parameter) for item in value if not is_without_text(item)]
        return [item for item in each if item != {"type": "null"}] or each if in_parameter else each
    if not isinstance(value, dict):
        return value
    inside = in_parameter or {"name", "in", "schema"} <= value.keys()
    if inside and not in_parameter:
        value = {**value, "schema": without_objects(with_text(value["schema"]))}
        if value.get("style") == "deepObject" and is_nested(value["schema"]):
            value["x-nested"] = True
    if FORM in value and isinstance(value[FORM], dict):
        value = {**value, FORM: in_words(value[FORM])}
    value = {name: spelled_out(member, in_parameter=inside) for name, member in value.items()}
    kinds = value.get("type")
    if (kinds, value.get("format")) in (("number", "float"), ("string", "decimal")):
        del value["format"]
    if value.get("enum") == []:
        del value["enum"]
    if value.get("nullable") is True and "type" not in value:
        del value["nullable"]
    if isinstance(kinds, list) and "string" in kinds and "format" in value:
        others = [{"type": kind} for kind in kinds if kind != "string" and not (in_parameter and kind == "null")]
        named = {name: value.pop(name) for name in ("type", "format", "minLength", "maxLength") if name in value}
        value["anyOf"] = [{**named, "type": "string"}, *others]
    return value


def is_without_text(value: Any) -> bool:
    """Whether it is a parameter that is a list of objects."""
    return (
        isinstance(value, dict)
        and {"name", "in", "schema"} <= value.keys()
        and without_objects(value["schema"]) is None
    )


SCALARS = ("string", "integer", "number", "boolean")


def with_text(schema: Any, depth: int = 0, *, or_empty: bool = False) -> Any:
    """A schema of values that have a text in a query or form, `depth` objects below a member of it.

    There is none for members that are not described: they may hold anything, and brackets in their names.  Nor is there
    one for a list of objects, except deep inside.  An object without members is left out up to depth 1, and is an empty
    text below, where `or_empty` says whether that is allowed by itself.
    """
    if isinstance(schema, list):
        or_empty = any("" in kind.get("enum", ()) for kind in schema if isinstance(kind, dict))
        return [with_text(item, depth, or_empty=or_empty) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {
        name: member
        if name in ("enum", "const")
        else {key: with_text(each, depth + 1) for key, each in member.items()}
        if name == "properties"
        else with_text(member, depth + (name == "additionalProperties"))
        for name, member in schema.items()
    }
    deep = depth > 1 and not or_empty
    if deep and schema.get("type") == "array" and schema.get("items") != {"type": "string"}:
        schema.setdefault("minItems", 1)
    if schema.get("type") != "object":
        return schema
    if deep:
        schema.setdefault("minProperties", 1)
    properties = schema.get("properties", {})
    if depth < 1:
        properties = {name: kept for name, member in properties.items() if (kept := without_objects(member))}
    if len(properties) == 1:
        schema.pop("required", None)
    if "properties" in schema:
        schema["properties"] = {name: or_its_item(member) for name, member in properties.items()}
    if "required" in schema:
        schema["required"] = [name for name in schema["required"] if not may_be_empty(properties.get(name, {}), depth)]
    return {"additionalProperties": False if "properties" in schema else {"type": "string"}, **schema}


def without_objects(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The same without lists of objects; None when nothing is left."""
    if "anyOf" in schema:
        kinds = [kept for kind in schema["anyOf"] if (kept := without_objects(kind))]
        return {**schema, "anyOf": kinds} if kinds else None
    listed = schema.get("type") == "array" and all(
        kind.get("type") not in SCALARS for kind in kinds_of(schema["items"])
    )
    return None if listed else schema


def may_be_empty(schema: dict[str, Any], depth: int) -> bool:
    """Whether there is no member of this name, or one that is left out when it is empty."""
    return not schema or (depth < 1 and any(kind.get("type") in ("object", "array") for kind in kinds_of(schema)))


def or_its_item(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, and the item alone where it may be a list: a list of one and its item have the same text."""
    if "anyOf" in schema:
        schema = {**schema, "anyOf": [or_its_item(kind) for kind in schema["anyOf"]]}
    item = schema.get("items", {})
    if schema.get("type") != "array" or item.get("type") not in SCALARS:
        return schema
    if "enum" in item:
        return {"anyOf": [schema, item]}
    return {**item, **schema, "type": ["array", item["type"]]}


def in_words(media: dict[str, Any]) -> dict[str, Any]:
    """A form whose members are told apart by their text.

    Objects inside of objects are only read where `x-nested` says so.
    """
    schema = media.get("schema", {})
    members = {
        name: kept
        for name, member in schema.get("properties", {}).items()
        if (kept := without_objects(with_text(member)))
    }
    required = [name for name in schema.get("required", ()) if not may_be_empty(members.get(name, {}), 0)]
    members = {name: or_its_item(member) for name, member in members.items()}
    encodings = {
        name: {**encoding, "x-nested": True} if name in members and is_nested(members[name]) else encoding
        for name, encoding in media.get("encoding", {}).items()
    }
    schema = {**schema, "properties": members, "required": required} if "properties" in schema else schema
    return {**media, "schema": schema, "encoding": encodings}


def is_nested(schema: dict[str, Any]) -> bool:
    """Whether an object has objects or lists among its members."""
    members = [member for kind in kinds_of(schema) for member in kind.get("properties", {}).values()]
    members += [kind["additionalProperties"] for kind in kinds_of(schema) if kind.get("additionalProperties")]
    return any(kind.get("type") in ("object", "array") for member in members for kind in kinds_of(member))


def kinds_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """A schema and its alternatives."""
    return [schema, *schema.get("anyOf", ())]


def prepared(document: Path) -> dict[str, Any]:
    """The document as it is served and attacked.

    Where it says nothing of requests without a credential, or of broken ones, 401 and 400 are declared, and 404 for
    what `Gone` says.  Forms beside the same as JSON, without encodings, are left out, as all of Discord's: null is sent
    as "null" there, of objects only the names of their members, and "" is null where null is allowed.
    """
    specification = App(document).specification
    value: dict[str, Any] = spelled_out(specification.document)
    for operation in specification.operations:
        missing: list[str] = []
        declared = {response.status for response in operation.responses}
        if operation.security and all(operation.security) and not declared & {"401", "4XX", "default"}:
            missing.append("401")
        if not declared & {"400", "422", "4XX", "default"}:
            missing.append("400")
        if not declared & {"404", "4XX", "default"}:
            missing.append("404")
        item = value["paths"][operation.template][operation.method.lower()]
        if operation.method == "GET":
            item.pop("requestBody", None)  # it has no meaning (RFC 9110 section 9.3.1)
        content = item.get("requestBody", {}).get("content", {})
        written = specification.document["paths"][operation.template][operation.method.lower()].get("requestBody", {})
        for name in (FORM, "multipart/form-data"):
            if "application/json" in content and "encoding" not in written.get("content", {}).get(name, {}):
                content.pop(name, None)
        if not content.get(FORM, {}).get("schema", {}).get("required", True):
            item["requestBody"]["required"] = False  # a form without members is no body
        # It has no styles in multipart, and sends objects as JSON there.
        content.get("multipart/form-data", {}).pop("encoding", None)
        item.setdefault("responses", {}).update({status: {"description": "a refusal"} for status in missing})
    return value


def covered(template: str, other: str) -> bool:
    """Whether the paths of a template are all paths of the other one."""
    pieces, others = template.split("/"), other.split("/")
    return len(pieces) == len(others) and all(a == b or "{" in b for a, b in zip(pieces, others, strict=True))


def shared(app: App) -> list[str]:
    """The templates whose paths have methods of other templates too.

    DELETE /gists/public is DELETE /gists/{gist_id}: it is answered and Allow says it, for Allow is about the path.
    schemathesis takes /gists/public alone, and expects 405.
    """
    methods: dict[str, set[str]] = {}
    for operation in app.specification.operations:
        methods.setdefault(operation.template, set()).add(operation.method)
    return [one for one in methods if any(covered(one, other) and methods[other] - methods[one] for other in methods)]


def settings(app: App) -> str:
    """The configuration of schemathesis: exceptions and credentials."""
    lines: list[str] = []
    for template in shared(app):
        lines += ["[[operations]]", f"include-path = {json.dumps(template)}"]
        lines += [f"checks.{check}.enabled = false" for check in ("unsupported_method", "allow_header_conformance")]
    for scheme in app.specification.security_schemes.values():
        lines.append(f'[auth.openapi."{scheme.name}"]')
        if scheme.type == "apiKey":
            lines.append(f'api_key = "{SECRET}"')
        elif scheme.http_scheme == "basic":
            lines += [f'username = "{USER}"', f'password = "{SECRET}"']
        else:
            lines.append(f'bearer = "{SECRET}"')
    return "\n".join(lines) + "\n"


def attack(document: Path, examples: int, more: Sequence[str]) -> bool:
    """Whether schemathesis found nothing."""
    value = prepared(document)
    app = App(value, mock=True, config=CONFIG, middleware=[Gone()])
    for name in app.specification.security_schemes:
        app.add_security(name, OneSecret())
    with app.start(port=0) as server, tempfile.TemporaryDirectory() as folder:
        config, served = Path(folder, "schemathesis.toml"), Path(folder, "openapi.json")
        config.write_text(settings(app), "utf-8")
        served.write_text(json.dumps(value), "utf-8")
        command = [
            *(os.environ["SCHEMATHESIS"], "--config-file", str(config)),
            *("run", str(served)),
            *("--url", server.url + app.specification.base_path, "--phases", "examples,coverage,fuzzing,stateful"),
            # All checks, as said by default: what is said here about checks goes before the configuration.
            *("--max-examples", str(examples), "--seed", "1", "--no-color"),
            # An operation that takes nothing has but one request, and all others are "filtered out".
            *("--suppress-health-check", "filter_too_much"),
            *more,
        ]
        return subprocess.run(command, cwd=folder, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", nargs="*", type=Path, metavar="DOCUMENT")
    parser.add_argument("--examples", type=int, default=10)
    arguments, more = parser.parse_known_args()
    documents = [path.resolve() for path in arguments.documents] or [path for path in DEFAULTS if path.is_file()]
    failed = [path for path in documents if not attack(path, arguments.examples, [*DEFAULTS.get(path, ()), *more])]
    for path in failed:
        print(f"findings: {path}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
