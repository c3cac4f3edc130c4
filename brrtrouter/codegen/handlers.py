"""Handlers as Python source: one file for each operation, which is the developer's from then on."""

from __future__ import annotations

from collections.abc import Iterator

from brrtrouter.codegen.ir import (
    ANY,
    ListOf,
    MapOf,
    Model,
    Named,
    Operation,
    Outcome,
    Plain,
    Project,
    Struct,
    Type,
    UnionOf,
    models_in,
    spelled,
)
from brrtrouter.codegen.models import header
from brrtrouter.codegen.operations import plainly
from brrtrouter.codegen.text import WIDTH, bracketed, docstring, joined, literal, one_line, union
from brrtrouter.spec.model import MISSING


def handler_files(project: Project) -> Iterator[tuple[str, str]]:
    """The path below the package and the text of each handler, and of what makes packages of their folders."""
    for module in project.modules:
        yield f"handlers/{module}/__init__.py", ""
    yield "handlers/__init__.py", '"""One module for each operation, in a folder for each tag."""\n'
    for operation in project.operations:
        yield f"handlers/{operation.module}/{operation.function}.py", handler_file(project, operation)


def answer_names(operation: Operation) -> list[str]:
    """The classes of the answers that a handler may give beside the usual one."""
    return [each.name for each in operation.outcomes if each.name and is_answer(each)]


def is_answer(outcome: Outcome) -> bool:
    """Whether a class stands for the answer in handlers: its status is one, and its content JSON or nothing."""
    return outcome.status.isdigit() and int(outcome.status) >= 200 and outcome.kind in ("json", "none")


def handler_file(project: Project, operation: Operation) -> str:
    """The text of one handler."""
    if operation.spec.websocket:
        return _socket_file(operation)
    main = None if operation.plain_request else plainly(operation)
    names = [] if operation.plain_request else answer_names(operation)
    more: dict[str, set[str]] = {}
    models: list[Model] = []
    arguments: list[str] = []
    if operation.plain_request:
        arguments.append("request: Request")
        more["brrtrouter"] = {"Request"}
    else:
        arguments += _arguments(operation, models)
    result, body = _result(operation, main, more, models)
    if "EXAMPLES" in more:
        more[f"{project.package}.examples"] = more.pop("EXAMPLES")
    if names:
        more[f"{project.package}.answers"] = set(names)
    returns = [result, *sorted(names)] if result != "None" else [*sorted(names), "None"]
    returns = ["Any"] if result == "Any" else returns
    lines: list[str] = []
    shown = " | ".join(returns)
    head = f"async def {operation.function}("
    if len(f") -> {shown}:") > WIDTH:
        alias = f"{operation.function.title().replace('_', '')}Result"
        lines += [*union(f"{alias}: TypeAlias = ", returns), "", ""]
        shown = alias
    lines += bracketed(head, arguments, f") -> {shown}:")
    lines += docstring(operation.doc, "    ")
    lines += body
    top = docstring(f"{operation.title}: {one_line(operation.doc)}".rstrip(": "))
    imported = header(project, "\n".join(lines), models, more=more)
    gap = [""] if ": TypeAlias" in lines[0] else ["", ""]
    imported = [*imported, *gap] if imported else gap[:-1]
    return joined([*top, "", "from __future__ import annotations", "", *imported, *lines])


def _socket_file(operation: Operation) -> str:
    """The text of the handler of a WebSocket: it sends back what comes."""
    lines = docstring(f"{operation.title}: {one_line(operation.doc)}")
    lines += ["", "from __future__ import annotations", "", "from brrtrouter import WebSocket", "", ""]
    lines += [f"async def {operation.function}(ws: WebSocket) -> None:", *docstring(operation.doc, "    ")]
    return joined([*lines, "    async for message in ws:", "        await ws.send(message)"])


def _arguments(operation: Operation, models: list[Model]) -> list[str]:
    required: list[str] = []
    others: list[str] = []
    for argument in operation.arguments:
        models += models_in(argument.type)
        kind = spelled(argument.type)
        tail = ""
        if not argument.required and argument.location != "path":
            if argument.default is not MISSING:
                tail = f" = {literal(argument.default)}"
            else:
                kind, tail = optional(argument.type), " = None"
        (others if tail else required).append(f"{argument.name}: {kind}{tail}")
    payload = operation.payload
    if payload is not None:
        models += models_in(payload.accepted)
        if payload.required:
            required.append(f"body: {spelled(payload.accepted)}")
        else:
            others.append(f"body: {optional(payload.accepted)} = None")
    return required + others


