"""Folders of files: which paths lead to which file, that no path leads out, and what the options change."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from brrtrouter import App, ConfigError, StaticFiles
from brrtrouter.testing import TestClient, TestResponse

OPERATION = {"responses": {"200": {"description": "it"}}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "static", "version": "1"},
    "paths": {
        "/s/api": {"post": {"operationId": "post", **OPERATION}},
        "/s/own.txt": {"get": {"operationId": "own", **OPERATION}},
    },
}
FILES = {
    "a.txt": b"a",
    "index.html": b"<p>top",
    "own.txt": b"hidden by an operation",
    "é ü.txt": b"names",
    "a%2fb": b"an escape in a name",
    "dots..name..": b"dots",
    "sub/b.css": b"b{}",
    "sub/index.html": b"<p>sub",
    "plain/c.txt": b"c",
    ".secret": b"secret",
    ".git/config": b"config",
    "sub/.env": b"env",
    "back\\slash": b"back",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    root = folder / "root"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (folder / "outside.txt").write_bytes(b"outside")
    (folder / "root-too").mkdir()
    (folder / "root-too" / "near.txt").write_bytes(b"near")
    (folder / "out").mkdir()
    (folder / "out" / "x.txt").write_bytes(b"outside")
    for name, target in {
        "link.txt": "a.txt",
        "up.txt": "../outside.txt",
        "near": "../root-too",
        "absolute.txt": str(folder / "outside.txt"),
        "sub/up": "../../out",
        "inside": "sub",
        "loop": "loop",
        "chain.txt": "link.txt",
        "outandin": "../root/a.txt",
    }.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(root / "socket"))
    return root


@contextmanager
def client_of(folders: dict[str, Any], **options: Any) -> Iterator[TestClient]:
    handlers = {"post": lambda request: "posted", "own": lambda request: "own"}
    with TestClient(App(DOCUMENT, handlers, static=folders, **options)) as client:
        yield client


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[TestClient]:
    with client_of({"/s": root}) as client:
        yield client


def raw(client: TestClient, path: bytes, method: bytes = b"GET") -> TestResponse:
    """A request whose path is sent as it is."""
    data = client.send(method + b" " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n", method.decode())
    return TestResponse(data, method.decode())


def test_files_are_found_by_their_names(client: TestClient) -> None:
    answer = client.get("/s/sub/b.css")
    assert (answer.status, answer.content) == (200, b"b{}")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/s/%C3%A9%20%c3%bc.txt").content == b"names"
    assert client.get("/s/a%252fb").content == b"an escape in a name"
    assert client.get("/s/dots..name..").content == b"dots"
    assert client.get("/%73/a.txt?v=1").content == b"a"
    assert client.get("/s/nothing").json()["type"].endswith("/not-found")


def test_head_range_and_conditions_work_as_for_any_file(client: TestClient) -> None:
    whole = client.get("/s/sub/b.css")
    head = client.head("/s/sub/b.css")
    assert (head.status, head.headers["content-length"]) == (200, "3")
    assert client.get("/s/sub/b.css", headers={"Range": "bytes=1-"}).content == b"{}"
    assert client.get("/s/sub/b.css", headers={"If-None-Match": whole.headers["etag"]}).status == 304


def test_other_methods_are_405_and_options_tells_the_methods(client: TestClient) -> None:
    for path in ("/s/a.txt", "/s/nothing"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = client.request(method, path, content=b"x")
            assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        answer = client.options(path)
        assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


def test_operations_and_built_in_endpoints_come_first(root: Path) -> None:
    with client_of({"/": root}) as client:
        assert client.get("/s/own.txt").json() == "own"
        assert client.post("/s/api").json() == "posted"
        assert client.get("/s/api").status == 405
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/a.txt").content == b"a"
        assert client.get("/").content == b"<p>top"


def test_the_longest_prefix_counts(root: Path) -> None:
    with client_of({"/": root, "/s/sub/": root / "plain", "/s": root}) as client:
        assert client.get("/s/sub/c.txt").content == b"c"
        assert client.get("/s/sub/b.css").status == 404
        assert client.get("/s/a.txt").content == client.get("/a.txt").content == b"a"
        assert client.get("/st/a.txt").status == client.get("/sa.txt").status == 404


def test_a_folder_is_its_index(client: TestClient) -> None:
    assert client.get("/s/sub/").content == b"<p>sub"
    assert client.get("/s/").content == b"<p>top"
    for path in ("/s", "/s/sub"):
        answer = client.get(path + "?v=%20")
        assert (answer.status, answer.headers["location"]) == (301, path + "/?v=%20")
    for path in ("/s/plain", "/s/plain/", "/s/a.txt/", "/s/a.txt/index.html"):
        assert client.get(path).status == 404


def test_the_index_can_be_another_file_or_none(root: Path) -> None:
    with client_of({"/s": StaticFiles(root / "plain", index="c.txt"), "/n": StaticFiles(root, index=None)}) as client:
        assert client.get("/s/").content == b"c"
        for path in ("/n", "/n/", "/n/sub", "/n/sub/"):
            assert client.get(path).status == 404
        assert client.get("/n/index.html").status == 200


def test_a_redirection_stays_on_this_server(root: Path) -> None:
    with client_of({"/": root}) as client:
        for path in (b"//sub", b"/%2Fsub", b"/\\sub", b"//evil.example/sub", b"/%5Csub"):
            assert raw(client, path).status == 404
        assert raw(client, b"/sub").headers["location"] == "/sub/"


def test_names_that_begin_with_a_dot_are_hidden(root: Path, client: TestClient) -> None:
    paths = {"/s/.secret": b"secret", "/s/.git/config": b"config", "/s/sub/.env": b"env", "/s/%2egit/config": b"config"}
    for path in paths:
        assert client.get(path).status == 404
    with client_of({"/s": StaticFiles(root, hidden=True)}) as open_client:
        for path, content in paths.items():
            assert open_client.get(path).content == content
        for path in ("/s/./a.txt", "/s/../root/a.txt", "/s/sub/../a.txt", "/s/%2e%2e/outside.txt"):
            assert open_client.get(path).status == 404


LINKS = ("link.txt", "chain.txt", "inside/b.css", "outandin")
WAYS_OUT = ("up.txt", "absolute.txt", "sub/up/x.txt", "near/near.txt", "loop")


def test_symbolic_links_are_not_followed(client: TestClient) -> None:
    for name in (*LINKS, *WAYS_OUT):
        assert client.get(f"/s/{name}").status == 404


def test_links_are_followed_inside_of_the_folder_when_that_is_wanted(root: Path) -> None:
    with client_of({"/s": StaticFiles(root, follow_symlinks=True)}) as client:
        for name in LINKS:
            assert client.get(f"/s/{name}").content == (root / name).read_bytes()
        for name in WAYS_OUT:
            assert client.get(f"/s/{name}").status == 404
        assert client.get("/s/inside/").content == b"<p>sub"
        assert client.get("/s/a.txt").content == b"a"


@pytest.mark.parametrize("follow", [False, True])
def test_a_folder_that_becomes_a_link_while_a_file_is_opened_is_no_way_out(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, follow: bool
) -> None:
    served = tmp_path / "served"
    (served / "sub").mkdir(parents=True)
    (served / "sub" / "x.txt").write_bytes(b"inside")
    real = os.open

    def swapping(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == b"sub":
            os.rename(served / "sub", tmp_path / "moved")
            (served / "sub").symlink_to(root.parent / "out")
        return real(path, *args, **kwargs)

    with client_of({"/s": StaticFiles(served, follow_symlinks=follow)}) as client:
        assert client.get("/s/sub/x.txt").content == b"inside"
        monkeypatch.setattr(os, "open", swapping)
        assert client.get("/s/sub/x.txt").status == 404


def test_a_file_that_becomes_a_link_while_it_is_opened_is_no_way_out(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.txt").write_bytes(b"inside")
    real = os.open

    def swapping(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == b"x.txt":
            (tmp_path / "x.txt").unlink()
            (tmp_path / "x.txt").symlink_to(root.parent / "outside.txt")
        return real(path, *args, **kwargs)

    with client_of({"/s": tmp_path}) as client:
        monkeypatch.setattr(os, "open", swapping)
        assert client.get("/s/x.txt").status == 404


def test_the_folder_itself_may_be_a_link_that_is_changed(root: Path, tmp_path: Path) -> None:
    current = tmp_path / "current"
    current.symlink_to(root / "sub")
    with client_of({"/s": current}) as client:
        assert client.get("/s/b.css").content == b"b{}"
        (tmp_path / "next").symlink_to(root / "plain")
        os.replace(tmp_path / "next", current)
        assert client.get("/s/c.txt").content == b"c"


def test_what_is_no_regular_file_is_not_there(root: Path, client: TestClient) -> None:
    for name in ("pipe", "socket"):
        assert client.get(f"/s/{name}").status == 404
    with client_of({"/dev": "/dev"}) as devices:
        for name in ("zero", "null", "tty"):
            assert devices.get(f"/dev/{name}").status == 404


def test_a_pipe_that_takes_the_place_of_a_file_does_not_block(
    root: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, file = os.stat, (root / "a.txt").stat()
    monkeypatch.setattr(os, "stat", lambda path, **kwargs: file if path == b"pipe" else real(path, **kwargs))
    assert client.get("/s/pipe").status == 404


def test_a_full_table_of_descriptors_is_no_404(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", fail)
    assert client.get("/s/a.txt").status == 500


def test_a_file_without_permission_is_not_there(root: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "x").chmod(0)
    if os.access(tmp_path / "x", os.R_OK):
        pytest.skip("this user may read everything")
    with client_of({"/s": tmp_path}) as client:
        assert client.get("/s/x").status == 404


# -- every path

TOKENS = [*FILES, *LINKS, *WAYS_OUT, "a.txt", "sub", "plain", "..", ".", "", "/", "root", "outside.txt", "out", "pipe"]
SPELLINGS = st.sampled_from(
    ["%2e", "%2E", "%2f", "%2F", "%5c", "%00", "%c0%ae", "%252e", "%", "%zz", "\\", ";", "~", "%ff"]
)


def escaped(text: str, every: bool) -> str:
    plain = "" if every else "abcdefghijklmnopqrstuvwxyz.-/"
    return "".join(each if each in plain else "".join(f"%{byte:02X}" for byte in each.encode()) for each in text)


PIECES = st.one_of(SPELLINGS, st.builds(escaped, st.sampled_from(TOKENS), st.booleans()))
PATHS = st.lists(PIECES, max_size=5).flatmap(
    lambda some: st.sampled_from(["/", ""]).map(lambda between: between.join(some))
)


def listing(root: Path) -> dict[bytes, bytes]:
    """All files that may be served, by the path that names them: what a walk without links finds."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            parts = path.relative_to(root).parts
            if path.is_file() and not path.is_symlink() and not any(p.startswith(".") or "\\" in p for p in parts):
                found["/".join(parts).encode()] = path.read_bytes()
    return found


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("..%2foutside.txt")
@example("sub%2fb.css")
@example("sub/..%5c..%5coutside.txt")
@example("a.txt%00.png")
@given(PATHS)
def test_a_path_gives_the_file_that_it_names_or_none(root: Path, client: TestClient, path: str) -> None:
    answer = raw(client, b"/s/" + path.encode())
    files = listing(root)
    # An escaped slash is a part of a name, and no name has one.
    segments = [unquote_to_bytes(segment) for segment in path.encode().split(b"/")]
    valid = all(b"/" not in segment for segment in segments)
    name = b"/".join(segments)
    index = name + b"index.html" if not name or name.endswith(b"/") else None
    if name in (b"own.txt", b"api"):  # which operations have
        return
    if valid and name in files:
        assert (answer.status, answer.content) == (200, files[name])
    elif valid and index is not None and index in files:
        assert (answer.status, answer.content) == (200, files[index])
    elif valid and name + b"/index.html" in files:
        assert answer.status == 301
    else:
        assert answer.status in (400, 404), answer.content


