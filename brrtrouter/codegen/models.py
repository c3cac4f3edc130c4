"""Models as Python source: a `msgspec.Struct` for each object, a type alias for each choice that has a name."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator

from brrtrouter.codegen.ir import (
    NONE,
    Alias,
    LiteralOf,
    Member,
    Model,
    Named,
    Project,
    Struct,
    Type,
    UnionOf,
    models_in,
    spelled,
)
from brrtrouter.codegen.operations import parts_of, reached
from brrtrouter.codegen.text import (
    WIDTH,
    assigned,
    bracketed,
    comment,
    docstring,
    imports,
    joined,
    literal,
    natural,
    union,
)
from brrtrouter.spec.model import MISSING


def model_files(project: Project) -> Iterator[tuple[str, str]]:
    """The path below the package and the text of each module of models."""
    by_module: dict[str, list[Model]] = {}
    for model in reached(project):
        by_module.setdefault(model.module, []).append(model)
    for module, models in by_module.items():
        yield f"models/{module}.py", _module(project, module, models)
    yield "models/__init__.py", _index(by_module, project)


def _index(by_module: dict[str, list[Model]], project: Project) -> str:
    lines = ['"""The models of all operations."""', ""]
    for module in sorted(by_module, key=natural):
        lines += imports(f"{project.package}.models.{module}", [each.name for each in by_module[module]])
    names = sorted(each.name for models in by_module.values() for each in models)
    lines += [""] if by_module else []
    lines += ["__all__ = [", *(f'    "{name}",' for name in names), "]"] if names else ["__all__: list[str] = []"]
    return joined(lines)


def _module(project: Project, module: str, models: list[Model]) -> str:
    structs = [each for each in models if isinstance(each, Struct)]
    aliases = list(_in_order([each for each in models if isinstance(each, Alias)]))
    body: list[str] = []
    for struct in structs:
        body += ["", "", *_struct(struct)]
    body += [""] if aliases and structs else []
    for alias in aliases:
        body += ["", *_alias(alias)]
    what = "several tags" if module == "shared" else f"the operations in `{module}`"
    lines = [f'"""Models of {what}."""', "", "from __future__ import annotations", ""]
    lines += header(project, "\n".join(body), [each for model in models for each in parts_of(model)], own=module)
    return joined([*lines, *body])


# What source needs when it has these words, in the order of the standard library and then of others.
_STANDARD = {
    "Annotated": "typing",
    "Any": "typing",
    "ClassVar": "typing",
    "Literal": "typing",
    "TypeAlias": "typing",
    "Decimal": "decimal",
    "UUID": "uuid",
}


def used(word: str, text: str) -> bool:
    """Whether source names something, outside of strings."""
    return re.search(rf"(?<![\w\"'.]){word}(?![\w\"'])", text) is not None


def header(
    project: Project, text: str, models: Iterable[Model], own: str = "", more: dict[str, set[str]] | None = None
) -> list[str]:
    """The imports that a module needs: `text` is its source, `models` what it names, `more` what it says itself."""
    standard: dict[str, set[str]] = {}
    third: dict[str, set[str]] = {}
    first: dict[str, set[str]] = {}
    code = _code_of(text)
    for name, module in _STANDARD.items():
        if used(name, code):
            standard.setdefault(module, set()).add(name)
    for name in ("UNSET", "UnsetType"):
        if used(name, code):
            third.setdefault("msgspec", set()).add(name)
    for model in models:
        if own != model.module or not own:
            first.setdefault(f"{project.package}.models" + (f".{model.module}" if own else ""), set()).add(model.name)
    tops = {project.package: first, "brrtrouter": third, "msgspec": third}
    for module, names in (more or {}).items():
        tops.get(module.partition(".")[0], standard).setdefault(module, set()).update(names)
    plain = ["import datetime as dt"] if used("dt", code) else []
    other = ["import msgspec"] if used("msgspec", code) else []
    lines: list[str] = []
    for straight, group in ((plain, standard), (other, third), ([], first)):
        found = [*straight]
        for module in sorted(group, key=natural):
            found += imports(module, list(group[module]))
        lines += [*found, ""] if found else []
    return lines[:-1]


def _code_of(text: str) -> str:
    """Source without docstrings, comments and strings, to look for names in."""
    kinds = (tokenize.NAME, tokenize.OP)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, IndentationError):
        return text
    return "".join(
        f"{token.string} " if token.type == tokenize.NAME else token.string for token in tokens if token.type in kinds
    ).replace(" .", ".")


def _struct(struct: Struct) -> list[str]:
    members = [each for each in struct.members if each.wire != struct.tag_field or not struct.tag_field]
    head = ["msgspec.Struct", "kw_only=True"]
    camel = any(each.name != each.wire for each in members) and all(_camel(each.name) == each.wire for each in members)
    head += ['rename="camel"'] if camel else []
    head += [f"tag_field={literal(struct.tag_field)}", f"tag={literal(struct.tag)}"] if struct.tag_field else []
    lines = bracketed(f"class {struct.name}(", head, "):")
    doc = docstring(struct.doc or f"`{struct.place or struct.name}`.", "    ")
    body: list[str] = []
    if struct.tag_field:
        name = next((each.name for each in struct.members if each.wire == struct.tag_field), "")
        if name:
            body += [f"    {name}: ClassVar[str | int] = {literal(struct.tag)}"]
    for member in members:
        body += _member(member, renamed=not camel and member.name != member.wire)
    return [*lines, *doc, *(["", *body] if doc and body else body)] if doc or body else [*lines, "    pass"]


def _camel(name: str) -> str:
    """The name as `rename="camel"` makes it; "" where that is not sure."""
    first, *others = name.split("_")
    if not all(each.isascii() and each.isalpha() for each in (first, *others)):
        return name if not others and name.isascii() and name.isalnum() else ""
    return first + "".join(each.title() for each in others)


def _member(member: Member, *, renamed: bool) -> list[str]:
    text = spelled(member.type)
    options: list[str] = []
    if not member.required:
        absent = member.default is MISSING
        text = f"{text} | UnsetType" if absent else text
        options.append("default=UNSET" if absent else f"default={literal(member.default)}")
    if renamed:
        options.append(f"name={literal(member.wire)}")
    value = ""
    if options:
        value = f"msgspec.field({', '.join(options)})" if renamed else options[0].removeprefix("default=")
    return [*comment(member.comment, "    "), *assigned(member.name, text, value, "    ")]


def _alias(alias: Alias) -> list[str]:
    head = f"{alias.name}: TypeAlias = "
    kind = alias.type
    doc = comment(alias.doc, "")
    members = [spelled(each) for each in kind.members] if isinstance(kind, UnionOf) else [spelled(kind)]
    constants = [each for each in kind.members if each != NONE] if isinstance(kind, UnionOf) else [kind]
    if len(constants) == 1 and isinstance(constants[0], LiteralOf) and len(head) + len(" | ".join(members)) > WIDTH:
        values = [literal(value) for value in constants[0].values] + (["None"] if kind is not constants[0] else [])
        return [*doc, *bracketed(f"{head}Literal[", values, "]")]
    return [*doc, *union(head, members)]


def _in_order(aliases: list[Alias]) -> Iterator[Alias]:
    """Aliases behind those that they are made of."""
    done: set[Alias] = set()
    todo = list(reversed(aliases))
    while todo:
        alias = todo.pop()
        if alias in done:
            continue
        needed = [
            each for each in _aliases_in(alias.type) if each not in done and each in aliases and each is not alias
        ]
        if needed:
            todo += [alias, *needed]
            continue
        done.add(alias)
        yield alias


def _aliases_in(kind: Type) -> list[Alias]:
    return [model for model in models_in(kind) if isinstance(model, Alias)]


__all__ = ["Named", "header", "model_files", "used"]
