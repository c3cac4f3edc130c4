"""Short texts that match a regular expression of ECMA-262, for `pattern` and `patternProperties`.

The expression is read into a tree of closures, each of which writes one piece.  Look-ahead is only approximated: a
positive one is written out in front of the rest in every second try, which is what rules for passwords need.  What
comes out is a proposal; whoever uses it asks the validator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Final

# More repetitions than asked for, more characters in one text, and deeper nesting than these are never made.
EXTRA_REPEATS: Final = 3
MAX_TEXT: Final = 4096
MAX_NESTING: Final = 60

_DIGITS: Final = "0123456789"
_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_WORD: Final = _LOWER + _LOWER.upper() + _DIGITS + "_"
# What "any character" is written as, most harmless first.
_PLAIN: Final = _LOWER + _LOWER.upper() + _DIGITS
_PRINTABLE: Final = _PLAIN + "_-. !\"#$%&'()*+,/:;<=>?@[\\]^`{|}~"
_CLASSES: Final = {"d": _DIGITS, "w": _WORD, "s": " "}
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
# Unicode general categories and scripts, by what stands for them.
_PROPERTIES: Final = {
    "L": _LOWER + _LOWER.upper(),
    "Lu": _LOWER.upper(),
    "Ll": _LOWER,
    "N": _DIGITS,
    "Nd": _DIGITS,
    "P": "-.,!?",
    "Z": " ",
    "Zs": " ",
    "S": "+=$",
    "M": "\u0301",
    "Cc": "\x1f",
    "Han": "\u4e2d\u6587",
    "Greek": "\u03b1\u03b2",
    "Cyrillic": "\u0430\u0431",
    "Hiragana": "\u3042",
    "Katakana": "\u30a2",
}


class UnreadablePatternError(ValueError):
    """A pattern that this reader does not understand."""


@dataclass
class _Writing:
    """One text that is being written: the randomness, what the groups wrote, and how look-ahead is taken."""

    random: Random
    spell_ahead: bool
    length: int = 0
    groups: dict[str, str] = field(default_factory=dict)

    def say(self, text: str) -> str:
        self.length += len(text)
        return text


_Piece = Callable[[_Writing], str]


def matching(pattern: str, random: Random, attempt: int = 0) -> str:
    """A text that `pattern` probably matches, at any place in it.  Raises `UnreadablePatternError`."""
    return _read(pattern)(_Writing(random, spell_ahead=attempt % 2 == 1))


@lru_cache(maxsize=512)
def _read(pattern: str) -> _Piece:
    return _Reader(pattern).whole()


class _Reader:
    """Recursive descent over the pattern (ECMA-262 section 22.2.1, with what annex B.1.2 allows for braces)."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.depth = 0
        self.groups = 0

    def whole(self) -> _Piece:
        piece = self.alternatives()
        if self.at < len(self.text):
            raise UnreadablePatternError(f"unbalanced parenthesis at {self.at}")
        return piece

    def peek(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def take(self) -> str:
        if self.at >= len(self.text):
            raise UnreadablePatternError("the pattern ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def until(self, end: str) -> str:
        found = self.text.find(end, self.at)
        if found < 0:
            raise UnreadablePatternError(f"{end!r} is missing")
        text, self.at = self.text[self.at : found], found + 1
        return text

    def alternatives(self) -> _Piece:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise UnreadablePatternError("nested too deeply")
        branches = [self.sequence()]
        while self.peek("|"):
            self.at += 1
            branches.append(self.sequence())
        self.depth -= 1
        if len(branches) == 1:
            return branches[0]
        return lambda writing: writing.random.choice(branches)(writing)

    def sequence(self) -> _Piece:
        pieces: list[_Piece] = []
        while self.at < len(self.text) and not self.peek("|") and not self.peek(")"):
            pieces.append(self.quantified())
        return lambda writing: "".join([piece(writing) for piece in pieces])

    def quantified(self) -> _Piece:
        piece = self.atom()
        while True:
            bounds = self.quantifier()
            if bounds is None:
                return piece
            piece = _repeated(piece, *bounds)

    def quantifier(self) -> tuple[int, int] | None:
        simple = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}
        here = self.text[self.at : self.at + 1]
        if here in simple:
            self.at += 1
            bounds = simple[here]
        elif here == "{":
            inside, brace, _ = self.text[self.at + 1 :].partition("}")
            low, comma, high = inside.partition(",")
            if not brace or not low.isdecimal() or not (high.isdecimal() or not high):
                return None
            self.at += len(inside) + 2
            bounds = int(low), int(high) if high else (-1 if comma else int(low))
        else:
            return None
        if self.peek("?"):
            self.at += 1
        return bounds

    def atom(self) -> _Piece:
        char = self.take()
        if char == "(":
            return self.group()
        if char == "[":
            return _one_of(self.character_class())
        if char == "\\":
            return self.escape()
        if char in "^$":
            return lambda writing: ""
        if char == ".":
            return _one_of(_PLAIN)
        return _one_of(char)

    def group(self) -> _Piece:
        name = ""
        ahead = False
        if self.peek("?"):
            self.at += 1
            kind = self.take()
            if kind == "P":
                kind = self.take()
            if kind in "=!" or (kind == "<" and (self.peek("=") or self.peek("!"))):
                behind = kind == "<"
                negative = (self.take() if behind else kind) == "!"
                inner = self.alternatives()
                self.close()
                ahead = not behind and not negative
                return (lambda writing: inner(writing) if writing.spell_ahead else "") if ahead else lambda writing: ""
            if kind == "<":
                name = self.until(">")
            elif kind != ":":
                # Flags for a group, as `(?i:...)`; they widen what matches and so change nothing here.
                while self.at < len(self.text) and self.text[self.at] not in ":)":
                    self.at += 1
                if self.peek(")"):
                    self.at += 1
                    return lambda writing: ""
                self.at += 1
            if kind != "<":
                piece = self.alternatives()
                self.close()
                return piece
        self.groups += 1
        number = str(self.groups)
        piece = self.alternatives()
        self.close()

        def remembered(writing: _Writing) -> str:
            text = piece(writing)
            writing.groups[number] = text
            writing.groups[name] = text
            return text

        return remembered

    def close(self) -> None:
        if self.at >= len(self.text) or self.take() != ")":
            raise UnreadablePatternError("a parenthesis is not closed")

    def escape(self) -> _Piece:
        char = self.take()
        if char in "bB":
            return lambda writing: ""
        if char == "k" and self.peek("<"):
            self.at += 1
            name = self.until(">")
            return lambda writing: writing.say(writing.groups.get(name, ""))
        if char in "123456789":
            digits = char
            while self.at < len(self.text) and self.text[self.at].isdecimal():
                digits += self.take()
            return lambda writing: writing.say(writing.groups.get(digits, ""))
        if char in "AzZ":
            return lambda writing: ""
        return _one_of(self.escaped(char))

    def escaped(self, char: str) -> str:
        """The characters that an escape stands for, a class or a single one."""
        if char in _CLASSES:
            return _CLASSES[char]
        if char.lower() in _CLASSES and char.isupper():
            return _without(_CLASSES[char.lower()])
        if char in "pP" and self.peek("{"):
            self.at += 1
            name = self.until("}").rpartition("=")[2]
            chars = _PROPERTIES.get(name) or _PROPERTIES.get(name[:1]) or _PLAIN
            return chars if char == "p" else _without(chars)
        if char == "x":
            return self.hexadecimal(2)
        if char == "u" and self.peek("{"):
            self.at += 1
            return self.code_point(self.until("}"))
        if char == "u":
            return self.hexadecimal(4)
        if char == "c":
            return chr(ord(self.take()) % 32)
        return _CONTROLS.get(char, char)

    def hexadecimal(self, digits: int) -> str:
        text, self.at = self.text[self.at : self.at + digits], self.at + digits
        return self.code_point(text)

    def code_point(self, text: str) -> str:
        try:
            return chr(int(text, 16))
        except (ValueError, OverflowError):
            raise UnreadablePatternError(f"{text!r} is no code point") from None

    def character_class(self) -> str:
        negated = self.peek("^")
        self.at += negated
        chars: list[str] = []
        while not self.peek("]"):
            first = self.class_member()
            if len(first) == 1 and self.peek("-") and not self.text.startswith("]", self.at + 1):
                self.at += 1
                last = self.class_member()
                if len(last) == 1 and first <= last:
                    chars.append(_range(first, last))
                else:
                    chars += [first, "-", last]
            else:
                chars.append(first)
        self.at += 1
        found = "".join(chars)
        return _without(found) if negated else found

    def class_member(self) -> str:
        char = self.take()
        if char != "\\":
            return char
        char = self.take()
        return "\b" if char == "b" else self.escaped(char)


def _range(first: str, last: str) -> str:
    """The characters of a range; of an enormous one those at its ends and what is easy to read."""
    low, high = ord(first), ord(last)
    if high - low < 256:
        return "".join(map(chr, range(low, high + 1)))
    readable = "".join(char for char in _PRINTABLE if first <= char <= last)
    return readable or "".join(map(chr, range(low, low + 26)))


def _without(excluded: str) -> str:
    found = "".join(char for char in _PRINTABLE if char not in excluded)
    return found or "\u00e9"


def _one_of(chars: str) -> _Piece:
    if not chars:
        raise UnreadablePatternError("an empty class matches nothing")
    # Letters and digits are kind to whoever has to read, log or send the text.
    kind = [char for char in chars if char in _PLAIN] or list(chars)
    return lambda writing: writing.say(writing.random.choice(kind))


def _repeated(piece: _Piece, low: int, high: int) -> _Piece:
    most = low + EXTRA_REPEATS if high < 0 else min(high, low + EXTRA_REPEATS)

    def repeat(writing: _Writing) -> str:
        least = max(low, min(1, most))
        count = writing.random.randint(least, max(least, most))
        found: list[str] = []
        for _ in range(count):
            if writing.length > MAX_TEXT:
                break
            found.append(piece(writing))
        return "".join(found)

    return repeat
