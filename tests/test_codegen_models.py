"""Models: what a schema allows can be read and comes back as it was, whatever the schema is made of."""

from __future__ import annotations

import datetime as dt
import importlib
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints
from uuid import UUID

import msgspec
import pytest
from codegen_support import description, generate, reference

OBJECT = {"type": "object"}
TEXT = {"type": "string"}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes the models of schemas and gives their module."""
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def make(schemas: dict[str, Any], **parts: Any) -> ModuleType:
        assert generate(tmp_path / "project", description(schemas=schemas, **parts), "--package", "made") == 0
        importlib.invalidate_caches()
        return importlib.import_module("made.models")

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "made"]:
        del sys.modules[name]


def type_of(models: ModuleType, struct: str, member: str) -> Any:
    return get_type_hints(getattr(models, struct))[member]


def with_members(members: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(required)}


def comes_back(kind: Any, value: Any) -> Any:
    """The value as the type reads it, which it also writes."""
    read = msgspec.convert(value, kind)
    assert msgspec.to_builtins(read) == value
    return read


def test_absent_null_and_a_value_are_three_things(models: Any) -> None:
    pet = models({"Pet": with_members({"tag": {"type": ["string", "null"]}})}).Pet
    assert comes_back(pet, {}).tag is msgspec.UNSET
    assert comes_back(pet, {"tag": None}).tag is None
    assert comes_back(pet, {"tag": "x"}).tag == "x"


def test_nullable_of_3_0_is_null(models: Any) -> None:
    pet = models({"Pet": with_members({"tag": {"type": "string", "nullable": True}}, "tag")}, openapi="3.0.3").Pet
    assert comes_back(pet, {"tag": None}).tag is None


def test_formats_are_types(models: Any) -> None:
    formats = {"at": "date-time", "day": "date", "id": "uuid", "price": "decimal", "mail": "email"}
    members = {name: {"type": "string", "format": each} for name, each in formats.items()}
    thing = models({"Thing": with_members(members, *members)}).Thing
    value = {
        "at": "2026-01-02T03:04:05Z",
        "day": "2026-01-02",
        "id": "123e4567-e89b-42d3-a456-426614174000",
        "price": "1.50",
        "mail": "a@b.example",
    }
    read = comes_back(thing, value)
    types = {name: type(getattr(read, name)) for name in formats}
    assert types == {"at": dt.datetime, "day": dt.date, "id": UUID, "price": Decimal, "mail": str}


def test_all_of_is_one_object_with_the_members_of_all(models: Any) -> None:
    schemas = {
        "Base": with_members({"id": {"type": "integer"}, "name": {"type": ["string", "null"]}}, "id"),
        "Pet": {"allOf": [reference("Base"), with_members({"name": TEXT}), {"required": ["name"]}]},
        "Same": {"allOf": [reference("Pet")], "description": "no type of its own"},
    }
    found = models(schemas)
    comes_back(found.Pet, {"id": 1, "name": "Rex"})
    with pytest.raises(msgspec.ValidationError, match="name"):
        msgspec.convert({"id": 1}, found.Pet)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"id": 1, "name": None}, found.Pet)
    assert not hasattr(found, "Same")


def test_a_discriminator_makes_tagged_structs(models: Any) -> None:
    kind = {"propertyName": "petType", "mapping": {"meow": "#/components/schemas/Cat"}}
    schemas = {
        "Pet": {"oneOf": [reference("Cat"), reference("Dog")], "discriminator": kind},
        "Cat": with_members({"petType": TEXT, "lives": {"type": "integer"}}, "petType"),
        "Dog": with_members({"petType": TEXT, "bark": TEXT}, "petType"),
    }
    found = models(schemas)
    cat = comes_back(found.Pet, {"petType": "meow", "lives": 9})
    assert (type(cat), cat.pet_type) == (found.Cat, "meow")
    assert type(comes_back(found.Pet, {"petType": "Dog", "bark": "wuff"})) is found.Dog
    with pytest.raises(msgspec.ValidationError, match="bird"):
        msgspec.convert({"petType": "bird"}, found.Pet)


def test_constants_tell_the_branches_of_a_choice_without_a_discriminator(models: Any) -> None:
    def event(kind: str) -> dict[str, Any]:
        return with_members({"object": {"const": "event"}, "type": {"enum": [kind]}, kind: TEXT}, "object", "type")

    found = models({"Event": {"anyOf": [event("made"), event("gone")]}})
    made = comes_back(found.Event, {"object": "event", "type": "made", "made": "x"})
    gone = comes_back(found.Event, {"object": "event", "type": "gone", "gone": "x"})
    assert type(made) is not type(gone)


@pytest.mark.parametrize(
    ("branches", "values"),
    [
        ([with_members({"a": TEXT}), with_members({"b": TEXT})], [{"a": "x"}, {"b": "x", "more": 1}]),
        ([{"type": "array", "items": TEXT}, {"type": "array", "items": {"type": "integer"}}], [["a"], [1], ["a", 1]]),
        ([{"type": "string", "format": "date-time"}, {"enum": ["now"]}], ["now", "2026-01-02T03:04:05Z"]),
        ([{"enum": ["a"]}, {"enum": ["b", None]}], ["a", "b", None]),
        ([{"type": "integer"}, {"type": "number"}, TEXT], [1, 1.5, "x"]),
        ([{"additionalProperties": TEXT}, {"additionalProperties": {"type": "integer"}}], [{"a": "x"}, {"a": 1}]),
        ([TEXT, {"type": "array", "items": TEXT}, with_members({"a": TEXT})], ["x", ["x"], {"a": "x"}]),
        ([{}, TEXT], ["x", {"any": "thing"}]),
        ([{"enum": [1, "a", 1.5, True, None]}], [1, "a", 1.5, True, None]),
    ],
)  # fmt: skip
def test_every_value_of_a_choice_can_be_read(models: Any, branches: list[Any], values: list[Any]) -> None:
    found = models({"Holder": with_members({"value": {"anyOf": branches}}, "value")})
    for value in values:
        comes_back(found.Holder, {"value": value})


def test_choices_that_only_require_members_leave_the_object_as_it_is(models: Any) -> None:
    schema = {**with_members({"a": TEXT, "b": TEXT}), "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert comes_back(models({"Either": schema}).Either, {"a": "x"}).a == "x"


def test_schemas_may_refer_to_themselves(models: Any) -> None:
    schemas = {
        "Tree": with_members({"children": {"type": "array", "items": reference("Tree")}, "up": reference("Up")}),
        "Up": {"oneOf": [reference("Tree"), {"type": "null"}]},
        "Json": {"anyOf": [TEXT, {"items": reference("Json")}, {"additionalProperties": reference("Json")}]},
        "Holder": with_members({"json": reference("Json")}),
    }  # fmt: skip
    found = models(schemas)
    tree = comes_back(found.Tree, {"children": [{"children": []}], "up": {"up": None}})
    assert type(tree.children[0]) is type(tree.up) is found.Tree
    comes_back(found.Holder, {"json": [["a", {"b": ["c"]}]]})


def test_a_chain_of_a_thousand_schemas_is_no_recursion(models: Any) -> None:
    chain = {f"S{at}": with_members({"next": reference(f"S{at + 1}")}) for at in range(1000)}
    found = models({"S0": chain.pop("S0"), **chain, "S1000": OBJECT})
    # msgspec itself follows a chain from one to the next, so it does not get to the end of all of it.
    comes_back(found.S900, {"next": {"next": {}}})


def test_names_that_are_no_identifiers_are_renamed_and_come_back(models: Any) -> None:
    names = [
        "class",
        "def",
        "a-b",
        "a_b",
        "aB",
        "1st",
        "$ref ",
        "@type",
        "+1",
        "-1",
        "",
        "list",
        "str",
        "self",
        "ünï",
        "中",
        "l",
        "__init__",
    ]
    found = models({"Odd": with_members({name: {"type": "integer"} for name in names}, *names)})  # fmt: skip
    value = {name: at for at, name in enumerate(names)}
    comes_back(found.Odd, value)


def test_names_of_schemas_that_collide_or_are_taken_stay_apart(models: Any) -> None:
    names = [
        "pet",
        "Pet",
        "PET",
        "None",
        "str",
        "Any",
        "Literal",
        "UNSET",
        "class",
        "a.b",
        "a-b",
        "NotFound",
        "Request",
    ]
    schemas = {name: with_members({f"m{at}": TEXT}, f"m{at}") for at, name in enumerate(names)}
    found = models(schemas)
    structs = [getattr(found, name) for name in found.__all__]
    for at in range(len(names)):
        fitting = [each for each in structs if f"m{at}" in each.__struct_fields__]
        assert len(fitting) == 1
        comes_back(fitting[0], {f"m{at}": "x"})


def test_inline_schemas_are_named_by_their_place(models: Any) -> None:
    inner = {"type": "array", "items": with_members({"x": {"type": "integer"}})}
    found = models({"Pet": with_members({"homes": inner})})
    assert type_of(found, "Pet", "homes") == list[found.PetHomesItem] | msgspec.UnsetType


def test_members_of_one_direction_may_be_missing_in_the_other(models: Any) -> None:
    members = {"id": {"type": "integer", "readOnly": True}, "password": {"type": "string", "writeOnly": True}}
    found = models({"User": with_members(members, "id", "password")})
    comes_back(found.User, {"id": 1})
    comes_back(found.User, {"password": "x"})


def test_defaults_are_there_but_never_in_the_body_of_a_patch(models: Any) -> None:
    size = {"type": "string", "enum": ["s", "m"], "default": "m"}
    schemas = {"Shirt": with_members({"size": size, "bad": {"type": "integer", "default": "x"}})}
    part = with_members({"size": size})
    paths = {
        "/a": {
            "post": {"operationId": "a", "requestBody": body(reference("Shirt")), "responses": {}},
            "patch": {"operationId": "b", "requestBody": body(part), "responses": {}},
        }
    }
    found = models(schemas, paths=paths)
    assert found.Shirt().size == "m"
    assert found.Shirt().bad is msgspec.UNSET
    assert found.BBody().size is msgspec.UNSET


def body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def test_objects_of_any_members_are_dicts(models: Any) -> None:
    members = {
        "free": OBJECT,
        "numbers": {"type": "object", "additionalProperties": {"type": "integer"}},
        "mixed": {**with_members({"a": TEXT}), "additionalProperties": {"type": "integer"}},
        "patterns": {"type": "object", "patternProperties": {"^x": TEXT}},
        "closed": {**with_members({"a": TEXT}), "additionalProperties": False},
    }
    found = models({"Holder": with_members(members, *members)})
    value = {
        "free": {"a": [1]},
        "numbers": {"a": 1},
        "mixed": {"a": "x", "b": 2},
        "patterns": {"xa": "x"},
        "closed": {"a": "x"},
    }
    read = comes_back(found.Holder, value)
    assert [type(getattr(read, name)) for name in members] == [dict, dict, dict, dict, found.HolderClosed]


def test_models_of_one_tag_are_in_its_module_and_what_several_need_is_shared(models: Any) -> None:
    schemas = {
        "Cat": with_members({"owner": reference("Owner")}),
        "Dog": with_members({"owner": reference("Owner"), "kennel": reference("Kennel")}),
        "Owner": with_members({"address": reference("Address")}),
        "Address": with_members({"city": TEXT}),
        "Kennel": with_members({"size": TEXT}),
    }
    paths = {
        f"/{tag}": {"post": {"operationId": tag, "tags": [tag], "requestBody": body(reference(name)), "responses": {}}}
        for tag, name in (("cats", "Cat"), ("dogs", "Dog"))
    }  # fmt: skip
    found = models(schemas, paths=paths)
    modules = {name: getattr(found, name).__module__ for name in schemas}
    assert modules == {
        "Cat": "made.models.cats",
        "Dog": "made.models.dogs",
        "Owner": "made.models.shared",
        "Address": "made.models.shared",
        "Kennel": "made.models.dogs",
    }
