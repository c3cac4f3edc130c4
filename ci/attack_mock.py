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
# What is attacked, and what schemathesis is told for it.  Of the large descriptions a part, by the paths.
DEFAULTS: dict[Path, tuple[str, ...]] = {
    ROOT / "examples/pet_store/openapi.yaml": (),
    SHARED / "museum/openapi.yaml": (),
    SHARED / "discord/openapi.json": ("--include-path-regex=templates|voice|stickers|gateway|polls|oauth2|/users/@me",),
    SHARED / "stripe/stripe.com.json": (
        # Not coupons, which have maps inside of objects, `currency_options[eur][amount]`: brackets tell nothing of a
        # name that has some itself.
        "--include-path-regex=^/v1/(topups|charges|payouts|refunds|balance)",
        # As for the next.
        "--exclude-checks=allow_header_conformance",
    ),
    SHARED / "github/api.github.com.json": (
        "--include-path-regex=^/gists|^/markdown$|^/emojis|^/gitignore|^/licenses",
        # DELETE /gists/public is DELETE /gists/{gist_id}, so Allow says it; schemathesis takes /gists/public alone.
        "--exclude-checks=allow_header_conformance",
    ),
}
# Only what is described, and lines and bodies as long as schemathesis makes them: 414 and 431 are answered before
# there is an operation whose description could declare them, and few declare 413.
CONFIG = {
    "endpoints": dict.fromkeys(("health", "ready", "docs", "openapi_json", "openapi_yaml")),
    "limits": {"request_line": 2**22, "header_field": 2**22, "head": 2**23, "body": 2**24},
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

    Without the format `float`: we hold numbers to its range, of which it does not know.  A format beside a list of
    types as alternatives, because it forgets the format there.  Parameters without null, which has no text in any
    style (OpenAPI 3.1 section 4.8.12.4) and which it writes as "null".
    """
    if isinstance(value, list):
        each = [spelled_out(item, in_parameter=in_parameter) for item in value]
        return [item for item in each if item != {"type": "null"}] or each if in_parameter else each
    if not isinstance(value, dict):
        return value
    inside = in_parameter or {"name", "in", "schema"} <= value.keys()
    if inside and not in_parameter:
        value = {**value, "schema": with_text(value["schema"])}
    if FORM in value and isinstance(value[FORM], dict):
        value = {**value, FORM: in_words(value[FORM])}
    value = {name: spelled_out(member, in_parameter=inside) for name, member in value.items()}
    kinds = value.get("type")
    if kinds == "number" and value.get("format") == "float":
        del value["format"]
    if isinstance(kinds, list) and "string" in kinds and "format" in value:
        others = [{"type": kind} for kind in kinds if kind != "string" and not (in_parameter and kind == "null")]
        named = {name: value.pop(name) for name in ("type", "format", "minLength", "maxLength") if name in value}
        value["anyOf"] = [{**named, "type": "string"}, *others]
    return value


def with_text(schema: Any) -> Any:
    """A schema of values that have a text in a query or form.

    There is none for members that are not described: they may hold anything, and brackets in their names.  Nor is there
    one for an object without members: one that is required has some, and one that has but one may lose it.
    """
    if isinstance(schema, list):
        return [with_text(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: member if name in ("enum", "const") else with_text(member) for name, member in schema.items()}
    if schema.get("type") != "object":
        return schema
    for name in schema.get("required", ()):
        member = schema.get("properties", {}).get(name, {})
        if member.get("type") == "object":
            member.setdefault("minProperties", 1)
    if len(schema.get("properties", ())) == 1:
        schema.pop("required", None)
    return {"additionalProperties": False if "properties" in schema else {"type": "string"}, **schema}


def in_words(media: dict[str, Any]) -> dict[str, Any]:
    """A form whose members are told apart by their text.

    A list of one and its item have the same text.  Objects inside of objects are only read where `x-nested` says so.
    """
    schema = media.get("schema", {})
    members = {name: with_text(member) for name, member in schema.get("properties", {}).items()}
    for member in members.values():
        item = member.get("items", {})
        if member.get("type") == "array" and item.get("type") == "string":
            member |= {name: value for name, value in item.items() if name != "type"} | {"type": ["array", "string"]}
    encodings = {
        name: {**encoding, "x-nested": True} if name in members and is_nested(members[name]) else encoding
        for name, encoding in media.get("encoding", {}).items()
    }
    return {**media, "schema": {**schema, "properties": members} if members else schema, "encoding": encodings}


def is_nested(schema: dict[str, Any]) -> bool:
    """Whether an object has objects or lists among its members."""
    kinds = [schema, *schema.get("anyOf", ())]
    members = [member for kind in kinds for member in kind.get("properties", {}).values()]
    members += [kind["additionalProperties"] for kind in kinds if isinstance(kind.get("additionalProperties"), dict)]
    return any(member.get("type") in ("object", "array") or is_nested(member) for member in members)


def prepared(document: Path) -> dict[str, Any]:
    """The document as it is served and attacked.

    Where it says nothing of requests without a credential, or of broken ones, 401 and 400 are declared.
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
        item = value["paths"][operation.template][operation.method.lower()]
        if operation.method == "GET":
            item.pop("requestBody", None)  # it has no meaning (RFC 9110 section 9.3.1)
        item.setdefault("responses", {}).update({status: {"description": "a refusal"} for status in missing})
    return value


def settings(app: App) -> str:
    """The credentials as schemathesis wants them in its configuration."""
    lines: list[str] = []
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
            *("--checks", "all", "--max-examples", str(examples), "--seed", "1", "--no-color"),
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
