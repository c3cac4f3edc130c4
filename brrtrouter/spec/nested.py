"""What a nested `deepObject` holds at each place: `filter[a][0][b]=1` (a choice of ours, asked for by `x-nested`).

OpenAPI 3.1 section 4.8.12.6 leaves open what stands below the members of a `deepObject`.  This is the way that most
clients write it: a name for a member, a number for an item, nothing for one more item.
"""

from __future__ import annotations

from collections import deque

from brrtrouter.spec.facts import FactFinder, ordered
from brrtrouter.spec.model import Nested
from brrtrouter.spec.reference import Node


def nested_casts(finder: FactFinder, schema: Node) -> Nested:
    """The casts for the schema at `schema` and all below it; each schema is read once, however often it recurs."""
    known: dict[tuple[int, ...], Nested] = {}
    todo: deque[tuple[Nested, list[Node]]] = deque()

    def place(schemas: list[Node]) -> Nested:
        key = tuple(id(each.value) for each in schemas)
        made = known.get(key)
        if made is None:
            made = known[key] = Nested(("string",))
            todo.append((made, schemas))
        return made

    root = place([schema])
    while todo:
        made, schemas = todo.popleft()
        read = [finder.facts(each) for each in schemas]
        types = frozenset[str]().union(*(facts.types or {"string"} for facts in read))
        made.types = ordered(types)
        for facts in read:
            for name, member in facts.properties.items():
                made.properties.setdefault(name, place([member]))
        items = [item for facts in read for item in facts.items]
        if items:
            made.items = place(items)
        elif "array" in types:
            made.items = Nested(("string",))
        others = [facts.additional for facts in read if facts.additional is not None]
        if any(isinstance(other.value, dict) for other in others):
            made.additional = place([other for other in others if isinstance(other.value, dict)])
    return root
