"""A client as Python source: a class for each tag, sync and async, and one of all of them."""

from __future__ import annotations

from importlib.resources import files as resources
from string import Template

from brrtrouter.codegen.files import File
from brrtrouter.codegen.handlers import optional
from brrtrouter.codegen.ir import Model, Operation, Outcome, Project, models_in, spelled
from brrtrouter.codegen.models import header
from brrtrouter.codegen.names import Scope
from brrtrouter.codegen.text import WIDTH, bracketed, docstring, joined, literal, union
from brrtrouter.spec import model as spec

_RUNTIME = "brrtrouter.client"


def client_files(project: Project) -> list[File]:
    """The files of the client and of its tests."""
    package = project.package
    errors = _errors(project)
    found = [File(f"{package}/client/errors.py", _errors_file(project, errors).encode(), "client")]
    for module in project.modules:
        operations = [each for each in project.operations if each.module == module and not each.spec.websocket]
        text = _module(project, module, operations, errors)
        found.append(File(f"{package}/client/{_file(module)}.py", text.encode(), "client"))
    found.append(File(f"{package}/client/__init__.py", _index(project).encode(), "client"))
    template = (resources("brrtrouter.codegen") / "templates" / "test_client.py.txt").read_text("utf-8")
    found.append(File("tests/test_client.py", Template(template).substitute(package=package).encode(), "client"))
    return found


def _file(module: str) -> str:
    return f"{module}_calls"


def _class(module: str) -> str:
    return "".join(word.title() for word in module.split("_")) + "Calls"


def _is_error(outcome: Outcome) -> bool:
    return bool(outcome.name) and not outcome.status.startswith("2")


def _errors(project: Project) -> dict[str, str]:
    """The name of an exception for each kind of answer that is no success."""
    scope = Scope(frozenset({"ApiError"}))
    names = sorted({each.name for operation in project.operations for each in operation.outcomes if _is_error(each)})
    return {name: scope.claim(name if name.endswith("Error") else f"{name.rstrip('_')}Error") for name in names}


def _errors_file(project: Project, errors: dict[str, str]) -> str:
    top = ['"""Answers that are no success: each is raised with its `status` and its `value`."""', ""]
    body: list[str] = []
    models: list[Model] = []
    for name, error in sorted(errors.items(), key=lambda pair: pair[1]):
        outcome = project.answers[name]
        kind = "None" if outcome.type is None else spelled(outcome.type)
        models += models_in(outcome.type) if outcome.type is not None else []
        body += [
            "",
            "",
            *bracketed(f"class {error}(", [f"ApiError[{kind}]"], "):"),
            f'    """Status {outcome.status}."""',
        ]
    if not body:
        return joined(top)
    imported = header(project, "\n".join(body), models, more={_RUNTIME: {"ApiError"}})
    return joined([*top, "from __future__ import annotations", "", *imported, *body])


def _index(project: Project) -> str:
    schemes = project.description.security_schemes
    lines = ["SCHEMES: dict[str, ApiKey | Authorization] = {"]
    for name, scheme in schemes.items():
        if scheme.type == "apiKey":
            made = f"ApiKey({literal(scheme.location)}, {literal(scheme.parameter)})"
        else:
            made = f"Authorization({literal(scheme.http_scheme.title() if scheme.type == 'http' else 'Bearer')})"
        lines.append(f"    {literal(name)}: {made},")
    lines = [*lines, "}"] if schemes else ["SCHEMES: dict[str, ApiKey | Authorization] = {}"]
    runtime = {"ApiKey", "AsyncCaller", "Authorization", "Caller"}
    more: dict[str, set[str]] = {_RUNTIME: runtime}
    for module in project.modules:
        more[f"{project.package}.client.{_file(module)}"] = {_class(module), f"Async{_class(module)}"}
    for prefix, base in (("", "Caller"), ("Async", "AsyncCaller")):
        bases = [*(f"{prefix}{_class(module)}" for module in project.modules), base]
        doc = f'    """{"Awaits" if prefix else "Waits for"} the answers of {project.package}; see `{base}`."""'
        lines += ["", "", *bracketed(f"class {prefix}Client(", bases, "):"), doc, "", "    schemes = SCHEMES"]
    imported = header(project, "\n".join(lines), (), more=more)
    top = ['"""A client: `Client` waits, `AsyncClient` awaits; both have a method for each operation."""', ""]
    names = ["", "", '__all__ = ["SCHEMES", "AsyncClient", "Client"]']
    return joined([*top, "from __future__ import annotations", "", *imported, "", *lines, *names])


