"""Names: anything that a description may call something, as an identifier, a class or a module of Python."""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import Final

_SIGNS: Final = {"+": " plus ", "-": " minus ", "<": " less ", ">": " greater ", "=": " equal ", "*": " star "}
_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# Longer names are cut: they come from places that are nested very deeply.
MAX_NAME: Final = 60

# What generated modules use by these names; a member or an argument of the same name would hide it.
_TAKEN_LOWER: Final = frozenset(
    {
        *("bool", "bytes", "dict", "dt", "float", "int", "list", "msgspec", "str", "tuple", "property", "super"),
        *("self", "cls", "l", "mro", "example", "handler", "type_", "print"),
    }
)
# Names of classes that models may not have.
TAKEN_CLASSES: Final = frozenset(
    {
        *("Annotated", "Answer", "Any", "AnyUrl", "Body", "ClassVar", "Cookie", "Decimal", "Header", "Literal", "None"),
        *("True", "False", "Path", "Query", "Request", "Response", "TypeAlias", "UNSET", "UUID", "Union", "UnsetType"),
        *(
            "Optional",
            "UploadFile",
            "Auth",
            "I",
            "O",
            "AsyncClient",
            "Client",
            "ApiError",
            "Exception",
            "BaseException",
        ),
        *("ValueError", "TypeError", "Warning", "Ellipsis", "NotImplemented", "Iterator", "AsyncIterator"),
    }
)


def words(text: str) -> list[str]:
    """The words of a name: `photoURLs v2` has photo, ur, ls, v, 2, as people who write such names would split them."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    found = [word for piece in re.split(r"[^A-Za-z0-9]+", plain) for word in _WORD.findall(piece)]
    if not found:
        found = "".join(_SIGNS.get(char, " ") for char in plain).split()
    elif not any(char.isalpha() for char in plain) and plain[0] in _SIGNS:
        found = [_SIGNS[plain[0]].strip(), *found]
    return found


def snake(text: str) -> str:
    """An identifier in lower case; `_` is put behind keywords and what generated modules need themselves.

    Names that are identifiers in lower case stay what they are; what has no letters at all is `field`.
    """
    if re.fullmatch(r"[a-z][a-z0-9_]*", text) and not text.endswith("_") and len(text) <= MAX_NAME:
        name = text
    else:
        name = re.sub(r"_+", "_", _parted(text)).strip("_")[:MAX_NAME].strip("_") or "field"
    if name[0].isdigit():
        name = f"field_{name}"
    return f"{name}_" if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in _TAKEN_LOWER else name


def _parted(text: str) -> str:
    """The words of a name between underscores; digits stay with what they follow (`md5Sum` is md5_sum)."""
    found: list[str] = []
    for word in words(text):
        if word.isdigit() and found and not found[-1].isdigit() and word in text and f"{found[-1]}{word}" in text:
            found[-1] += word
        else:
            found.append(word)
    return "_".join(found).lower()


def pascal(text: str) -> str:
    """The name of a class; acronyms keep their case."""
    name = "".join(word[:1].upper() + word[1:] for word in words(text))[:MAX_NAME] or "Model"
    if name[0].isdigit():
        name = f"Model{name}"
    return f"{name}_" if name in TAKEN_CLASSES or keyword.iskeyword(name) else name


class Scope:
    """Names that are given once each, whatever their case, for file systems that do not tell cases apart."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = {name.lower() for name in taken}

    def claim(self, name: str) -> str:
        """The name, with a number behind it when it is taken."""
        found, count = name, 1
        while found.lower() in self._taken:
            count += 1
            found = f"{name.rstrip('_')}_{count}"
        self._taken.add(found.lower())
        return found