def optional(kind: Type) -> str:
    """The annotation of something that may be None."""
    return spelled(kind) if kind == ANY or _takes_none(kind) else f"{spelled(kind)} | None"


def _takes_none(kind: Type) -> bool:
    return isinstance(kind, UnionOf) and Plain("None") in kind.members


def _result(
    operation: Operation, main: Outcome | None, more: dict[str, set[str]], models: list[Model]
) -> tuple[str, list[str]]:
    """The type of what the stub returns, and its lines."""
    key = literal(operation.function)
    if main is not None and main.type is None:
        return "None", []
    if main is None or main.type is None:
        more.setdefault("brrtrouter", set()).add("Response")
        more.setdefault("EXAMPLES", set()).add("example_response")
        return "Response", [f"    return example_response({key})"]
    models += models_in(main.type)
    kind = spelled(main.type)
    more.setdefault("EXAMPLES", set()).add("example")
    if _is_class(main.type) or main.type == ANY:
        return kind, bracketed("return example(", [key, kind], ")", "    ")
    return kind, [*bracketed(f"answer: {kind} = example(", [key, kind], ")", "    "), "    return answer"]


def _is_class(kind: Type) -> bool:
    """Whether a type can be given where a class is expected."""
    if isinstance(kind, Named):
        return isinstance(kind.model, Struct)
    return isinstance(kind, (ListOf, MapOf)) or (isinstance(kind, Plain) and kind.text not in ("Any", "None"))


def answers_file(project: Project) -> str:
    """The classes of answers, by status and type."""
    found = sorted(
        (each for each in project.answers.values() if is_answer(each)), key=lambda each: (each.status, each.name)
    )
    body: list[str] = []
    models: list[Model] = []
    for outcome in found:
        kind = "None" if outcome.type is None else spelled(outcome.type)
        models += models_in(outcome.type) if outcome.type is not None else []
        body += ["", "", *bracketed(f"class {outcome.name}(", [f"Answer[{kind}]", f"status={outcome.status}"], "):")]
        body.append(f'    """Status {outcome.status}."""')
    top = [
        '"""Answers with a status of their own: return `NotFound(problem)` where the usual answer does not fit."""',
        "",
    ]
    if not found:
        return joined(top)
    more = {f"{project.package}.binding": {"Answer"}}
    return joined(
        [*top, "from __future__ import annotations", "", *header(project, "\n".join(body), models, more=more), *body]
    )


def registry_file(project: Project) -> str:
    """The table of handlers, by the names that the description gives them."""
    found: dict[str, Operation] = {}
    for operation in project.operations:
        found.setdefault(operation.spec.handler, operation)
    more: dict[str, set[str]] = {"collections.abc": {"Callable"}}
    body = ["HANDLERS: dict[str, Callable[..., Any]] = {"]
    for name, operation in found.items():
        if operation.plain_request or operation.spec.websocket:
            body.append(f"    {literal(name)}: {operation.function},")
            continue
        needed = more.setdefault(f"{project.package}.binding", {"bind"})
        if operation.arguments or operation.payload is not None:
            needed.add("Argument")
        body += [f"    {literal(name)}: bind(", f"        {operation.function},"]
        for each in operation.arguments:
            parts = map(literal, (each.name, each.location, each.wire))
            body += bracketed("Argument(", list(parts), "),", "        ")
        body += ['        Argument("body", "body"),'] if operation.payload is not None else []
        body.append("    ),")
    body = [*body, "}"] if found else ["HANDLERS: dict[str, Callable[..., Any]] = {}"]
    for operation in found.values():
        more[f"{project.package}.handlers.{operation.module}.{operation.function}"] = {operation.function}
    imported = header(project, "\n".join(body), (), more=more)
    top = '"""The handlers, by the names of their operations, and where their arguments come from."""'
    return joined([top, "", "from __future__ import annotations", "", *imported, "", *body])


__all__ = ["answers_file", "handler_files", "registry_file"]