def _module(project: Project, module: str, operations: list[Operation], errors: dict[str, str]) -> str:
    calls: list[str] = []
    classes: list[str] = []
    models: list[Model] = []
    aliases: list[str] = []
    runtime = {"Caller", "AsyncCaller", *(["Call"] if operations else [])}
    for operation in operations:
        calls += ["", *_call(operation, errors, runtime)]
        models += [m for each in operation.arguments for m in models_in(each.type)]
        models += [m for each in operation.outcomes if each.type is not None for m in models_in(each.type)]
        models += list(models_in(operation.payload.type)) if operation.payload is not None else []
    for prefix, base in (("", "Caller"), ("Async", "AsyncCaller")):
        classes += ["", "", f"class {prefix}{_class(module)}({base}):"]
        classes += [f'    """The operations in `{module}`."""']
        for operation in operations:
            method, alias = _method(operation, bool(prefix))
            classes += ["", *method]
            aliases += alias if not prefix else []
    body = [*calls, *aliases, *classes]
    raised = {errors[each.name] for operation in operations for each in operation.outcomes if each.name in errors}
    more = {_RUNTIME: runtime, **({f"{project.package}.client.errors": raised} if raised else {})}
    imported = header(project, "\n".join(body), models, more=more)
    return joined(
        [
            f'"""Calls of the operations in `{module}`."""',
            "",
            "from __future__ import annotations",
            "",
            *imported,
            *body,
        ]
    )


# -- calls -----------------------------------------------------------------------------------------------------


def _constant(operation: Operation) -> str:
    return f"_{operation.function.strip('_').upper()}"


def _call(operation: Operation, errors: dict[str, str], runtime: set[str]) -> list[str]:
    """The table of an operation."""
    found = operation.spec
    lines = [f"{_constant(operation)} = Call(", f"    {literal(found.method)},", f"    {literal(found.path)},"]
    if operation.arguments:
        runtime.add("Parameter")
        lines += _list("parameters", [_parameter(each.parameter, "        ") for each in operation.arguments])
    if operation.payload is not None:
        runtime.add("Payload")
        lines += _payload(operation.payload.media, operation.payload.kind, operation.payload.required, runtime)
    if operation.outcomes:
        runtime.add("Answer")
        lines += _list("answers", [_answer(each, errors) for each in operation.outcomes])
    if any(found.security):
        ways = [_names(tuple(need.scheme for need in way)) for way in found.security]
        lines += _list("security", [[f"        {way},"] for way in ways])
    return [*lines, ")"]


def _list(name: str, items: list[list[str]]) -> list[str]:
    return [f"    {name}=[", *(line for item in items for line in item), "    ],"]


def _names(names: tuple[str, ...]) -> str:
    return f"({', '.join(map(literal, names))}{',' if len(names) == 1 else ''})"


def _parameter(parameter: spec.Parameter, indent: str) -> list[str]:
    parts = [literal(parameter.name), literal(parameter.location)]
    parts += [f"style={literal(parameter.style)}"] if parameter.style != "form" else []
    parts += ["explode=False"] if not parameter.explode else []
    parts += [f"shape={literal(parameter.shape)}"] if parameter.shape != "scalar" else []
    parts += ["allow_reserved=True"] if parameter.allow_reserved else []
    parts += ["nested=True"] if parameter.nested is not None else []
    for name, inner in (("fields", parameter.fields), ("readings", parameter.readings)):
        if inner:
            return _nested_parameter(parts, name, inner, indent)
    return bracketed("Parameter(", parts, "),", indent)