# -- options


def test_cache_control_is_sent_with_every_file_and_304(root: Path) -> None:
    with client_of({"/s": StaticFiles(root, cache_control="public, max-age=60")}) as client:
        answer = client.get("/s/a.txt")
        assert answer.headers["cache-control"] == "public, max-age=60"
        again = client.get("/s/a.txt", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status, again.headers["cache-control"]) == (304, "public, max-age=60")
        assert "cache-control" not in client.get("/s/nothing").headers


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    for name, content in {"a.js": b"plain", "a.js.br": b"brotli", "a.js.zst": b"zstd", "a.js.gz": b"gzip"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "b.js").write_bytes(b"alone")
    (tmp_path / "c.js").write_bytes(b"linked")
    (tmp_path / "c.js.gz").symlink_to("a.js.gz")
    return tmp_path


@pytest.mark.parametrize(
    ("accept", "content", "coding"),
    [
        ("gzip, br, zstd", b"brotli", "br"),
        ("gzip, zstd", b"zstd", "zstd"),
        ("gzip", b"gzip", "gzip"),
        ("x-gzip", b"gzip", "gzip"),
        ("gzip, br;q=0.5", b"gzip", "gzip"),
        ("gzip;q=0.5, identity", b"plain", None),
        ("gzip;q=0, identity;q=0.1", b"plain", None),
        ("*", b"brotli", "br"),
        ("*;q=0", b"plain", None),
        ("br;q=0, *", b"zstd", "zstd"),
        ("deflate", b"plain", None),
        ("", b"plain", None),
        (None, b"plain", None),
    ],
)
def test_a_precompressed_file_goes_to_those_who_take_it(
    packed: Path, accept: str | None, content: bytes, coding: str | None
) -> None:
    with client_of({"/s": StaticFiles(packed, precompressed=True)}) as client:
        answer = client.get("/s/a.js", headers={} if accept is None else {"Accept-Encoding": accept})
        assert (answer.content, answer.headers.get("content-encoding")) == (content, coding)
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["vary"] == "Accept-Encoding"


