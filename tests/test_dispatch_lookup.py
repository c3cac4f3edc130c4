"""Handlers by name: look-up in mappings, objects and modules, and registration at run time."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from dispatch_support import PETS, answer, document, operation, plain, who, who_plainly

from brrtrouter import App, HandlerError, Request, handler
from brrtrouter.dispatch.registry import Registry, import_module, snake_case
from brrtrouter.testing import TestClient

# -- look-up


@pytest.mark.parametrize(
    ("name", "python"),
    [
        ("getPet", "get_pet"),
        ("GetPetByID", "get_pet_by_id"),
        ("getHTTPServer2x", "get_http_server2x"),
        ("repos/get-content", "repos_get_content"),
        ("a.b:c d", "a_b_c_d"),
        ("already_snake", "already_snake"),
        ("--x--", "x"),
    ],
)
def test_the_python_name_of_an_operation(name: str, python: str) -> None:
    assert snake_case(name) == python


def module_with(**members: Any) -> ModuleType:
    module = ModuleType("pets_module")
    vars(module).update(members)
    return module


def found_by(number: int) -> Callable[[Request], Awaitable[int]]:
    async def found(request: Request) -> int:
        return number

    return found


SOURCES: list[Callable[..., Any]] = [
    dict,
    module_with,
    SimpleNamespace,
    lambda **members: type("Api", (), {name: staticmethod(member) for name, member in members.items()})(),
]


@pytest.mark.parametrize("source", SOURCES)
def test_a_handler_is_found_by_its_exact_name_then_in_snake_case(source: Callable[..., Any]) -> None:
    one, two = found_by(1), found_by(2)
    assert answer(source(getPets=one, get_pets=two)).json() == 1
    assert answer(source(get_pets=two)).json() == 2
    assert answer(source(getpets=two)).status == 501


def test_a_mark_beats_a_name_and_a_registration_beats_both() -> None:
    marked = handler("getPets")(found_by(3))
    source = module_with(getPets=found_by(1), anything=marked)
    assert answer(source).json() == 3
    app = App(PETS, source)
    app.handler("getPets")(found_by(4))
    assert TestClient(app).get("/pets").json() == 4
    assert [route.reason for route in app.routes] == ["registered"]


def test_handlers_may_be_methods_marked_or_by_name() -> None:
    class Api:
        def __init__(self, value: int) -> None:
            self.value = value

        @handler("getPets")
        async def named_otherwise(self, request: Request) -> int:
            return self.value

        async def get_dogs(self, request: Request) -> int:
            return self.value + 1

    doc = document(pets=operation("getPets"), dogs=operation("getDogs"))
    assert answer(Api(7), "/pets", doc).json() == 7
    assert answer(Api(7), "/dogs", doc).json() == 8


def test_a_mark_without_a_name_takes_that_of_the_function_and_may_say_inline() -> None:
    @handler
    async def get_pets(request: Request) -> int:
        return 1

    @handler(inline=True)
    def get_dogs(request: Request) -> Any:
        return threading.current_thread() is threading.main_thread()

    doc = document(pets=operation("getPets"), dogs=operation("getDogs"))
    source = module_with(get_pets=get_pets, get_dogs=get_dogs)
    assert answer(source, "/pets", doc).json() == 1
    assert answer(source, "/dogs", doc).json() is True


def test_the_reasons_say_where_a_handler_was_found() -> None:
    doc = document(
        a=operation("getA"), b=operation("getB"), c=operation("getC"), d=operation("getD"), e=operation("getE")
    )
    source = module_with(getA=found_by(1), get_b=found_by(2), x=handler("getC")(found_by(3)))
    app = App(doc, source)
    app.register("getD", found_by(4))
    assert [(route.handler, route.reason) for route in app.routes] == [
        ("getA", "getA in pets_module"),
        ("getB", "get_b in pets_module"),
        ("getC", "marked with @handler in pets_module"),
        ("getD", "registered"),
        ("getE", "missing: answered with 501"),
    ]
    assert app.missing == ["getE"]
    assert TestClient(app).get("/e").json()["detail"] == "the operation has no handler 'getE' yet"


def test_extensions_name_the_handler_before_the_operation_id() -> None:
    doc = document(a=operation("getA", **{"x-handler-python": "other"}), b=operation(None, **{"x-handler": "another"}))
    app = App(doc, {"other": found_by(1), "another": found_by(2), "getA": found_by(3)})
    client = TestClient(app)
    assert (client.get("/a").json(), client.get("/b").json()) == (1, 2)
    assert app.unused == ["getA"]


def test_private_names_and_imported_modules_are_no_handlers() -> None:
    doc = document(a=operation("_hidden"), b=operation("json"), c=operation("__init__"))
    source = module_with(_hidden=found_by(1), json=sys)
    assert App(doc, source).missing == ["_hidden", "json", "__init__"]


@pytest.mark.parametrize("source", SOURCES[:3])
def test_what_cannot_be_a_handler_is_refused_by_name(source: Callable[..., Any]) -> None:
    with pytest.raises(HandlerError, match="the handler 'getPets' is not callable but int"):
        _ = App(PETS, source(getPets=5)).service
    with pytest.raises(HandlerError, match="'getPets' cannot be called with one argument, the request: missing"):
        _ = App(PETS, source(get_pets=lambda request, other: None)).service
    with pytest.raises(HandlerError, match="'getPets' cannot be called with one argument"):
        App(PETS).register("getPets", lambda: None)


def test_two_handlers_marked_alike_are_refused() -> None:
    source = module_with(a=handler("getPets")(found_by(1)), b=handler("getPets")(found_by(2)))
    with pytest.raises(HandlerError, match="pets_module has two handlers that are marked as 'getPets'"):
        App(PETS, source)
    twice = handler("getPets")(found_by(1))
    assert answer(module_with(a=twice, b=twice)).json() == 1


def test_names_that_no_operation_has_are_listed() -> None:
    registry = Registry({"getPets": plain, "get_pets": plain, "getPest": plain})
    registry.register("gone", plain)
    assert registry.unused({"getPets"}) == ["getPest", "gone"]
    marked = Registry(module_with(misspelt=handler(found_by(1)), helper=plain))
    assert marked.unused({"getPets"}) == ["misspelt"]


# -- modules


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    known = dict(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield tmp_path
    for name in set(sys.modules) - set(known):
        del sys.modules[name]


def test_a_module_is_imported_by_name_from_the_current_folder(folder: Path) -> None:
    (folder / "pkg_here").mkdir()
    (folder / "pkg_here" / "__init__.py").touch()
    (folder / "pkg_here" / "pets.py").write_text("async def get_pets(request): return 'by name'")
    assert answer("pkg_here.pets").json() == "by name"


@pytest.mark.parametrize("kind", [str, Path])
def test_a_module_is_imported_by_path_and_finds_its_neighbours(folder: Path, kind: Any) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "neighbour_of_pets.py").write_text("VALUE = 'by path'")
    file = folder / "inner" / f"pets_{kind.__name__}.py"
    file.write_text("from neighbour_of_pets import VALUE\nasync def get_pets(request): return VALUE")
    assert answer(kind(file)).json() == "by path"
    assert import_module(str(file)) is import_module(str(file)), "imported once"


def test_a_path_means_that_file_even_when_another_module_has_its_name(folder: Path) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "json.py").write_text(f"async def get_pets(request): return {name!r}")
        (folder / name / "same_name.py").write_text(f"async def get_pets(request): return {name!r}")
    for file, name in itertools.product(("json.py", "same_name.py"), ("one", "two")):
        assert answer(str(folder / name / file)).json() == name


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("nowhere_at_all", None, "cannot import nowhere_at_all: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("nowhere.py", None, "handlers: nowhere.py: no such file"),
        ("raises.py", "\n1 / 0", r"cannot import raises.py: .*raises.py:2: ZeroDivisionError: division by zero"),
        ("syntax.py", "def", r"cannot import syntax.py: SyntaxError: .*\(syntax.py, line 1\)"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_the_line(
    folder: Path, name: str, text: str | None, words: str
) -> None:
    if text is not None:
        (folder / name).write_text(text)
    for _ in range(2):  # a module that failed is not taken for imported
        with pytest.raises(HandlerError, match=words):
            App(PETS, name)


# -- registration at run time


def test_a_handler_is_registered_and_replaced_while_the_app_answers() -> None:
    app = App(document(a=operation("getA"), b=operation("getB")))
    client = TestClient(app)
    assert client.get("/a").status == 501
    app.register("getA", found_by(1))
    assert client.get("/a").json() == 1

    @app.handler("getA")
    async def later(request: Request) -> int:
        return 2

    assert later.__name__ == "later"
    assert client.get("/a").json() == 2
    assert client.get("/b").status == 501
    assert [route.reason for route in app.routes] == ["registered", "missing: answered with 501"]


def test_a_replacement_may_be_of_another_kind_and_forgets_inline() -> None:
    app = App(PETS)
    client = TestClient(app)
    for function, inline, kind in (
        (who_plainly, True, "inline"),
        (who_plainly, False, "thread"),
        (who, False, "async"),
    ):
        app.register("getPets", function, inline=inline)
        assert client.get("/pets").status == 200
        assert app.routes[0].kind.startswith(kind)


def test_a_registration_answers_for_every_operation_of_the_name() -> None:
    doc = document(a=operation(None, **{"x-handler": "both"}), b=operation(None, **{"x-handler": "both"}))
    app = App(doc)
    client = TestClient(app)
    assert client.get("/a").status == 501
    app.register("both", found_by(1))
    assert [client.get(path).json() for path in ("/a", "/b")] == [1, 1]


def test_a_name_that_no_operation_has_is_refused() -> None:
    with pytest.raises(HandlerError, match="document has no operation with the handler 'get_pets'"):
        App(PETS).register("get_pets", plain)