def _nested_parameter(parts: list[str], name: str, inner: tuple[spec.Parameter, ...], indent: str) -> list[str]:
    lines = [f"{indent}Parameter(", *(f"{indent}    {part}," for part in parts), f"{indent}    {name}=["]
    for each in inner:
        lines += _parameter(each, indent + "        ")
    return [*lines, f"{indent}    ],", f"{indent}),"]


def _payload(media: spec.MediaType, kind: str, required: bool, runtime: set[str]) -> list[str]:
    essence = (
        media.essence if "*" not in media.essence else "application/octet-stream" if kind == "bytes" else "text/plain"
    )
    parts = [literal(essence), literal(kind), *(["required=False"] if not required else [])]
    form = media.reading.forms.get("urlencoded") if kind == "form" else None
    if form is None or not form.pairs:
        return bracketed("payload=Payload(", parts, "),", "    ")
    runtime.add("Parameter")
    lines = ["    payload=Payload(", *(f"        {part}," for part in parts), "        fields=["]
    for each in form.pairs:
        lines += _parameter(each, "            ")
    return [*lines, "        ],", "    ),"]


def _answer(outcome: Outcome, errors: dict[str, str]) -> list[str]:
    parts = [literal(outcome.status), literal(outcome.kind)]
    parts += [spelled(outcome.type)] if outcome.kind == "json" and outcome.type is not None else []
    parts += [f"error={errors[outcome.name]}"] if outcome.name in errors else []
    return bracketed("Answer(", parts, "),", "        ")


# -- methods ---------------------------------------------------------------------------------------------------


def _method(operation: Operation, is_async: bool) -> tuple[list[str], list[str]]:
    """The lines of a method, and of the alias for its result, if that is long."""
    required, maybe = ["self"], []
    for each in operation.arguments:
        if each.required or each.location == "path":
            required.append(f"{each.name}: {spelled(each.type)}")
        else:
            maybe.append(f"{each.name}: {optional(each.type)} = None")
    payload = operation.payload
    if payload is not None and payload.required:
        required.append(f"body: {spelled(payload.type)}")
    elif payload is not None:
        maybe.append(f"body: {optional(payload.type)} = None")
    results = list(
        dict.fromkeys(_result(each) for each in operation.outcomes if each.name not in _error_names(operation))
    )
    shown = "Any" if "Any" in results else " | ".join(sorted(results, key=lambda each: each == "None"))
    shown = shown or ("Any" if not operation.outcomes else "None")
    alias: list[str] = []
    if len(shown) > 80:
        name = f"{operation.function.title().replace('_', '')}Answers"
        alias = ["", *union(f"{name}: TypeAlias = ", sorted(results, key=lambda each: each == "None"))]
        shown = name
    word, wait = ("async def", "await ") if is_async else ("def", "")
    lines = bracketed(f"{word} {operation.function}(", required + maybe, f") -> {shown}:", "    ")
    lines += docstring(f"{operation.title}: {operation.doc.splitlines()[0]}", "        ")
    values = ", ".join(each.name for each in operation.arguments)
    values = f"({values}{',' if len(operation.arguments) == 1 else ''})"
    body = ["body"] if payload is not None else []
    parts = [_constant(operation), *([values] if operation.arguments or body else []), *body]
    if shown == "None":
        return [*lines, *_wrapped(f"{wait}self._call(", parts)], alias
    return [*lines, *_wrapped(f"answer: {shown} = {wait}self._call(", parts), "        return answer"], alias


def _wrapped(head: str, parts: list[str]) -> list[str]:
    """The call on one line, or on three, or with its values one for each line."""
    line = f"        {head}{', '.join(parts)})"
    if len(line) <= WIDTH:
        return [line]
    lines = [f"        {head}"]
    for part in parts:
        if len(part) + 13 <= WIDTH:
            lines.append(f"            {part},")
        else:
            lines += [
                "            (",
                *(f"                {each}," for each in part[1:-1].split(", ")),
                "            ),",
            ]
    return [*lines, "        )"]


def _error_names(operation: Operation) -> set[str]:
    return {each.name for each in operation.outcomes if _is_error(each)}


def _result(outcome: Outcome) -> str:
    return "None" if outcome.type is None else spelled(outcome.type)