def test_precompressed_forms_have_entity_tags_and_ranges_of_their_own(packed: Path) -> None:
    with client_of({"/s": StaticFiles(packed, precompressed=True)}) as client:
        codings: tuple[dict[str, str], ...] = ({}, {"Accept-Encoding": "br"}, {"Accept-Encoding": "gzip"})
        tags = [client.get("/s/a.js", headers=fields).headers["etag"] for fields in codings]
        assert len(set(tags)) == 3
        part = client.get("/s/a.js", headers={"Accept-Encoding": "br", "Range": "bytes=0-1", "If-Range": tags[1]})
        assert (part.content, part.headers["content-range"]) == (b"br", "bytes 0-1/6")
        other = client.get("/s/a.js", headers={"Accept-Encoding": "br", "Range": "bytes=0-1", "If-Range": tags[0]})
        assert other.content == b"brotli"
        known = client.get("/s/a.js", headers={"Accept-Encoding": "br", "If-None-Match": tags[1]})
        assert (known.status, known.headers["vary"]) == (304, "Accept-Encoding")
        for name, content in (("b.js", b"alone"), ("c.js", b"linked")):
            assert client.get(f"/s/{name}", headers={"Accept-Encoding": "br, gzip"}).content == content


def test_precompressed_files_are_off_by_default(packed: Path) -> None:
    with client_of({"/s": packed}) as client:
        answer = client.get("/s/a.js", headers={"Accept-Encoding": "br"})
        assert answer.content == b"plain"
        assert "vary" not in answer.headers


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ({"s": "."}, "starts with '/'"),
        ({"": "."}, "starts with '/'"),
        ({"/s/{x}": "."}, "starts with '/'"),
        ({"/a%20b": "."}, "no escapes"),
        ({"/a//b": "."}, "starts with '/'"),
        ({"/s": ".", "/s/": "."}, "two folders"),
        ({"/s": "nowhere"}, "nowhere is no directory"),
    ],
)
def test_folders_that_cannot_be_served_are_refused(folders: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        App(DOCUMENT, {}, static=folders)


def test_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for index in ("", "a/b"):
        with pytest.raises(ConfigError, match="index file"):
            StaticFiles(tmp_path, index=index)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="no directory"):
        StaticFiles(tmp_path / "file")


def test_folders_of_the_configuration_and_their_options(root: Path, packed: Path) -> None:
    config = {
        "static": {
            "folders": {"/c": str(packed), "/both": "nowhere"},
            "cache_control": "no-cache",
            "precompressed": True,
        }
    }
    with client_of({"/both": root, "/own": StaticFiles(packed)}, config=config) as client:
        answer = client.get("/c/a.js", headers={"Accept-Encoding": "gzip"})
        assert (answer.content, answer.headers["cache-control"]) == (b"gzip", "no-cache")
        assert client.get("/both/a.txt").headers["cache-control"] == "no-cache"
        assert client.get("/own/a.js", headers={"Accept-Encoding": "gzip"}).content == b"plain"
    with client_of({"/s": root}, config={"static": {"index": ""}}) as client:
        assert client.get("/s/").status == 404
    with client_of({"/s": root}, config={"static": {"hidden": True}}) as client:
        assert client.get("/s/.secret").content == b"secret"
    with client_of({"/s": root}, config={"static": {"follow_symlinks": True}}) as client:
        assert client.get("/s/link.txt").content == b"a"
