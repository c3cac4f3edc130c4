"""Runs the routing tests of other frameworks with the compiled router inside, and without it.

    python ci/framework_suites.py                  all of them
    python ci/framework_suites.py starlette sanic

For each framework that is installed, the source distribution of the same version is fetched and its tests run twice in
a temporary folder: as they are, and with every application or router accelerated when it is made.  The table counts
both; tests that end in another way are listed, and make the exit status 1 unless they are known here with a reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = "accelerated_suite"
# The settings of a framework's own checkout ask for coverage, and make errors of warnings.
OVERRIDDEN = ("-o", "addopts=", "-o", "filterwarnings=default", "--continue-on-collection-errors")


@dataclass(frozen=True)
class Suite:
    """The tests of one framework.

    distribution: its name, which with the installed version leads to the source distribution.
    package: the folder in the distribution that is left out, so that the installed one is tested.
    tests: patterns of files and folders; needs: what they import beyond the framework, installed without dependencies.
    install: Python that makes the framework accelerate everything.
    counted: "module:Class.method" or "module:function" of an adapter; without calls of it the run proves nothing.
    known: the end of a test's name, and why it ends in another way.
    script: a program of the distribution that runs the tests with unittest, where pytest does not.
    """

    distribution: str
    package: str
    tests: tuple[str, ...]
    install: str
    counted: str
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    known: tuple[tuple[str, str], ...] = ()
    script: str = ""


STARLETTE = """
    from starlette.routing import Router
    from brrtrouter.adapters.starlette import accelerate

    plain = Router.__init__

    def initialize(self, *args, **options):
        plain(self, *args, **options)
        try:
            accelerate(self)
        except TypeError:
            pass

    Router.__init__ = initialize
"""
# Most of aiohttp's tests ask a router that is not frozen yet; here it is compiled anew for each request.
AIOHTTP = """
    from aiohttp.web_urldispatcher import UrlDispatcher
    from brrtrouter.adapters import aiohttp as adapter

    plain, resolve = UrlDispatcher.__init__, adapter.CompiledDispatcher.resolve

    def initialize(self):
        plain(self)
        if type(self) is UrlDispatcher:
            self.__class__ = adapter.CompiledDispatcher

    def compiled(self, request):
        self._narrowing = adapter._compile(self)
        return resolve(self, request)

    UrlDispatcher.__init__ = initialize
    adapter.CompiledDispatcher.resolve = compiled
"""
SANIC = """
    import sanic.app
    import sanic.router
    from brrtrouter.adapters.sanic import Router

    sanic.app.Router = sanic.router.Router = Router
"""
FALCON = """
    import falcon.routing
    from brrtrouter.adapters.falcon import Router

    falcon.routing.CompiledRouter = falcon.routing.DefaultRouter = Router
"""
WERKZEUG = """
    import werkzeug.routing
    from brrtrouter.adapters.werkzeug import Map

    werkzeug.routing.Map = werkzeug.routing.map.Map = Map
"""
FLASK = """
    from flask.sansio.app import App
    from brrtrouter.adapters.werkzeug import Map

    App.url_map_class = Map
"""
DJANGO = """
    from brrtrouter.adapters.django import accelerate

    accelerate()
