"""Reading documents: JSON and YAML to plain values, within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brrtrouter.errors import BrrtError
from brrtrouter.spec.limits import Limits, UnreadableError
from brrtrouter.spec.source import Document, read_source
from brrtrouter.spec.yaml_reader import plain_scalar

SPECS = Path(__file__).parent / "specs"


def read(source: Any, **limits: int) -> Document:
    return read_source(source, Limits(**limits))


def refusal(source: Any, **limits: int) -> tuple[str, str]:
    with pytest.raises(UnreadableError) as caught:
        read(source, **limits)
    return caught.value.issue.kind, caught.value.issue.message


def test_the_same_document_is_read_from_path_bytes_text_and_mapping() -> None:
    path = SPECS / "multifile" / "openapi.yaml"
    value = read(path).value
    assert value["openapi"] == "3.1.0"
    for source in (str(path), path.read_bytes(), path.read_text(), value):
        assert read(source).value == value
    assert read(path).raw == path.read_bytes()
    assert read(value).raw is None


def test_content_and_not_the_suffix_tells_json_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text('{"a": "NO"}')
    assert read(path).value == {"a": "NO"}
    assert read(b"{a: NO, b: [1, 2]}").value == {"a": "NO", "b": [1, 2]}
    assert read(b'\xef\xbb\xbf{"a": 1}').value == {"a": 1}
    assert read("- 1\n- {a: b}\n").value == [1, {"a": "b"}]


def test_scalars_are_read_by_the_yaml_1_2_core_schema() -> None:
    assert read(SPECS / "yaml-1.1-surprises.yaml").value == {
        "country": "NO",
        "answer": "yes",
        "octal-looking": "010",
        "time": "12:30:45",
        "date": "2024-01-31",
        "grouped": "1_000",
        "octal": 15,
        "hex": 31,
        "float": 1500.0,
        "infinity": float("inf"),
        "yes": "text",
        "200": "status",
        "true": "boolean",
        "null": "nothing",
        "1.5": "number",
        "quoted": "200",
        "tagged": "12",
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("off", "off"),
        ("-0", 0),
        ("+12", 12),
        ("00", "00"),
        ("0o8", "0o8"),
        ("-0x1", "-0x1"),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1e-2", -0.01),
        ("1e", "1e"),
        ("-.INF", float("-inf")),
        (".", "."),
        ("1.2.3", "1.2.3"),
    ],
)
def test_core_schema_scalar(text: str, value: object) -> None:
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)


def test_merge_keys_give_way_to_own_keys_and_to_earlier_sources() -> None:
    value = read(SPECS / "merge-keys.yaml").value
    assert value["one"] == {"b": "own", "a": 1}
    assert value["many"] == {"a": 1, "b": 2, "c": 4}
    assert value["quoted"] == {"<<": "plain key"}


def test_a_merge_of_what_is_no_mapping_is_refused() -> None:
    assert refusal("a: {<<: 1}\n") == (
        "InvalidYaml",
        "line 1, column 9: a merge key (<<) needs a mapping or a list of mappings",
    )


@pytest.mark.parametrize(("name", "line"), [("duplicate-keys.yaml", 6), ("duplicate-keys.json", 4)])
def test_a_duplicate_key_is_an_issue_that_names_the_line(name: str, line: int) -> None:
    (issue,) = read(SPECS / name).issues
    assert (issue.kind, issue.severity) == ("DuplicateKey", "error")
    assert issue.message == f"line {line}: the key '/pets' is given twice"


@pytest.mark.parametrize(
    "text", ['{"a": 1, "b": 2, "a" : 3}', '{"a": 1, "\\u0061": 3}', '{"x": "\\u0022:", "a": 1, "a": 2}']
)
def test_a_duplicate_json_key_is_found_however_it_is_written(text: str) -> None:
    (issue,) = read(text).issues
    assert issue.kind == "DuplicateKey"
    assert "'a'" in issue.message


def test_json_without_duplicates_has_no_issue_whatever_its_strings_hold() -> None:
    assert read('{"a": "\\u0022: \\" : \\"a\\":", "b" : {"a": 1}, "c": [{"a": 1}, {"a": 2}]}').issues == ()


@pytest.mark.parametrize(
    ("text", "kind", "start"),
    [
        ("a: [1, 2\nb: 3\n", "InvalidYaml", "line 2, column "),
        ("a:\n\t- 1\n", "InvalidYaml", "line 2, column 1"),
        ('{"a": 1,\n "b": ]', "InvalidJson", "line 2, column 7"),
        ("a: *nowhere\n", "InvalidYaml", "line 1, column 4: the alias *nowhere has no anchor"),
        ("a: &a [*a]\n", "InvalidYaml", "line 1, column 8: the alias *a stands inside its own anchor"),
        ("a: 1\n---\nb: 2\n", "InvalidYaml", "line 2, column 1: a second YAML document starts here"),
        ("a: !!python/name:os.system x\n", "InvalidYaml", "line 1, column 4: the tag "),
        ("a: !!set {x}\n", "InvalidYaml", "line 1, column 4: the tag "),
        ("a: !!int x\n", "InvalidYaml", "line 1, column 4: 'x' does not fit its tag"),
        ("? [a, b]\n: 1\n", "InvalidYaml", "line 1, column "),
        ("a: 1\nb: \x01\n", "InvalidYaml", "line 2, column 4: "),
    ],
)
def test_bad_text_is_one_issue_with_line_and_column(text: str, kind: str, start: str) -> None:
    found = refusal(text)
    assert found[0] == kind
    assert found[1].startswith(start)


def test_bytes_that_are_no_utf_8_are_one_issue() -> None:
    kind, message = refusal(b"a: 1\nb: \xff\n")
    assert kind == "InvalidYaml"
    assert message.startswith("line 2, column ")


def test_a_file_named_json_is_json_and_not_only_yaml(tmp_path: Path) -> None:
    path = tmp_path / "trailing.json"
    path.write_text('{"a": 1,}')
    assert refusal(path)[0] == "InvalidJson"
    assert read('{"a": 1,}').value == {"a": 1}


def test_a_mapping_that_is_no_json_is_one_issue() -> None:
    cyclic: dict[str, Any] = {}
    cyclic["self"] = cyclic
    for source in (cyclic, {"a": object()}):
        assert refusal(source)[0] == "InvalidJson"


def test_integers_of_any_size_are_exact_in_every_format() -> None:
    for source in ({"a": 2**80}, f'{{"a": {2**80}}}', f"a: {2**80}\n"):
        assert read(source).value == {"a": 2**80}


def test_a_mapping_with_other_keys_gets_text_keys() -> None:
    assert read({200: {True: 1}}).value == {"200": {"true": 1}}


@pytest.mark.parametrize("make", [lambda path: path, lambda path: path / "missing.yaml"])
def test_a_file_that_cannot_be_read_is_named_in_one_line(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    with pytest.raises(BrrtError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", [3, None, ["a"]])
def test_a_source_of_another_type_is_refused(source: object) -> None:
    with pytest.raises(BrrtError, match="a document is a path, bytes, text or a mapping"):
        read(source)


# -- limits -----------------------------------------------------------------------------------------------------


def nested(depth: int, opening: str, closing: str) -> str:
    return "a: " + opening * depth + closing * depth + "\n"


@pytest.mark.parametrize("document", [nested(199, "[", "]"), nested(199, "{k: ", "}").replace("{k: }", "{}")])
def test_depth_up_to_the_limit_is_read(document: str) -> None:
    assert "a" in read(document).value


@pytest.mark.parametrize(
    "document",
    [
        nested(200, "[", "]"),
        "{" + nested(200, "[", "]").replace("a", '"a"').strip() + "}",
        "[" * 50_000 + "\n",
        "{a: " * 50_000 + "\n",
        '{"a":' * 50_000 + "\n",
        "- " * 50_000 + "\n",
    ],
)
def test_depth_over_the_limit_is_refused(document: str) -> None:
    kind, message = refusal(document.encode())
    assert kind == "LimitExceeded"
    assert "the limit depth of 200" in message


def test_a_deep_mapping_is_refused() -> None:
    value: dict[str, Any] = {}
    for _ in range(210):
        value = {"a": value}
    assert refusal(value)[0] == "LimitExceeded"


def test_the_file_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_text("a: " + "x" * 100)
    assert read(path, file_bytes=103).value == {"a": "x" * 100}
    assert refusal(path, file_bytes=102) == ("LimitExceeded", "the limit file_bytes of 102 is exceeded")
    assert refusal(path.read_bytes(), file_bytes=102)[0] == "LimitExceeded"


def test_aliases_are_bounded() -> None:
    document = "a: &a 1\nb: [" + "*a, " * 10_000 + "]\n"
    assert len(read(document).value["b"]) == 10_000
    assert refusal(document.replace("[", "[*a, ")) == (
        "LimitExceeded",
        "line 2: the limit aliases of 10,000 is exceeded",
    )


def test_merges_are_bounded() -> None:
    document = "a: &a {x: 1}\nb: {<<: [" + "*a, " * 1_000 + "]}\n"
    assert read(document).value["b"] == {"x": 1}
    assert refusal(document.replace("[", "[*a, ")) == ("LimitExceeded", "line 2: the limit merges of 1,000 is exceeded")


def test_nodes_are_counted_as_if_aliases_were_written_out() -> None:
    kind, message = refusal(SPECS / "alias-bomb.yaml")
    assert (kind, message) == ("LimitExceeded", "line 7: the limit nodes of 5,000,000 is exceeded")
    assert read("a: [1, 2]\n", nodes=5).value == {"a": [1, 2]}
    assert refusal("a: [1, 2]\n", nodes=4)[0] == "LimitExceeded"


def test_a_merge_bomb_costs_nothing() -> None:
    begin = time.perf_counter()
    assert refusal(SPECS / "merge-bomb.yaml")[0] == "LimitExceeded"
    assert time.perf_counter() - begin < 1.0


def test_the_length_of_a_number_is_bounded() -> None:
    assert read("a: " + "1" * 1_000 + "\n").value["a"] == int("1" * 1_000)
    assert refusal("a: " + "1" * 1_001 + "\n") == (
        "LimitExceeded",
        "line 1: the limit number_length of 1,000 is exceeded",
    )
