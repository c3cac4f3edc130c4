"""Choices among types, such that msgspec can tell which one a value has.

Of several objects it can only tell those with a tag: a member that has another constant value in each.  What cannot be
told apart becomes the narrowest type that holds all of it, so that nothing valid is refused and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brrtrouter.codegen.ir import (
    ANY,
    ANYTHING,
    INT,
    NONE,
    STR,
    Alias,
    ListOf,
    LiteralOf,
    MapOf,
    Named,
    Plain,
    Struct,
    Type,
    UnionOf,
)

_TEXTS = ("str", "dt.datetime", "dt.date", "UUID", "Decimal", "bytes")


def leaves(kind: Type) -> list[Type]:
    """What a type is a choice of, through aliases."""
    if isinstance(kind, UnionOf):
        return [leaf for member in kind.members for leaf in leaves(member)]
    if isinstance(kind, Named) and isinstance(kind.model, Alias):
        return leaves(kind.model.type)
    return [kind]


def choice(members: Sequence[Type], tags: Mapping[int, str | int] | None = None, tag_field: str = "") -> Type:
    """One of the members.  tags: what a discriminator calls them in `tag_field`, by their index."""
    members = list(dict.fromkeys(members))
    flat = list(dict.fromkeys(leaf for member in members for leaf in leaves(member)))
    if ANY in flat:
        return ANY
    named = (
        {id(member.model): tags[at] for at, member in enumerate(members) if isinstance(member, Named) and at in tags}
        if tags
        else {}
    )
    narrow = _widened(flat, named, tag_field)
    found = members if set(narrow) == set(flat) else narrow
    found = [each for each in found if each != NONE] + ([NONE] if NONE in flat else [])
    if len(found) > 1 and found[-1] == NONE and any(NONE in leaves(each) for each in found[:-1]):
        found.pop()
    return found[0] if len(found) == 1 else UnionOf(tuple(found))


def _widened(flat: list[Type], named: Mapping[int, str | int], tag_field: str) -> list[Type]:
    objects: list[Type] = [each for each in flat if isinstance(each, (Named, MapOf))]
    lists = [each for each in flat if isinstance(each, ListOf)]
    texts = [each for each in flat if _is_text(each)]
    integers = [each for each in flat if each == INT or _is_integers(each)]
    rest: list[Type] = [each for each in flat if isinstance(each, Plain) and each != INT and each.text not in _TEXTS]
    found: list[Type] = []
    if len(objects) > 1 and not _tagged(objects, named, tag_field):
        objects = [_common_map(objects)]
    found += objects
    found += lists if len(lists) < 2 else [ListOf(choice([each.item for each in lists]))]
    found += _literals(texts, STR)
    found += _literals(integers, INT)
    mixed = [each for each in flat if isinstance(each, LiteralOf) and not _is_text(each) and not _is_integers(each)]
    for each in mixed:
        found += _literals([LiteralOf(tuple(v for v in each.values if isinstance(v, str))), *texts], STR)
        found += _literals([LiteralOf(tuple(v for v in each.values if isinstance(v, int))), *integers], INT)
    return list(dict.fromkeys(found + rest))


def _common_map(objects: list[Type]) -> Type:
    if all(isinstance(each, MapOf) for each in objects):
        return MapOf(choice([each.item for each in objects if isinstance(each, MapOf)]))
    return ANYTHING


def _is_text(kind: Type) -> bool:
    if isinstance(kind, LiteralOf):
        return all(isinstance(value, str) for value in kind.values)
    return isinstance(kind, Plain) and kind.text in _TEXTS


def _is_integers(kind: Type) -> bool:
    return isinstance(kind, LiteralOf) and all(isinstance(value, int) for value in kind.values)


def _literals(found: list[Type], otherwise: Type) -> list[Type]:
    """Several constants as one choice of constants; beside anything else they are that."""
    if len(found) < 2:
        return found
    if all(isinstance(each, LiteralOf) for each in found):
        return [
            LiteralOf(tuple(dict.fromkeys(v for each in found if isinstance(each, LiteralOf) for v in each.values)))
        ]
    return [otherwise]


def _tagged(objects: list[Type], named: Mapping[int, str | int], tag_field: str) -> bool:
    """Give each of some structs its tag; False, with nothing changed, when they have none that tells them apart."""
    structs = [each.model for each in objects if isinstance(each, Named) and isinstance(each.model, Struct)]
    if len(structs) != len(objects):
        return False
    fields = [name for name in structs[0].constants if all(name in struct.constants for struct in structs)]
    for name in ([tag_field] if tag_field else []) + fields:
        tags = [_tag_of(struct, name, named if name == tag_field else {}) for struct in structs]
        if None in tags or len(set(tags)) != len(tags) or len({type(tag) for tag in tags}) != 1:
            continue
        if any(
            struct.tag_field and (struct.tag_field, struct.tag) != (name, tag)
            for struct, tag in zip(structs, tags, strict=True)
        ):
            continue
        for struct, tag in zip(structs, tags, strict=True):
            assert tag is not None
            struct.tag_field, struct.tag = name, tag
        return True
    return False


def _tag_of(struct: Struct, name: str, named: Mapping[int, str | int]) -> str | int | None:
    return struct.constants.get(name, named.get(id(struct)))