"""
SUITES = {
    "starlette": Suite(
        "starlette", "starlette", ("tests",), STARLETTE, "brrtrouter.adapters._common:Narrowing.find",
        needs=("trio", "outcome", "sortedcontainers", "attrs", "sniffio", "idna", "httpx2", "httpcore2", "truststore",
               "python-multipart", "itsdangerous", "jinja2", "markupsafe"),
    ),
    "fastapi": Suite(
        "fastapi", "fastapi", ("tests/test_*.py",), STARLETTE, "brrtrouter.adapters._common:Narrowing.find",
        needs=("dirty-equals", "inline-snapshot", "asttokens", "executing", "rich", "markdown-it-py", "mdurl",
               "pygments", "httpx2", "httpcore2", "truststore", "python-multipart", "itsdangerous", "jinja2",
               "markupsafe", "orjson", "trio", "outcome", "sortedcontainers", "attrs", "sniffio", "idna"),
    ),
    "aiohttp": Suite(
        "aiohttp", "aiohttp",
        ("tests/test_urldispatch.py", "tests/test_web_urldispatcher.py", "tests/test_web_app.py",
         "tests/test_route_def.py", "tests/test_web_middleware.py"),
        AIOHTTP, "brrtrouter.adapters._common:Narrowing.find",
        needs=("re-assert", "regex", "pytest-mock"),
    ),
    "sanic": Suite(
        "sanic", "sanic",
        ("tests/test_routes.py", "tests/test_blueprints.py", "tests/test_url_building.py", "tests/test_views.py",
         "tests/test_versioning.py", "tests/test_static.py", "tests/test_vhosts.py", "tests/test_url_for.py"),
        SANIC, "brrtrouter.adapters._common:Narrowing.find",
        needs=("sanic-testing",),
    ),
    "falcon": Suite(
        "falcon", "falcon", ("tests",), FALCON, "brrtrouter.adapters.falcon:Router.find",
        needs=("pytest<9", "aiofiles"),
        options=("--ignore=tests/test_wsgi_servers.py", "--ignore=tests/asgi/test_asgi_servers.py"),
    ),
    "werkzeug": Suite(
        "werkzeug", "src/werkzeug", ("tests",), WERKZEUG, "brrtrouter.adapters.werkzeug:_Matcher.match",
        needs=("ephemeral-port-reserve", "pytest-timeout"),
        options=("--ignore=tests/test_serving.py",),
    ),
    "flask": Suite(
        "flask", "src/flask", ("tests",), FLASK, "brrtrouter.adapters.werkzeug:_Matcher.match",
        needs=("pytest<9",),
    ),
    "django": Suite(
        "django", "django",
        ("admin_custom_urls", "admin_docs", "asgi", "async", "check_framework", "contenttypes_tests", "csrf_tests",
         "flatpages_tests", "generic_views", "handlers", "i18n", "messages_tests", "middleware",
         "middleware_exceptions", "resolve_url", "shortcuts", "sitemaps_tests", "staticfiles_tests",
         "syndication_tests", "test_client", "test_client_regress", "urlpatterns", "urlpatterns_reverse",
         "view_tests", "wsgi"),
        DJANGO, "brrtrouter.adapters.django:_resolve",
        options=("--parallel=1", "--verbosity=0"), script="tests/runtests.py",
    ),
}  # fmt: skip

COUNTING = """
import atexit
import importlib

module, _, path = {counted!r}.partition(":")
holder, names = importlib.import_module(module), path.split(".")
for name in names[:-1]:
    holder = getattr(holder, name)
counted, calls = getattr(holder, names[-1]), [0]

def counting(*args, **options):
    calls[0] += 1
    return counted(*args, **options)

setattr(holder, names[-1], counting)

@atexit.register
def write():
    with open({file!r}, "w") as file:
        file.write(str(calls[0]))

"""
# What pytest's --junitxml writes, as far as it is read here, for tests that unittest runs.
RECORDING = """
import atexit
import unittest
from xml.etree import ElementTree

ended = {{}}

def record(name, tag):
    plain = getattr(unittest.TestResult, name)

    def recording(self, test, *rest):
        if rest[1:] != (None,):  # a part of a test that is well
            ended.setdefault(test.id(), tag)
        return plain(self, test, *rest)

    setattr(unittest.TestResult, name, recording)

for name, tag in {{
    "addError": "error", "addFailure": "failure", "addSkip": "skipped", "addSubTest": "failure", "addSuccess": "",
    "addExpectedFailure": "", "addUnexpectedSuccess": "failure",
}}.items():
    record(name, tag)

