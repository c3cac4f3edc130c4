"""From an operation to what answers it: kinds of callables, look-up by name, registration, and the pool of threads."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import itertools
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from brrtrouter import App, HandlerError, Request, Response, handler
from brrtrouter.core.service import Mode
from brrtrouter.dispatch.kinds import mode_of
from brrtrouter.dispatch.pool import Pool
from brrtrouter.dispatch.registry import Registry, import_module, snake_case
from brrtrouter.testing import TestClient


def operation(name: str | None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"responses": {"200": {"description": ""}}, **more}
    return found if name is None else {**found, "operationId": name}


def document(**operations: dict[str, Any]) -> dict[str, Any]:
    """GET /<key> for each operation."""
    paths = {f"/{key}": {"get": each} for key, each in operations.items()}
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths}


PETS = document(pets=operation("getPets"))


def answer(handlers: Any, path: str = "/pets", doc: dict[str, Any] = PETS) -> Any:
    with TestClient(App(doc, handlers)) as client:
        return client.get(path)


# -- kinds: what the code of a callable can do


def plain(request: Any) -> Any:
    return None


def makes_a_coroutine(request: Any) -> Any:
    return never_suspends(request)


def generator(request: Any) -> Any:
    yield 1


async def async_generator(request: Any) -> Any:
    yield 1


async def never_suspends(request: Any) -> Any:
    return [n + 1 for n in range(3)]


async def defines_more(request: Any) -> Any:
    async def inner() -> None:
        await asyncio.sleep(0)

    return inner


async def awaits(request: Any) -> Any:
    await asyncio.sleep(0)


async def awaits_in_a_branch(request: Any) -> Any:
    if request is None:
        return await asyncio.sleep(0)
    return 1


async def awaits_in_a_comprehension(request: Any) -> Any:
    return [await each for each in request]


async def iterates(request: Any) -> Any:
    async for _ in request:
        pass


async def iterates_in_a_comprehension(request: Any) -> Any:
    return [each async for each in request]


async def enters(request: Any) -> Any:
    async with request:
        pass


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(request: Any) -> Any:
        return await function(request)

    return wrapper


def decorated_plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(request: Any) -> Any:
        return function(request)

    return wrapper


class Callables:
    async def method(self, request: Any) -> Any:
        return None

    @staticmethod
    async def static(request: Any) -> Any:
        await asyncio.sleep(0)

    @classmethod
    async def of_class(cls, request: Any) -> Any:
        return None

    def plain(self, request: Any) -> Any:
        return None

    async def __call__(self, request: Any) -> Any:
        await asyncio.sleep(0)


class CallableInline:
    async def __call__(self, request: Any) -> Any:
        return None


class CallablePlain:
    def __call__(self, request: Any) -> Any:
        return None


@pytest.mark.parametrize(
    ("function", "mode"),
    [
        (plain, Mode.SYNC),
        (makes_a_coroutine, Mode.SYNC),
        (generator, Mode.SYNC),
        (async_generator, Mode.SYNC),
        (lambda request: None, Mode.SYNC),
        (print, Mode.SYNC),
        (dict, Mode.SYNC),
        (functools.partial(plain), Mode.SYNC),
        (Callables().plain, Mode.SYNC),
        (CallablePlain(), Mode.SYNC),
        (decorated_plainly(awaits), Mode.SYNC),
        (never_suspends, Mode.INLINE),
        (defines_more, Mode.INLINE),
        (functools.partial(never_suspends), Mode.INLINE),
        (functools.partial(functools.partial(never_suspends)), Mode.INLINE),
        (Callables().method, Mode.INLINE),
        (Callables.of_class, Mode.INLINE),
        (functools.partial(Callables.method, None), Mode.INLINE),
        (CallableInline(), Mode.INLINE),
        (CallableInline().__call__, Mode.INLINE),
        (functools.partial(CallableInline()), Mode.INLINE),
        (awaits, Mode.TASK),
        (awaits_in_a_branch, Mode.TASK),
        (awaits_in_a_comprehension, Mode.TASK),
        (iterates, Mode.TASK),
        (iterates_in_a_comprehension, Mode.TASK),
        (enters, Mode.TASK),
        (functools.partial(awaits), Mode.TASK),
        (Callables.static, Mode.TASK),
        (Callables(), Mode.TASK),
        (functools.partial(Callables()), Mode.TASK),
        (decorated(never_suspends), Mode.TASK),
    ],
)
def test_the_kind_of_a_callable_is_what_its_code_can_do(function: Any, mode: Mode) -> None:
    assert mode_of(function) is mode


@pytest.mark.skipif(sys.version_info < (3, 12), reason="markcoroutinefunction is new in Python 3.12")
def test_a_function_that_is_only_marked_as_a_coroutine_function_may_suspend() -> None:
    import inspect

    assert mode_of(inspect.markcoroutinefunction(makes_a_coroutine)) is Mode.TASK  # type: ignore[attr-defined]


async def who(request: Request) -> Any:
    return {"thread": threading.current_thread() is threading.main_thread(), "task": asyncio.current_task() is not None}


async def who_waits(request: Request) -> Any:
    await asyncio.sleep(0)
    return await who(request)


def who_plainly(request: Request) -> Any:
    return {"thread": threading.current_thread() is threading.main_thread(), "task": False}


@pytest.mark.parametrize(
    ("function", "inline", "on_loop", "kind"),
    [
        (who_plainly, False, False, "thread"),
        (who_plainly, True, True, "inline"),
        (who, False, True, "async, never suspends"),
        (who_waits, False, True, "async"),
    ],
)
def test_plain_functions_run_in_threads_and_the_others_on_the_loop(
    function: Any, inline: bool, on_loop: bool, kind: str
) -> None:
    app = App(PETS)
    app.register("getPets", function, inline=inline)
    with TestClient(app) as client:
        assert client.get("/pets").json()["thread"] is on_loop
    assert [route.kind for route in app.routes] == [kind]


def test_a_handler_that_suspends_has_a_task_of_its_own() -> None:
    assert answer({"getPets": who_waits}).json()["task"] is True


@pytest.mark.parametrize("function", [who, who_waits])
def test_a_plain_decorator_of_an_async_handler_works(function: Any) -> None:
    response = answer({"getPets": decorated_plainly(function)})
    assert (response.status, response.json()["thread"]) == (200, True)


def test_an_asynchronous_generator_is_a_stream_and_needs_no_thread() -> None:
    async def items(request: Request) -> Any:
        yield threading.current_thread().name.encode()

    app = App(PETS, {"getPets": items})
    assert TestClient(app).get("/pets").content == threading.main_thread().name.encode()
    assert [route.kind for route in app.routes] == ["stream"]


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


# -- the pool


def test_what_waits_beyond_the_bound_is_refused_at_once() -> None:
    release = threading.Event()
    pool = Pool(1, 1)
    call = pool.wrap(lambda request: release.wait(10))

    async def load() -> list[Any]:
        first = [asyncio.ensure_future(call(None)) for _ in range(2)]  # type: ignore[arg-type]
        await asyncio.sleep(0)
        refused = await call(None)  # type: ignore[arg-type]
        release.set()
        done = await asyncio.gather(*first)
        return [refused, *done, await call(None)]  # type: ignore[arg-type]

    refused, *rest = asyncio.run(load())
    assert isinstance(refused, Response)
    assert (refused.status, refused.headers) == (503, {"Retry-After": "1"})
    assert rest == [True, True, True], "places are given back"
    pool.close()


def test_a_place_is_given_back_by_the_thread_and_not_by_who_waits_for_it() -> None:
    started, release = threading.Event(), threading.Event()
    pool = Pool(1, 0)

    def work(request: Any) -> None:
        started.set()
        release.wait(10)

    async def cancel() -> list[Any]:
        call = pool.wrap(work)
        waiting = asyncio.ensure_future(call(None))  # type: ignore[arg-type]
        await asyncio.get_running_loop().run_in_executor(None, started.wait, 10)
        waiting.cancel()
        await asyncio.wait([waiting])
        refused = await call(None)  # type: ignore[arg-type]
        release.set()
        pool._executor.shutdown()  # type: ignore[union-attr]
        pool.close()
        return [refused.status, await call(None)]  # type: ignore[arg-type]

    assert asyncio.run(cancel()) == [503, None]
    pool.close()


def test_the_bound_comes_from_the_configuration() -> None:
    app = App(PETS, {"getPets": plain}, {"limits": {"handler_threads": 1, "handler_queue": 0}})
    with TestClient(app) as client:
        assert [client.get("/pets").status for _ in range(3)] == [204] * 3


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def test_context_variables_reach_the_thread_and_stay_there() -> None:
    class Sets:
        async def around(self, request: Request, call_next: Any) -> Any:
            variable.set("from middleware")
            response = await call_next(request)
            response.add_header("X-After", variable.get())
            return response

    def reads(request: Request) -> str:
        found = variable.get()
        variable.set("from the thread")
        return found

    with TestClient(App(PETS, {"getPets": reads}, middleware=[Sets()])) as client:
        response = client.get("/pets")
    assert (response.json(), response.headers["x-after"]) == ("from middleware", "from middleware")


@pytest.mark.parametrize("error", [StopIteration(5), SystemExit(3), GeneratorExit(), KeyError("x")], ids=repr)
@pytest.mark.parametrize("inline", [False, True])
def test_whatever_a_plain_handler_raises_is_500(error: BaseException, inline: bool) -> None:
    def fails(request: Request) -> None:
        raise error

    app = App(PETS)
    app.register("getPets", fails, inline=inline)
    with TestClient(app) as client:
        assert [client.get("/pets").status for _ in range(2)] == [500, 500]


def test_the_pool_may_be_used_again_after_it_was_closed() -> None:
    app = App(PETS, {"getPets": lambda request: threading.current_thread().name})
    client = TestClient(app)
    for _ in range(2):
        assert client.get("/pets").json().startswith("brrtrouter-handler")
        app.close()
    app.close()
