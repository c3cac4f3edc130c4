"""Server Objects (OpenAPI 3.1 section 4.8.5) to base paths, and path templates to what can be routed."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from brrtrouter.spec.reference import Node
from brrtrouter.spec.report import Report, member

_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_BRACES: Final = re.compile(r"[{}]")


def clean_base_path(path: str) -> str:
    """A base path as it is put in front of a template: "" or `/like/this`, without a slash at the end."""
    path = path.rstrip("/")
    return path if not path or path.startswith("/") else "/" + path


def base_path_of(servers: Node | None, report: Report) -> str | None:
    """The path part of the first server's URL; None when there are no servers.

    A relative URL is taken as relative to the root of the host.  Every server after the first that would give
    another base path is named in a warning, because its paths are not served.
    """
    if servers is None or not isinstance(servers.value, list):
        return None
    paths = [_server_path(servers.child(at), report) for at in range(len(servers.value))]
    for at, path in enumerate(paths[1:], 1):
        if path is not None and path != paths[0]:
            text = f"only the base path of the first server is served, not {path or '/'}"
            report.warning("NotExecuted", servers.child(at), text)
    return paths[0] if paths else None


def server_url(server: Node, report: Report) -> str | None:
    """The URL of a server with the defaults of its variables in place; None for what is no server."""
    if not isinstance(server.value, dict):
        return None
    url = server.value.get("url", "/")
    if not isinstance(url, str):
        report.error("InvalidServer", server.child("url"), "the url of a server has to be a string")
        return None
    values = _defaults(member(server, "variables"), report)
    for name in _VARIABLE.findall(url):
        if name not in values:
            report.warning("InvalidServer", server, f"the variable {name!r} of the url is not described; it is dropped")
    return _VARIABLE.sub(lambda found: values.get(found[1], ""), url)


def _server_path(server: Node, report: Report) -> str | None:
    url = server_url(server, report)
    if url is None:
        return None
    try:
        path = urlsplit(url).path
    except ValueError:
        report.warning("InvalidServer", server.child("url"), f"{url[:200]!r} is no URL; the base path is /")
        return ""
    if path.startswith("."):
        path = path.lstrip("./")
    return clean_base_path(path)


def _defaults(variables: Node | None, report: Report) -> dict[str, str]:
    values: dict[str, str] = {}
    if variables is None:
        return values
    if not isinstance(variables.value, dict):
        report.error("InvalidServer", variables, "variables of a server have to be an object")
        return values
    for name in variables.value:
        variable = variables.child(name)
        if name.startswith("x-"):
            continue
        default = variable.value.get("default") if isinstance(variable.value, dict) else None
        if isinstance(default, (bool, float, dict, list)) or default is None:
            report.error("InvalidServer", variable, "a server variable needs a default, which is a string")
            continue
        values[name] = str(default)
        allowed = variable.value.get("enum")
        if isinstance(allowed, list) and values[name] not in map(str, allowed):
            report.warning("InvalidServer", variable, "the default of a server variable has to be one of its enum")
    return values


def template_fault(template: str) -> str:
    """Why a key of `paths` is no path template (OpenAPI 3.2 section 4.8.2); empty when it is one."""
    if not template.startswith("/"):
        return "a path has to start with a slash"
    path = template.partition("?")[0]
    inside = False
    for brace in _BRACES.finditer(path):
        if (brace[0] == "{") == inside:
            return f"the braces do not match at character {brace.start() + 1}"
        inside = not inside
    if inside:
        return "the last brace is not closed"
    names = _VARIABLE.findall(path)
    if "" in names:
        return "a template variable needs a name"
    for name in names:
        if "/" in name:
            return f"the template variable {name!r} reaches over a slash"
        if names.count(name) > 1:
            return f"the template variable {name!r} stands in it twice"
    return ""


def template_variables(template: str) -> list[str]:
    """The names of the variables in the path part of a template, in order."""
    return _VARIABLE.findall(template.partition("?")[0])


def template_shape(template: str) -> str:
    """The template without the names of its variables: two with the same shape match the same requests."""
    path, mark, query = template.partition("?")
    return _VARIABLE.sub("{}", path) + mark + query