@atexit.register
def report():
    suite = ElementTree.Element("testsuite")
    for test, tag in ended.items():
        holder, _, name = test.rpartition(".")
        case = ElementTree.SubElement(suite, "testcase", classname=holder, name=name)
        if tag:
            ElementTree.SubElement(case, tag)
    ElementTree.ElementTree(suite).write({file!r})

"""
SCRIPT = f"import runpy, sys, {PLUGIN}; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def unpack(suite: Suite, folder: Path) -> Path:
    """The source distribution of the installed version without its package."""
    version = metadata.version(suite.distribution)
    wanted = f"{suite.distribution}=={version}"
    pip("download", "--no-binary", suite.distribution, "--no-deps", "--dest", str(folder), wanted)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        top = tar.getnames()[0].split("/")[0]
        members = [member for member in tar if not member.name.startswith(f"{top}/{suite.package}/")]
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder, members)
    return folder / top


def run(suite: Suite, tests: Path, libraries: Path, accelerated: bool) -> tuple[dict[str, str], int]:
    """How each test ended, and how often the adapter was asked."""
    report, calls = tests.parent / "report.xml", tests.parent / "calls"
    report.unlink(missing_ok=True)
    plugin = libraries / f"{PLUGIN}.py"
    recording = RECORDING.format(file=str(report)) if suite.script else ""
    counting = COUNTING.format(counted=suite.counted, file=str(calls)) + dedent(suite.install)
    plugin.write_text(recording + (counting if accelerated else ""), "utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (libraries, ROOT)))}
    folder = (tests / suite.script).parent if suite.script else tests
    present = sorted(str(path.relative_to(folder)) for name in suite.tests for path in folder.glob(name))
    pytest = ["-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider", *OVERRIDDEN, f"--junitxml={report}"]
    program = ["-c", SCRIPT, str(tests / suite.script)] if suite.script else pytest
    finished = subprocess.run(
        [sys.executable, *program, *suite.options, *present],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not present or not report.exists():
        raise RuntimeError(f"no tests ran\n{finished.stdout[-2000:]}{finished.stderr[-2000:]}")
    cases = ElementTree.parse(report).getroot().iter("testcase")
    asked = int(calls.read_text()) if accelerated else 0
    return {f"{case.get('classname')}::{case.get('name')}": outcome(case) for case in cases}, asked


def outcome(case: ElementTree.Element) -> str:
    return next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")


def counts(outcomes: dict[str, str]) -> str:
    found = Counter(outcomes.values())
    return f"{found['passed']} / {found['failure'] + found['error']} / {found['skipped']}"


def compare(name: str, suite: Suite) -> bool:
    """Print the row of one framework and what is below it; whether the tests end alike."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, libraries = Path(temporary, "source"), Path(temporary, "libraries")
        folder.mkdir()
        libraries.mkdir()
        if suite.needs:
            pip("install", "--no-deps", "--target", str(libraries), *suite.needs)
        tests = unpack(suite, folder)
        plain, _ = run(suite, tests, libraries, accelerated=False)
        fast, asked = run(suite, tests, libraries, accelerated=True)
    version = metadata.version(suite.distribution)
    print(f"| {name} {version} | {counts(plain)} | {counts(fast)} | {asked} |", flush=True)
    different = {test: (plain.get(test), fast.get(test)) for test in plain | fast if plain.get(test) != fast.get(test)}
    unknown = 0
    for test, (before, after) in sorted(different.items()):
        reason = next((why for ending, why in suite.known if test.endswith(ending)), "")
        unknown += not reason
        print(f"  {test}: {before}, accelerated {after}{': ' + reason if reason else ''}", file=sys.stderr)
    return asked > 0 and not unknown


def main(names: list[str]) -> int:
    print("| framework | plain: passed / failed / skipped | accelerated | asked |\n|---|---|---|---:|")
    alike = True
    for name in names or list(SUITES):
        try:
            metadata.version(SUITES[name].distribution)
        except metadata.PackageNotFoundError:
            print(f"{name} is not installed", file=sys.stderr)
            continue
        alike &= compare(name, SUITES[name])
    return 0 if alike else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
