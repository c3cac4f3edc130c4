"""The regular expression form of path templates, for users who want to look at it or to match without the trie.

It agrees with the trie on paths without percent escapes (the trie splits first and decodes then, which one expression
over the raw path cannot).
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from brrtrouter.core.matcher import Matcher

_EXPRESSION = re.compile(r"\{([^{}]*)\}")
# The one escape whose decoded form means something else in a raw path: it never separates segments.
_ESCAPED_SLASH = re.compile("%2[Ff]")


def path_to_regex(template: str) -> tuple[str, list[str]]:
    """The anchored pattern of a path template and the names of its groups, in order.

    `path_to_regex("/users/{id}")` is `("^/users/([^/]+)$", ["id"])`, to be used with `re.fullmatch`.  Inside a segment
    the leftmost literal wins, so every group but the last of a segment is lazy.  Predicates (`?name=value`) are no part
    of it.  Raises RouteError when the template is malformed.
    """
    Matcher([("GET", template, None)])
    path = _path_part(template)
    names = _EXPRESSION.findall(path)
    pieces = _EXPRESSION.split(path)
    out = ["^"]
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            out.append(_literal(piece))
        else:
            out.append(_group(pieces[i + 1], last=i == len(pieces) - 2))
    return "".join(out) + "$", names


def _literal(piece: str) -> str:
    plain = (re.escape(unquote(part)).replace("\\-", "-") for part in _ESCAPED_SLASH.split(piece))
    return _ESCAPED_SLASH.pattern.join(plain)


def _path_part(template: str) -> str:
    """The template without `?query` and `#fragment`, either of which may also stand inside of an expression."""
    outside = _EXPRESSION.sub(lambda match: "x" * len(match[0]), template)
    return template[: len(re.split(r"[?#]", outside, maxsplit=1)[0])]


def _group(following: str, *, last: bool) -> str:
    if following.startswith("/") or "/" in following or last:
        return "([^/]+)"
    return "([^/])" if following == "" else "([^/]+?)"
